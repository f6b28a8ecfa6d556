/*
 * Attaching to running processes and letting them go, so that they do not notice. No filter, as that
 * could not be taken back: they are stopped at every call.
 */
#include "abi/regs.h"
#include "base/clock.h"
#include "base/proc.h"
#include "tracer/engine.h"
#include "tracer/guard.h"
#include "tracer/stop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Without EXITKILL: when we die, the kernel lets them go. */
#define ATTACH_OPTIONS                                                                            \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
	 PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESECCOMP)

/* A thread in an uninterruptible sleep has so long to come out of it. */
#define DETACH_NS 3000000000ULL

void task_interrupt(struct task *task)
{
	if (!ptrace(PTRACE_INTERRUPT, task->tid, 0, 0))
		task->interrupted = true;
}

struct seize {
	struct tracer *tracer;
	pid_t pid;
	int count; /* new ones of this pass */
	int error;
};

static void seize_task(void *ctx, int tid)
{
	struct seize *seize = ctx;
	struct task *task;

	if (tracer_find_task(seize->tracer, tid))
		return;
	if (ptrace(PTRACE_SEIZE, tid, 0, ATTACH_OPTIONS) < 0) {
		/* Ours already, by its creator; its first stop is on the way. */
		if (proc_status(tid, "TracerPid") != getpid() && errno != ESRCH)
			seize->error = -errno;
		return;
	}
	task = task_add(seize->tracer, tid, seize->pid);
	task->born = true;
	task->proc->attached = true;
	task->proc->follow_all = true;
	task->proc->threads_fork = true;
	pin_attach(seize->tracer, task);
	task_interrupt(task);
	seize->count++;
}

#define HOLD_TRIES 40

/* One of its threads, stopped by our interrupt; NULL: none stops, or they are stopped otherwise. */
static struct task *hold_one(struct tracer *tracer, struct proc *proc, int *ret_status)
{
	const struct timespec nap = { .tv_nsec = 500000 };
	int status;

	for (int i = 0; i < HOLD_TRIES; i++) {
		for (struct task *task = proc->tasks; task; task = task->next) {
			if (task->stopped || waitpid(task->tid, &status, __WALL | WNOHANG) <= 0)
				continue;
			task->stopped = true;
			tracer->stats.stops++;
			if (stop_from_status(status).kind == STOP_EVENT) {
				*ret_status = status;
				return task;
			}
			wait_push(tracer, task->tid, status);
		}
		nanosleep(&nap, NULL);
	}
	return NULL;
}

/* Who is told can make calls in the process, if a thread of it can be had. */
static void tell_found(struct tracer *tracer, struct proc *proc)
{
	int status = 0;
	struct task *held = tracer->options.probes ? hold_one(tracer, proc, &status) : NULL;

	if (!held) {
		tracer->ops->found(tracer->ctx, proc->tasks);
		return;
	}
	held->at = TASK_AT_ANY;
	tracer->ops->found(tracer->ctx, held);
	held->at = TASK_AT_OTHER;
	wait_push(tracer, held->tid, status);
}

int tracer_attach(struct tracer *tracer, pid_t pid)
{
	struct seize seize = { .tracer = tracer, .pid = pid };
	struct proc *proc;
	int result;

	if (tracer_find_proc(tracer, pid))
		return 0;
	if (pid == getpid())
		return -EDEADLK;
	result = guard_await(tracer, pid);
	if (result)
		return result;
	/* Until a pass finds no new thread: those that we have tell of their children themselves. */
	do {
		seize.count = 0;
		result = proc_each(pid, "task", seize_task, &seize);
	} while (!result && seize.count);
	proc = tracer_find_proc(tracer, pid);
	if (proc) {
		tell_found(tracer, proc);
		return 0;
	}
	if (result == -ENOENT || (!result && !seize.error))
		return -ESRCH;
	return seize.error ? seize.error : result;
}

int task_detach(struct tracer *tracer, struct task *task, int sig)
{
	int result;

	pin_detach(task);
	result = ptrace(PTRACE_DETACH, task->tid, 0, (long)sig) < 0 ? -errno : 0;
	task_forget(tracer, task, -1);
	return result;
}

void tracer_trust(struct proc *proc)
{
	proc->wide = proc->told_inside = true;
	proc->follow_all = false;
}

void tracer_detach(struct tracer *tracer)
{
	tracer->detach_by = clock_monotonic() + DETACH_NS;
	MAP_FOR_EACH(proc, &tracer->procs)
		if (((struct proc *)map_value(proc))->attached)
			brk_lift_all(tracer, ((struct proc *)map_value(proc))->tasks);
	MAP_FOR_EACH(node, &tracer->tasks) {
		struct task *task = map_value(node);

		if (!task->proc->attached || task->detach)
			continue;
		task->detach = true;
		if (!task->stopped && task->born)
			task_interrupt(task);
	}
}

bool detach_is_overdue(const struct tracer *tracer)
{
	if (!tracer->detach_by || clock_monotonic() < tracer->detach_by)
		return false;
	MAP_FOR_EACH(node, &tracer->tasks)
		if (!((struct task *)map_value(node))->proc->attached)
			return false;
	return true;
}

/*
 * Calls that a stop ends with EINTR although no signal came; the others restart by themselves
 * (signal(7), "Interruption of system calls … by stop signals"; tried on 6.18). connect is left out: it goes
 * on in the background.
 */
static const char *const eintr_calls[] = {
	"epoll_wait", "epoll_pwait", "epoll_pwait2", "rt_sigtimedwait", "read",
	"readv",      "recvfrom",    "recvmsg",      "recvmmsg",        "accept",
	"accept4",    "write",       "writev",       "sendto",          "sendmsg",
	"sendmmsg",   "semop",       "semtimedop",   "io_getevents",    "io_pgetevents",
	"recv",       "send",
};

static bool ends_with_eintr(const struct abi *abi, uint64_t nr)
{
	for (size_t i = 0; i < sizeof(eintr_calls) / sizeof(eintr_calls[0]); i++)
		if ((int)nr == abi_nr(abi, eintr_calls[i]))
			return true;
	return false;
}

/* A signal that is about to be delivered: then EINTR is what the program is to see. */
static bool signal_is_pending(pid_t tid)
{
	struct proc_signals signals;

	return proc_signals(tid, &signals) || (signals.own | signals.shared) & ~signals.blocked;
}

bool attach_undo_interrupt(struct task *task)
{
	struct regs regs;
	uint64_t nr;

	if (!task->interrupted)
		return false;
	task->interrupted = false;
	if (regs_get(task->tid, &regs))
		return false;
	nr = regs_call_nr(&regs);
	if (regs_ret(&regs) != -EINTR || (int64_t)nr < 0 || !ends_with_eintr(regs_abi(&regs), nr) ||
	    signal_is_pending(task->tid))
		return false;
	regs_rewind(&regs, nr);
	return !regs_set(task->tid, &regs);
}
