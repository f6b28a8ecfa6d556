/*
 * Breakpoints in the code of tracees. A hit costs one stop: the instruction that a breakpoint stands
 * for is carried out by us where we can (prologues, returns), else by a displaced copy of it on a
 * page of ours in the process. It is never taken out for a step, as other threads would run through
 * the hole.
 *
 * Life: brk_plant, hits, brk_lift; all of a space's are lifted when its process is let go. A forked
 * child has copies of its own, an exec ends them all.
 */
#ifndef TRACER_BRK_H
#define TRACER_BRK_H

#include "abi/regs.h"
#include "code/insn.h"
#include "tracer/task.h"

struct tracer;
struct space;

/*
 * Called at a hit; the task stands in front of the instruction. regs may be changed and are written
 * back. arg is the planter's.
 */
typedef void brk_hit(void *ctx, struct task *task, struct regs *regs, void *arg);

#define BRK_USERS 4

struct brk_user {
	brk_hit *hit;
	void *ctx, *arg;
};

struct brk {
	uint64_t addr;
	uint8_t orig;
	struct insn insn;
	uint64_t displaced; /* where its copy is; 0: it has none */
	struct brk_user users[BRK_USERS];
	unsigned int user_count;
};

/* A page of ours for displaced instructions. */
#define ISLAND_SIZE 4096U
struct island {
	uint64_t addr;
	uint32_t used;
};

/*
 * Plants one at addr in the task's process, or adds a user to the one that is there. 0, -EOPNOTSUPP
 * where its instruction can neither be carried out nor displaced, -EFAULT where there is no code,
 * -EBUSY with too many users, -ESRCH.
 */
int brk_plant(struct tracer *tracer, struct task *task, uint64_t addr, brk_hit *hit, void *ctx,
	      void *arg);

/* Takes a user away; the last one's leaving restores the code. */
void brk_lift(struct tracer *tracer, struct task *task, uint64_t addr, brk_hit *hit, void *arg);

/*
 * Makes room for displaced instructions within reach of addr, by a call injected into the task, which
 * is TASK_AT_ENTRY or TASK_AT_EXIT. Where that fails, instructions that need it are refused.
 */
int brk_reserve(struct tracer *tracer, struct task *task, uint64_t addr);

#endif
