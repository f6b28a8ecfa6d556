/*
 * Probes on functions of tracees: plants breakpoints on the rows' functions in whatever a process has
 * mapped, puts entry and return together, and tells what was called with which bytes.
 *
 * Life: probes_new, probes_add for the user's own; probes_scan whenever a process may have mapped
 * something new; probes_forget at its end.
 */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include "probe/module.h"
#include "tracer/brk.h"
#include "tracer/tracer.h"

struct probes;

/* A call of a probed function that has come to where its row is looked at. */
struct probe_call {
	const struct probe_row *row;
	const char *name;
	uint64_t session; /* address of the library's object; 0: none */
	uint64_t buffer;
	uint64_t len;     /* bytes */
	uint64_t entered; /* CLOCK_MONOTONIC; not known if … */
	bool go;
	bool begun_before; /* Go: it was under way when we came */
	uint64_t sp;       /* then a session that is not known is one of the words below this */
	/* Of a call that was seen inside the process; bytes NULL: they are in its memory. */
	const uint8_t *bytes;
	uint64_t there;
	uint64_t time, dur; /* since the epoch; nanoseconds */
};

/* A function that was planted and has been called often, where the process has it. */
struct probe_busy {
	const struct site *site;
	uint64_t bias;        /* to be added to the file's addresses */
	brk_hit *entry, *ret; /* what its breakpoints do, with ctx and the site */
	void *ctx;
};

/* A call of such a function that was seen inside the process. */
struct probe_seen {
	const struct site *site;
	uint64_t sp, g;
	const uint64_t
		*words; /* the entry's: C's six arguments; Go's four, and its stack's bounds */
	const uint8_t *bytes; /* the return's: `there` of `len` */
	uint64_t there, len;
	uint64_t time, dur;
};

struct probe_ops {
	/* Bytes were handed over (ROW_CALL). They are at call->buffer of the stopped task now. */
	void (*data)(void *ctx, struct task *task, const struct probe_call *call);
	/* A session has ended, or what else its row's kind says; ROW_BIND's descriptor is call->buffer. */
	void (*session)(void *ctx, struct task *task, const struct probe_call *call);
	/* A call of Go's is over, and what is to be told of it was. */
	void (*returned)(void *ctx, struct task *task, uint64_t session);
	/* What the user should know: a module whose plaintext cannot be had, a function that cannot. */
	void (*note)(void *ctx, struct task *task, const char *text);
	/* One of the process's functions was called so often by now, and each call costs two stops. */
	void (*busy)(void *ctx, struct task *task, unsigned int calls);
};

struct probes *probes_new(struct tracer *tracer, const struct probe_ops *ops, void *ctx,
			  bool no_tls);
void probes_free(struct probes *probes);

/*
 * The argument of a --probe: a name (gzip, zlib, brotli) or a row. 0, or -EINVAL and what is wrong in
 * *ret_why. To be called before the first scan.
 */
int probes_add(struct probes *probes, const char *text, const char **ret_why);

/* True if there is anything to look for. */
bool probes_wanted(const struct probes *probes);

/*
 * Looks at what the task's process has mapped executable and plants what is not planted yet. TASK_AT_ENTRY
 * or TASK_AT_EXIT it may make system calls in it (which, at an entry, makes the call be made again).
 */
void probes_scan(struct probes *probes, struct task *task);

/* The child, a process of its own, is in the calls that its parent was in. */
void probes_fork(struct probes *probes, const struct task *parent, const struct task *child);

/* The process has a new program, or is gone: calls under way are forgotten. */
void probes_forget(struct probes *probes, const struct proc *proc);

/* The thread is gone. */
void probes_forget_task(struct probes *probes, const struct task *task);

/*
 * The session whose function the task is in now, in that direction, at a system call of the task; 0 if
 * there is none.
 */
uint64_t probes_session(struct probes *probes, struct task *task, enum row_dir dir);

/* The same for a call that was made before this stop: its stack pointer, and Go's goroutine (r14). */
uint64_t probes_session_at(struct probes *probes, const struct task *task, enum row_dir dir,
			   uint64_t sp, uint64_t g);

/* True if a function of that session is under way, in whichever of the process's goroutines. */
bool probes_go_under_way(struct probes *probes, const struct task *task, uint64_t session);

/*
 * Functions of the process that have been called so often and whose arguments and results a row names
 * without looking into memory. Each is told once.
 */
void probes_each_busy(struct probes *probes, struct task *task, unsigned int calls,
		      void (*each)(void *ctx, struct task *task, const struct probe_busy *busy),
		      void *ctx);

/* Calls that were seen inside, in their order: what the breakpoints would have done. */
void probes_entered(struct probes *probes, struct task *task, const struct probe_seen *seen);
void probes_left(struct probes *probes, struct task *task, const struct probe_seen *seen);

/*
 * True if a module of the process has TLS that cannot be probed. For who has seen TLS: it is noted then, the
 * first time, as many a program has such a module and never uses it.
 */
bool probes_blind(struct probes *probes, struct task *task);

/* The index-th symbol of the user's that was found nowhere; NULL behind the last. */
const char *probes_unmatched(const struct probes *probes, size_t index);

/* The rows, for listing what a file has. */
const struct row_set *probes_rows(const struct probes *probes);

#endif
