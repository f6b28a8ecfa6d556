/*
 * CLONE_UNTRACED: such a child would live on without us, but with our filter, and each traced call
 * would fail with ENOSYS. The flag is taken out for the length of the call.
 */
#include "abi/regs.h"
#include "tracer/engine.h"
#include "tracer/mem.h"

#include <sched.h>
#include <string.h>

static bool is_clone3(const struct task *task)
{
	return !strcmp(task->call.row->name, "clone3");
}

/* clone has its flags in a register, clone3 in memory (struct clone_args, first member). */
static int read_flags(const struct task *task, uint64_t *ret_flags)
{
	*ret_flags = task->call.args[0];
	if (!is_clone3(task))
		return 0;
	return mem_read_all(task->tid, task->call.args[0], ret_flags, sizeof(*ret_flags));
}

static int write_flags(const struct task *task, uint64_t flags)
{
	struct regs regs;
	int result;

	if (is_clone3(task))
		return mem_write(task->tid, task->call.args[0], &flags, sizeof(flags));
	result = regs_get(task->tid, &regs);
	if (result)
		return result;
	regs_set_call_arg(&regs, 0, flags);
	return regs_set(task->tid, &regs);
}

static bool clone_enter(struct tracer *tracer, struct task *task)
{
	uint64_t flags;

	(void)tracer;
	if (read_flags(task, &flags) || !(flags & CLONE_UNTRACED) ||
	    write_flags(task, flags & ~(uint64_t)CLONE_UNTRACED))
		return false;
	task->untraced = flags;
	return true;
}

static void clone_exit(struct tracer *tracer, struct task *task)
{
	(void)tracer;
	write_flags(task, task->untraced);
}

const struct own_handler untraced_handler = { clone_enter, clone_exit };
