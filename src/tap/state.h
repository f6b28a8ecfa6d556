/* What the tap's own files share. */
#ifndef TAP_STATE_H
#define TAP_STATE_H

#include "base/map.h"
#include "code/listing.h"
#include "tap/cave.h"
#include "tap/pun.h"
#include "tap/tap.h"

#include <pthread.h>
#include <stdatomic.h>

/* One memory that agents write to; shared by a process and its forked children. */
struct ring {
	struct ring *next;
	unsigned int refs; /* processes */
	struct ring_header *header;
	uint8_t *data; /* mapped twice */
	uint64_t tail;
	uint64_t
		stuck; /* CLOCK_MONOTONIC since when nothing was published at the tail; 0: it was */
	uint64_t again; /* that were counted already */
	/* While it is drained, drain.c. */
	struct ring *busy;         /* the next one that has a record */
	struct ring_record record; /* at the tail */
	uint64_t upto;             /* the head, as it was found */
	uint64_t freed;            /* taken, and not given back yet */
};

/* A page of stubs. */
struct stub_page {
	uint64_t addr;
	uint8_t used[4096 / 8]; /* a bit per byte */
};

struct known_code;

/* A process that has the agent. */
struct tapped {
	struct proc *proc;
	struct ring *ring;
	uint32_t number; /* ring_control.process */
	int error;       /* of setup_process */
	bool refused;    /* not tapped, and not tried again */
	bool ready;      /* the agent is in place */
	bool recalled;   /* all calls are traced, as one of them is wanted */
	bool attached;   /* was running before; the agent stands for its filter: attach.c */
	bool left;       /* … and its code is as it was */
	const struct known_code *code; /* that is gone through, mapped at code_at; NULL: none is */
	uint64_t code_at;
	unsigned int vforks; /* children that run in its memory */
	struct map threads;  /* fs base → struct task */
	struct map keys;     /* tid → fs base */
	struct map fds;      /* descriptor → state, as in its memory */
	struct map gens;     /* descriptor → the last number that stood for a socket */
	struct map sites;    /* addresses that were patched, or cannot be */
	struct map stubs;    /* by address: the site they belong to */
	struct map holes;    /* of caves, by address: the site they belong to */
	struct map fillings; /* attached: what stood in caves, by address: struct filling */
	struct map
		partials;   /* by fs base: calls whose payload comes in several records; record.c */
	struct map pages;   /* struct stub_page */
	struct map hooks;   /* by the address of its stub: struct hook */
	struct map places;  /* … and the instruction that it is for */
	struct map hooked;  /* functions, by address: where the jump of its entry stands */
	struct map jumps;   /* of hooks, by address: struct hook_jump */
	struct map numbers; /* of the functions that have hooks */
};

/* The jump of a hook, and what stood there. */
struct hook_jump {
	struct brk_jump jump;
	uint8_t was[5];
};

/* A place in a probed function where the agent is entered, in whichever process. */
struct hook {
	struct hook *next;
	uint64_t offset; /* in the function */
	bool leaves, go, inward;
	struct listing_place place; /* of the first that had it: its address is none of others' */
	brk_hit *hit;               /* what the breakpoint did that it stands for */
	void *ctx, *arg;
};

struct tap {
	struct tracer *tracer;
	const struct tap_ops *ops;
	void *ctx;
	struct tap_options options;
	struct map procs;   /* by pid: struct tapped */
	struct map numbers; /* by number: struct tapped */
	struct map vforked; /* by pid of a child: the parent's struct tapped */
	struct map codes;   /* known.c: by file: struct known_code */
	struct caves caves;
	uint32_t next_number;
	struct ring *rings;
	pthread_mutex_t lock; /* rings: the ticker looks at them */
	pthread_t ticker;
	atomic_bool ended;
	bool unhurried; /* no thread is stopped */
	struct hook *hooks;
	const void **functions; /* arguments of probed functions, by their number in records */
	size_t function_count;
	struct tap_stats stats;
	double ns_per_tick;
	uint64_t base_tsc, base_ns; /* a pair of readings of long ago */
	uint64_t now_tsc, now_ns;   /* and of the last look: CLOCK_REALTIME */
	const struct abi *abi;
};

/* tap.c */
struct tapped *tapped_of(struct tap *tap, const struct proc *proc);
struct tapped *tapped_new(struct tap *tap, struct proc *proc);
/* All its calls are traced from here on. */
void tapped_refuse(struct tapped *tapped);
uint64_t tap_ticks(void);
/* Tells the agent whether it is to leave all calls to us. */
void tapped_write_disabled(struct tapped *tapped);
/* The rings are looked at from here on, if they are not yet. */
void tap_start_ticker(struct tap *tap);
/* fork.c: a child that ran in its parent's memory has ended, or executed something. */
void tapped_vfork_end(struct tap *tap, const struct proc *child);

/* setup.c: puts the agent into the process of a task TASK_AT_ENTRY. 0 or -errno. */
int setup_process(struct tap *tap, struct tapped *tapped, struct task *task);
void setup_ring_put(struct tap *tap, struct ring *ring);

/* thread.c: makes a thread known to the agent, and unknown. */
void thread_register(struct tapped *tapped, struct task *task);
/* A new thread, at its creator's clone event: it is known before it makes a call. flags: of clone(2). */
void thread_expect(struct tapped *tapped, const struct task *parent, struct task *child,
		   uint64_t flags);
void thread_forget(struct tapped *tapped, pid_t tid, bool alive);

/* patch.c: changes the site of the call that the task is at. 0, or -errno where it stays as it is. */
int patch_site(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site);
/* The same, but never by a breakpoint. */
int patch_site_jump(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site);
/*
 * Places of `size` bytes for stubs: where a jump made of the code's own bytes leads to, where a long jump
 * from `near` can go, and where one from a cave that a short jump at `site` reaches can. 0 or -errno.
 */
int patch_pun_place(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site,
		    const uint8_t code[PUN_SIZE], uint64_t size, uint64_t *ret_stub);
int patch_near_place(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t near,
		     uint64_t size, uint64_t *ret_addr);
int patch_cave_place(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site,
		     uint64_t size, struct cave *ret_cave, uint64_t *ret_stub);
/* A site's two bytes, through a trap, so that nobody meets one new byte and one old one. */
int patch_two_bytes(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site,
		    const uint8_t code[2]);
/* The long jump, into the cave. */
int patch_fill_cave(struct tapped *tapped, uint64_t site, const struct cave *cave, uint64_t stub);

/* hook.c: the hook's jump at that place, NULL: it is not there, or not any more. */
const struct hook_jump *hook_jump_at(struct tapped *tapped, uint64_t site);
/* The program's code, without what hooks and breakpoints have changed. 0 or -errno. */
int hook_code(struct tapped *tapped, struct task *task, uint64_t addr, uint8_t *ret_code,
	      size_t len);
void hooks_copy(struct tapped *to, const struct tapped *from);
void hooks_done(struct tapped *tapped);
void hooks_free(struct tap *tap);

/* drain.c: with `ends` nobody is left who could fill the holes. */
void drain_ring(struct tap *tap, struct ring *ring, bool ends);
/*
 * All rings, in the order in which the calls ended: processes that have rings of their own can talk to each
 * other, or share a connection.
 */
void drain_all(struct tap *tap);
/*
 * And what the process has published behind a place that another one, or another thread, has not filled
 * yet: at its stops nothing of it may be left, as the thread, or the descriptor, may be gone then.
 */
void drain_process(struct tap *tap, struct tapped *tapped);
/* The record that was to be there will not be written. */
void drain_fill_hole(struct ring *ring, uint64_t position, uint64_t size);
bool drain_was_published(const struct ring *ring, uint64_t position);

/* No call moves more (MAX_RW_COUNT, linux/fs.h), and no error has a higher number (linux/err.h). */
#define RECORD_MOVED_MAX 0x7ffff000
#define RECORD_ERRNO_MAX 4095

/* record.c: tells what a sound record says. */
void record_take(struct tap *tap, const struct ring *ring, const struct ring_record *record,
		 const uint8_t *payload);
/* What the times of records are counted from: before the first of them is told. */
void record_look_at_clock(struct tap *tap);
void record_lost(struct tap *tap, uint64_t bytes, uint64_t calls);
/* Frees what is left of calls that were never finished. */
void record_done(struct tapped *tapped);
/* Bytes of the call's payload that are not told yet. */
uint64_t record_left(const struct tap *tap, const struct ring_frame *frame, int64_t result);
/* Tells a call whose record the agent has not written, or not all of it. */
void record_frame(struct tap *tap, struct tapped *tapped, struct task *task,
		  const struct ring_frame *frame, uint64_t sp, int64_t result);

/* attach.c: what stands in the cave will be wanted again. */
void attach_note_cave(struct tapped *tapped, const struct cave *cave);
void attach_copy(struct tapped *to, const struct tapped *from);
void attach_done(struct tapped *tapped);
/* A trap goes to the stub's, before anything leads there. 0 or -errno. */
int attach_guard_stub(struct tap *tap, struct task *task, uint64_t stub);

/* pull.c: true if the task's signal was the agent's own fault, which was put right. */
bool pull_out(struct tap *tap, struct tapped *tapped, struct task *task, struct stop stop);
/* What the agent has done, and waits in tap_tell for us to see, is told. */
void pull_tell(struct tap *tap, struct tapped *tapped, struct task *task);

#endif
