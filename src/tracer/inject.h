/*
 * Makes system calls inside a stopped tracee: its own instruction in front of which it stands (or
 * behind which it has come) is used, and everything is as before at the end. Signals wait
 * meanwhile.
 *
 * Life: inject_begin, inject_call any number of times, inject_end, also after a failure.
 */
#ifndef TRACER_INJECT_H
#define TRACER_INJECT_H

#include "abi/regs.h"
#include "tracer/tracer.h"

#include <linux/filter.h>

struct inject {
	struct tracer *tracer;
	struct task *task;
	const struct abi *abi;
	struct regs saved;
	uint64_t sigmask;
	uint64_t perch; /* where the calls are made (rescue.h); 0: at its own instruction */
	bool begun;     /* the call it stood in front of was used up */
	bool stopsig;   /* SIGSTOP came and is sent again at the end */
	bool group;     /* a group-stop came: let it be reported again */
};

/* The task is not TASK_AT_OTHER. 0 or -errno; -ESRCH: it died, as in the calls below. */
int inject_begin(struct inject *inject, struct tracer *tracer, struct task *task);

/* Makes call nr; its result (or -errno of the call) is in *ret_result. */
int inject_call(struct inject *inject, int nr, const uint64_t args[6], int64_t *ret_result);

/* TASK_AT_ENTRY: the task will make its call anew, task->retry is set. */
int inject_end(struct inject *inject);

/* The same, but its call is not made: it has returned `ret`. Only TASK_AT_ENTRY, after an inject_call. */
int inject_end_call(struct inject *inject, int64_t ret);

/* widen.c: gives the task one more filter, or all threads of its process. 0 or -errno. */
int inject_filter(struct inject *inject, const struct sock_fprog *program, bool all_threads);

#endif
