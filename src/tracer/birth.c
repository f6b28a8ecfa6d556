/* New tasks: their creator's clone event, their own first stop, in whichever order. */
#include "abi/regs.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/proc.h"
#include "tracer/catcher.h"
#include "tracer/engine.h"
#include "tracer/guard.h"
#include "tracer/mem.h"
#include "tracer/space.h"

#include <errno.h>
#include <sched.h>
#include <sys/ptrace.h>

/* The flags of the clone(2) that a task is in. */
static uint64_t clone_flags(struct task *task)
{
	const struct abi *abi;
	struct regs regs;
	uint64_t flags = 0;
	int nr;

	if (task_get_regs(task, &regs))
		return 0;
	abi = regs_abi(&regs);
	nr = (int)regs_call_nr(&regs);
	if (nr == abi_nr(abi, "clone"))
		return (uint32_t)regs_call_arg(&regs, 0);
	if (nr == abi_nr(abi, "vfork"))
		return CLONE_VM | CLONE_VFORK;
	if (nr == abi_nr(abi, "clone3"))
		mem_read_all(task->tid, regs_call_arg(&regs, 0), &flags, sizeof(flags));
	return flags;
}

void park(struct tracer *tracer, struct wait_item item)
{
	struct parked *parked = own_alloc(sizeof(*parked));

	*parked = (struct parked){ item.status, clock_monotonic() };
	free(map_put(&tracer->parked, (uint64_t)item.tid, parked));
}

/* The status that a task was parked with, 0 if it was not. */
int unpark(struct tracer *tracer, pid_t tid)
{
	struct parked *parked auto_free = map_take(&tracer->parked, (uint64_t)tid);

	return parked ? parked->status : 0;
}

/* A task's first stop, once its creator is known. */
int first_stop(struct tracer *tracer, struct task *task, int status)
{
	struct stop stop = stop_from_status(status);

	task->born = true;
	task->stopped = true;
	if (stop.kind == STOP_GROUP)
		return task_listen(tracer, task);
	if (stop.kind != STOP_EVENT) {
		wait_push(tracer, task->tid, status);
		return 0;
	}
	catcher_follow(task);
	task->at = TASK_AT_EXIT;
	widen_now(tracer, task);
	task->at = TASK_AT_OTHER;
	return task_resume(tracer, task, 0);
}

static void inherit(struct tracer *tracer, struct proc *parent, struct proc *child, uint64_t flags)
{
	/* Even without breakpoints: who looks must see that it is shared. */
	if (flags & CLONE_VM && !parent->space)
		parent->space = space_new();
	if (parent->space)
		child->space =
			flags & CLONE_VM ? space_get(parent->space) : space_copy(parent->space);
	if (parent->attached && parent->space && !(flags & CLONE_VM))
		guard_fork(tracer, parent->pid, child->pid);
	child->wide = parent->wide;
	child->told_inside = parent->told_inside;
	child->attached = parent->attached;
	child->follow_all = parent->follow_all;
	child->widen_failed = parent->widen_failed;
	if (parent->multi_widened && !widen_was_inherited(parent, child->pid)) {
		child->wide = false;
		child->widen_wanted = true;
	}
}

static struct task *add_child(struct tracer *tracer, struct task *parent, pid_t tid, uint64_t flags)
{
	bool is_thread = flags & CLONE_THREAD;
	struct task *child = task_add(tracer, tid, is_thread ? parent->proc->pid : tid);

	child->detach = parent->detach;
	if (!is_thread && parent->tid != parent->proc->pid)
		parent->proc->threads_fork = true;
	if (!is_thread)
		inherit(tracer, parent->proc, child->proc, flags);
	/* It is let go at its first stop, and nobody hears of it. */
	if (!is_thread && child->proc->attached && tracer->options.no_follow) {
		child->detach = true;
		return child;
	}
	pin_inherit(tracer, parent, child);
	tracer->ops->fork(tracer->ctx, parent, child, flags);
	return child;
}

int on_clone(struct tracer *tracer, struct task *parent, struct stop stop)
{
	uint64_t flags = clone_flags(parent);
	struct task *child;
	unsigned long tid;
	int parked;

	(void)stop;
	if (ptrace(PTRACE_GETEVENTMSG, parent->tid, 0, &tid) < 0)
		return -errno;
	if (!tracer_find_task(tracer, (pid_t)tid)) {
		child = add_child(tracer, parent, (pid_t)tid, flags);
		parked = unpark(tracer, (pid_t)tid);
		if (parked)
			first_stop(tracer, child, parked);
	}
	return task_resume(tracer, parent, 0);
}

/*
 * A creator that is killed in its clone never reports the child. What has been parked for too long
 * is taken in for what /proc says it is; a report that comes late finds it known.
 */
void adopt_parked(struct tracer *tracer)
{
	MAP_FOR_EACH(node, &tracer->parked) {
		pid_t tid = (pid_t)map_key(node);
		struct parked *parked = map_value(node);
		struct task *task;
		int64_t pid;

		if (clock_monotonic() - parked->since < PARKED_MAX)
			continue;
		pid = proc_status(tid, "Tgid");
		task = task_add(tracer, tid, pid > 0 ? (pid_t)pid : tid);
		/* A process of its own: its creator's filter at that moment is not known. */
		if (!task->proc->tasks->next)
			task->proc->widen_wanted = true;
		pin_inherit(tracer, NULL, task);
		tracer->ops->orphan(tracer->ctx, task);
		first_stop(tracer, task, unpark(tracer, tid));
	}
}
