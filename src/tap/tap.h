/*
 * The tap: calls on sockets are made and recorded inside the process, by an agent that is injected
 * when it first moves bytes on a socket, and iotrace reads a ring. What the agent cannot do, and what
 * it does not know, it leaves to the stop engine. x86-64 only.
 *
 * Life: tap_new; tap_site at the entries of data calls, which sets processes up and patches sites;
 * tap_fd as descriptors come and go; tap_before at every stop; tap_free.
 */
#ifndef TAP_TAP_H
#define TAP_TAP_H

#include "iotrace/ring.h"
#include "tracer/brk.h"
#include "tracer/stop.h"
#include "tracer/tracer.h"

struct tap;

/* A call that the agent has made. */
struct tap_call {
	const struct sys_row *row;
	struct ring_record record; /* a copy: the ring's own can change under us */
	const uint8_t *payload;    /* record.payload bytes, valid during the call */
	uint64_t time;             /* when it returned, since the epoch */
	uint64_t dur;              /* nanoseconds */
};

/* A call of a probed function that was seen inside. */
struct tap_hooked {
	const void *arg;        /* the function's: struct tap_function */
	uint64_t sp, g;         /* stack pointer at its entry; Go's goroutine */
	const uint64_t *words;  /* at the entry: HOOK_WORDS, see include/iotrace/ring.h */
	const uint8_t *payload; /* at the return: `there` bytes of `len` */
	uint64_t there, len;
	uint64_t time; /* since the epoch */
	uint64_t dur;  /* nanoseconds, since the entry */
};

struct tap_ops {
	/* One that moves bytes, or shutdown. In the order of the ring. The task may be running, or about to end. */
	void (*call)(void *ctx, struct task *task, const struct tap_call *call);
	/* A connection was accepted, by a call with those arguments: its descriptor. The task is stopped. */
	void (*accepted)(void *ctx, struct task *task, const struct sys_row *row,
			 const uint64_t args[6], int fd);
	/* A probed function was called, and has returned. In the order of the ring, too. */
	void (*entered)(void *ctx, struct task *task, const struct tap_hooked *call);
	void (*left)(void *ctx, struct task *task, const struct tap_hooked *call);
	/* Records whose thread or process nobody knows, or that were overwritten by the program. */
	void (*lost)(void *ctx, uint64_t bytes, uint64_t calls);
};

struct tap_options {
	bool errors;        /* EAGAIN is recorded */
	uint64_t max_bytes; /* to be kept of one call; 0: all */
};

/*
 * NULL where this machine cannot do it, and why in *ret_why (no stable time stamp counter, no
 * FSGSBASE, another processor).
 */
struct tap *tap_new(struct tracer *tracer, const struct tap_ops *ops, void *ctx,
		    const struct tap_options *options, const char **ret_why);
void tap_free(struct tap *tap);

/*
 * A data call is at its entry. Sets its process up (if `begin`), makes the thread known and patches the
 * site, each if that is not done yet. True: the call will be made again.
 */
bool tap_site(struct tap *tap, struct task *task, bool begin);

/* Before a process is attached: reads its code, so that it need not be stopped for so long. */
void tap_learn(struct tap *tap, pid_t pid);

/*
 * An attached process, stopped by us (TASK_AT_ANY) or TASK_AT_ENTRY, whose call is made again then: the agent is put into it, and stands for the filter that it
 * has not; each of its system call instructions that can be meant leads there. NULL, and it is no longer
 * stopped at its calls (tracer_trust); or why it stays as it is.
 */
const char *tap_attach(struct tap *tap, struct task *task);

/*
 * More of its code was mapped, by a call that the task is at the exit of, or made executable. False where it
 * cannot be followed that way: then it is to be stopped at its calls.
 */
bool tap_attach_code(struct tap *tap, struct task *task);

/* It is to be let go: its code is as it was, and the stopped task stands there. */
void tap_leave(struct tap *tap, struct task *task);
/* … and that is its last one: nothing of ours stays mapped. */
void tap_left(struct tap *tap, struct task *task);

/* A function with breakpoints at its entry and its returns, whose calls can be seen inside. */
struct tap_function {
	uint64_t addr, size;
	uint64_t bias; /* what is to be added to the returns' addresses */
	const uint64_t *rets;
	size_t ret_count;
	bool go, inward;
	enum hook_success success;
	bool narrow;          /* a length that is the result has 32 bits */
	uint8_t buffer;       /* number of the argument */
	uint8_t length;       /* … that points to the length; HOOK_RESULT: it is the result */
	brk_hit *entry, *ret; /* what the breakpoints do, with ctx and arg */
	void *ctx, *arg;
};

/*
 * At the entry of a call of a tapped process: jumps into the agent instead of the breakpoints, where
 * they can be had. True: the call will be made again.
 */
bool tap_hook(struct tap *tap, struct task *task, const struct tap_function *function);

/* From here on all calls of the process are traced, or no longer; so that one comes by. */
void tap_recall(struct tap *tap, struct proc *proc, bool recalled);

/* What a descriptor of the process is now: RING_FD_UNKNOWN, RING_FD_OTHER, RING_FD_SOCKET. */
void tap_fd(struct tap *tap, struct proc *proc, int fd, int state);

/* The state that records of that descriptor bear now; RING_FD_UNKNOWN without a tap. */
uint8_t tap_fd_state(const struct tap *tap, const struct proc *proc, int fd);
/* True if the process has the agent. */
bool tap_is_ready(const struct tap *tap, const struct proc *proc);

/* Why the agent could not be put into the process; NULL: it was not tried, or it is there. */
const char *tap_why(const struct tap *tap, const struct proc *proc);

/* The process's descriptors are shared with others, or cannot be known: it is not tapped. */
void tap_refuse(struct tap *tap, struct proc *proc);

void tap_fork(struct tap *tap, struct task *parent, struct task *child, uint64_t flags);
void tap_exec(struct tap *tap, struct proc *proc);
void tap_gone(struct tap *tap, struct task *task, bool last);

/*
 * At a call's entry, behind tap_before, which has emptied the ring. True if the call is the agent's,
 * which waited for that: it has room now, or what it had to tell was taken from it.
 */
bool tap_waits(struct tap *tap, struct task *task);

/*
 * Before any stop is handled: takes what is in the rings, and moves a thread that is inside the agent
 * back to its own code. True: the signal of this stop was the agent's, and is not to be delivered.
 */
bool tap_before(struct tap *tap, struct task *task, struct stop stop);

/* Takes what is in the rings. tap_tick: by the clock, when no thread of the program waits for us. */
void tap_drain(struct tap *tap);
void tap_tick(struct tap *tap);

struct tap_stats {
	uint64_t calls;    /* told */
	uint64_t again;    /* that would have blocked, and were not told */
	uint64_t sites;    /* patched */
	uint64_t refused;  /* sites that could not be */
	uint64_t pulled;   /* threads moved out of the agent */
	uint64_t unhooked; /* entries and returns of probed functions that could not be changed */
};

enum tap_what { TAP_CALL, TAP_ENTRY, TAP_RETURN };

/* A site that is patched, in whichever process. */
struct tap_place {
	uint64_t site;
	enum tap_what what; /* a system call, or a probed function's entry or return */
	bool cave;          /* by a jump through a cave, else by a pun: patch.c */
	const char *path;   /* of what is mapped there, "" if nothing is; valid during the call */
	uint64_t offset;    /* in that file, else the address */
};

/* All that a process has, found in its memory. 0, -ENOENT where it has no agent, or -errno. */
int tap_places(pid_t pid, void (*each)(void *ctx, const struct tap_place *place), void *ctx);

void tap_get_stats(const struct tap *tap, struct tap_stats *ret_stats);

#endif
