/*
 * Injections that an attached program survives although iotrace is killed in the middle of one: the calls
 * are made from a few unused bytes at the end of one of its mappings, behind which is a jump to itself.
 * There the thread waits until the guardian (guard.h), which knows where it came from, has brought it back.
 */
#ifndef TRACER_RESCUE_H
#define TRACER_RESCUE_H

#include "abi/regs.h"

#include <stdatomic.h>
#include <stdint.h>

struct task;
struct tracer;

/* Shared with the guardian: the one injection there can be at a time. */
struct rescue {
	_Atomic int32_t tid; /* 0: none */
	int32_t pid;
	_Atomic uint64_t perch; /* where the code for it is, 0: nowhere */
	uint64_t sigmask;
	struct regs home; /* what the thread goes on with */
};

/*
 * Before anything is changed in a stopped thread of an attached process: 0 and the address of a system
 * call instruction, or -errno where there is none to be had.
 */
int rescue_begin(struct tracer *tracer, struct task *task, const struct regs *home,
		 uint64_t sigmask, uint64_t *ret_perch);

/* The thread has its own registers and signal mask again. */
void rescue_end(struct tracer *tracer, struct task *task);

/* In the guardian, when iotrace has gone; mem: /proc/PID/mem of rescue->pid, -1: there is none. */
void rescue_bring_back(struct rescue *rescue, int mem);

#endif
