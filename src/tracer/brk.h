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

/* One stands at addr, or stood there, so that a thread may just have run into it. */
bool brk_stands(const struct task *task, uint64_t addr);

/* What the program's code is there: breakpoints in it are undone. 0 or -errno. */
int brk_code(struct task *task, uint64_t addr, uint8_t *ret_code, size_t len);

/* A jump that somebody writes into code, of at most five bytes. */
struct brk_jump {
	uint64_t addr;
	uint8_t bytes[5];
	uint8_t len;
};

/* True if the breakpoint at addr has that one user alone. */
bool brk_has_only(struct task *task, uint64_t addr, brk_hit *hit, const void *arg);

/*
 * Such a jump does from now on what the breakpoint at addr did. Where it stands elsewhere the code is
 * restored, else the trap is left to be written over; who has run into the trap just before is still told,
 * and so is a child with a copy of the memory from before. Planting the same breakpoint again does nothing
 * while the jump is there, planting another is refused. -EBUSY with other users, -ENOENT.
 */
int brk_give(struct tracer *tracer, struct task *task, uint64_t addr, const struct brk_jump *jump,
	     brk_hit *hit, void *arg);

/* True while such a jump does its work. */
bool brk_is_given(struct task *task, uint64_t addr);

/*
 * The first `len` bytes of a jump at `jump`, be they ours or the program's own: they are not to be changed
 * while it stands there.
 */
void brk_hold(struct task *task, uint64_t jump, size_t len);
bool brk_holds(struct task *task, uint64_t addr, size_t len);

/* A trap of somebody else's at addr counts as a breakpoint, from which the thread goes on elsewhere. */
void brk_adopt(struct task *task, uint64_t addr, uint64_t go_on, brk_hit *hit, void *ctx,
	       void *arg);

/*
 * A breakpoint on a byte of ours, `orig`, that nobody reads as part of something else: from there the
 * thread goes on at `go_on`; hit can be NULL. Behind a brk_reserve, or a SIGKILL of iotrace can end an attached process. 0 or
 * -errno.
 */
int brk_stand(struct tracer *tracer, struct task *task, uint64_t addr, uint8_t orig, uint64_t go_on,
	      brk_hit *hit, void *ctx);

/*
 * Where the guardian (guard.h) will put a trap at addr for a moment: who runs into it when iotrace is gone
 * goes on at `go_on`. False: too many are known.
 */
bool brk_catch(struct task *task, uint64_t addr, uint64_t go_on);

/*
 * Carries out an instruction that stands at addr and has an effect that we know, or is a return, for a
 * task that stands in front of it.
 */
void brk_carry_out(struct task *task, const struct insn *insn, uint64_t addr, struct regs *regs);

/*
 * Makes room for displaced instructions within reach of addr, by a call injected into the task, which
 * is TASK_AT_ENTRY or TASK_AT_EXIT. Where that fails, instructions that need it are refused.
 */
int brk_reserve(struct tracer *tracer, struct task *task, uint64_t addr);

#endif
