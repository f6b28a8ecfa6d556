/* The loop: take what is ready, say what kind of stop it is, tell the ops, resume. */
#include "tracer/tracer.h"

#include "base/own.h"
#include "base/proc.h"
#include "tracer/catcher.h"
#include "tracer/engine.h"
#include "tracer/filter.h"
#include "tracer/guard.h"
#include "tracer/space.h"
#include "tracer/stop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Interrupts a blocking wait; its handler does nothing. */
#define KICK_SIGNAL SIGRTMAX

static void ignore_kick(int sig)
{
	(void)sig;
}

static void enable_kick(void)
{
	struct sigaction action = { .sa_handler = ignore_kick };
	sigset_t set;

	sigaction(KICK_SIGNAL, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, KICK_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/*
 * SIGKILL ends any other stop, and its PTRACE_EVENT_EXIT follows: what we were told of is over, and what
 * it stands at now has not been told yet.
 */
static bool is_at_unseen_exit(const struct task *task)
{
	siginfo_t info;

	return !task->dying && !ptrace(PTRACE_GETSIGINFO, task->tid, 0, &info) &&
	       info.si_code == (SIGTRAP | PTRACE_EVENT_EXIT << 8);
}

int task_restart(struct task *task, int request, int sig)
{
	task->stopped = task->at_trap = task->has_seen = false;
	if (is_at_unseen_exit(task))
		return 0;
	return ptrace((enum __ptrace_request)request, task->tid, 0, (long)sig) < 0 ? -errno : 0;
}

/*
 * The last thread of a process makes the calls by which our pages go. It must not be one that is about to end,
 * so the oldest, which is the main one where that is there, stays until the others have left.
 */
static bool must_stay(const struct task *task)
{
	return task->detach && !task->dying && !task_is_last(task) && task_is_oldest(task) &&
	       brk_has_islands(task);
}

/* The others of the process have left: its oldest thread can go, too. */
static void recall(const struct proc *proc)
{
	for (struct task *task = proc->tasks; task; task = task->next)
		if (task->keeps && task_is_last(task)) {
			task->keeps = false;
			task_interrupt(task);
		}
}

int task_resume(struct tracer *tracer, struct task *task, int sig)
{
	bool exit_wanted = task->in_call || task->asked || task->starting || task->proc->follow_all;

	if (task->detach)
		tracer->ops->leaving(tracer->ctx, task);
	if (task->detach && (!brk_may_leave(tracer, task) || signal_is_due(task)))
		return task_restart(task, PTRACE_CONT, sig);
	if (must_stay(task)) {
		task->keeps = true;
		return task_restart(task, PTRACE_CONT, sig);
	}
	if (task->detach && task_is_last(task) && brk_has_islands(task)) {
		/* Calls can be made neither there, nor where a signal would be lost by it. */
		if (sig || task->inside_call) {
			task_restart(task, PTRACE_CONT, sig);
			task_interrupt(task);
			return 0;
		}
		task->at = TASK_AT_ANY;
		tracer->ops->left(tracer->ctx, task);
		task->at = TASK_AT_OTHER;
		brk_drop_islands(tracer, task);
	}
	if (task->detach)
		return task_detach(tracer, task, sig);
	return task_restart(task, exit_wanted ? PTRACE_SYSCALL : PTRACE_CONT, sig);
}

int task_listen(struct tracer *tracer, struct task *task)
{
	/* It stays stopped, or is again once it is detached. */
	task->keeps = must_stay(task);
	if (task->detach && !task->keeps)
		return task_resume(tracer, task, 0);
	return task_restart(task, PTRACE_LISTEN, 0);
}

void task_forget(struct tracer *tracer, struct task *task, int status)
{
	struct proc *proc = task->proc;
	bool last = proc->tasks == task && !task->next;

	call_drop(tracer, task);
	tracer->ops->gone(tracer->ctx, task, status, last);
	task_remove(tracer, task);
	if (!last)
		recall(proc);
}

/*
 * A thread that executes a program takes the leader's id; all others are gone (ptrace(2),
 * "execve(2) under ptrace").
 */
static int on_exec(struct tracer *tracer, struct task *task, struct stop stop)
{
	struct proc *proc = task->proc;
	struct task *former, *next;
	unsigned long tid;
	pid_t leader = task->tid;

	(void)stop;
	if (ptrace(PTRACE_GETEVENTMSG, task->tid, 0, &tid) < 0)
		return -errno;
	former = tracer_find_task(tracer, (pid_t)tid);
	if (!former || former->proc != proc)
		former = task;
	for (task = proc->tasks; task; task = next) {
		next = task->next;
		if (task != former)
			task_forget(tracer, task, 0);
	}
	if (former->tid != leader)
		task_rename(tracer, former, leader);
	former->stopped = true;
	space_put(proc->space);
	proc->space = NULL;
	proc->threads_fork = false;
	guard_exec(tracer, proc->pid);
	/* What stood for a filter is no more. */
	if (proc->told_inside) {
		proc->told_inside = proc->wide = false;
		proc->follow_all = true;
	}
	if (leader == tracer->main_pid && !tracer->main_executed) {
		tracer->main_executed = true;
		tracer->no_new_privs = proc_status(leader, "NoNewPrivs") == 1;
	}
	tracer->ops->exec(tracer->ctx, former);
	return task_resume(tracer, former, 0);
}

static int on_exiting(struct tracer *tracer, struct task *task, struct stop stop)
{
	(void)stop;
	task->dying = true;
	signal_give_back(task);
	call_cut_off(tracer, task);
	tracer->ops->exiting(tracer->ctx, task);
	recall(task->proc);
	return task_restart(task, PTRACE_CONT, 0);
}

static int on_group(struct tracer *tracer, struct task *task, struct stop stop)
{
	(void)stop;
	return task_listen(tracer, task);
}

static int on_event(struct tracer *tracer, struct task *task, struct stop stop)
{
	(void)stop;
	attach_undo_interrupt(task);
	if (catcher_unmask(task))
		task->proc->space->masks = true;
	return task_resume(tracer, task, 0);
}

static int on_signal(struct tracer *tracer, struct task *task, struct stop stop)
{
	if (stop.code == SIGTRAP && task->stepping) {
		call_at_handler(tracer, task);
		return task_resume(tracer, task, 0);
	}
	if (stop.code == SIGTRAP && brk_handle(tracer, task))
		return task_resume(tracer, task, 0);
	if (signal_pass_on(tracer, task, stop.code)) {
		sleep_go_on(task, 0);
		return task_resume(tracer, task, 0);
	}
	sleep_go_on(task, stop.code);
	if (!task->detach && call_step_into_handler(tracer, task, stop.code))
		return 0;
	return task_resume(tracer, task, stop.code);
}

static int (*const stop_handlers[STOP_KINDS])(struct tracer *, struct task *, struct stop) = {
	[STOP_SECCOMP] = on_seccomp, [STOP_SYSCALL] = on_syscall, [STOP_FORK] = on_clone,
	[STOP_VFORK] = on_clone,     [STOP_CLONE] = on_clone,     [STOP_VFORK_DONE] = on_event,
	[STOP_EXEC] = on_exec,       [STOP_EXIT] = on_exiting,    [STOP_GROUP] = on_group,
	[STOP_EVENT] = on_event,     [STOP_SIGNAL] = on_signal,
};

static void on_gone(struct tracer *tracer, pid_t tid, int status)
{
	struct task *task = tracer_find_task(tracer, tid);

	unpark(tracer, tid);
	if (tid == tracer->main_pid)
		tracer->main_status = status;
	if (task)
		task_forget(tracer, task, status);
}

static bool is_inside_call(struct task *task, struct stop stop)
{
	switch (stop.kind) {
	case STOP_FORK:
	case STOP_VFORK:
	case STOP_CLONE:
	case STOP_VFORK_DONE:
	case STOP_EXEC:
	case STOP_SECCOMP:
		return true;
	case STOP_SYSCALL:
		return task->detach && call_is_entered(task);
	default:
		return false;
	}
}

static void dispatch(struct tracer *tracer, struct wait_item item)
{
	struct task *task = tracer_find_task(tracer, item.tid);
	struct stop stop = stop_from_status(item.status);

	if (stop.kind == STOP_EXITED || stop.kind == STOP_KILLED) {
		on_gone(tracer, item.tid, item.status);
	} else if (!task) {
		park(tracer, item);
	} else if (!task->born) {
		first_stop(tracer, task, item.status);
	} else {
		/* -ESRCH: it was killed while we looked at it; its end is on the way. */
		task->stopped = true;
		task->inside_call = is_inside_call(task, stop);
		/* Whoever is stopped otherwise is back in front of the breakpoint. */
		if (stop.kind != STOP_SYSCALL)
			task->asked = false;
		if (tracer->ops->before(tracer->ctx, task, stop))
			task_resume(tracer, task, 0);
		else
			stop_handlers[stop.kind](tracer, task, stop);
	}
}

/* Nothing is left, but more may come. A kick ends it, and one that comes just before it delays us by this. */
static const struct timespec idle_nap = { .tv_nsec = 5000000 };

static int loop(struct tracer *tracer)
{
	struct wait_item item;
	int result;

	for (;;) {
		result = wait_fill(tracer);
		if (atomic_exchange(&tracer->kicked, false))
			tracer->ops->kicked(tracer->ctx);
		if (result == -ECHILD && tracer->keep) {
			nanosleep(&idle_nap, NULL);
			continue;
		}
		if (result && result != -EINTR)
			return result == -ECHILD ? 0 : result;
		while (wait_next(tracer, &item))
			dispatch(tracer, item);
		adopt_parked(tracer);
		if (detach_is_overdue(tracer))
			return 0;
	}
}

int tracer_run(struct tracer *tracer)
{
	int result = loop(tracer);

	MAP_FOR_EACH(node, &tracer->tasks)
		task_forget(tracer, map_value(node), -1);
	return result;
}

struct tracer *tracer_new(const struct tracer_ops *ops, void *ctx,
			  const struct tracer_options *options, int *ret_error)
{
	struct tracer *tracer = own_zalloc(sizeof(*tracer));
	unsigned int narrow = FILTER_WANT(WHEN_ALWAYS), wide = FILTER_WANT(WHEN_WIDE);

	tracer->ops = ops;
	tracer->ctx = ctx;
	tracer->options = *options;
	tracer->main_status = -1;
	tracer->spawn_pipe = tracer->go_pipe = -1;
	tracer->thread = pthread_self();
	enable_kick();
	abi_init();
	if (options->pin)
		narrow |= FILTER_WANT(WHEN_PINNED);
	if (options->no_io_uring)
		narrow |= FILTER_NO_IO_URING;
	if (options->probes)
		wide |= FILTER_WANT(WHEN_PROBED);
	if (options->files)
		wide |= FILTER_WANT(WHEN_FILES);
	*(options->named ? &narrow : &wide) |= FILTER_WANT(WHEN_NAMED);
	tracer->wanted = narrow | wide;
	*ret_error = options->pin ? pin_start(tracer) : 0;
	if (!*ret_error)
		*ret_error = filter_make(narrow, &tracer->narrow);
	if (!*ret_error)
		*ret_error = filter_make(wide, &tracer->wide);
	if (*ret_error) {
		tracer_free(tracer);
		return NULL;
	}
	return tracer;
}

void tracer_free(struct tracer *tracer)
{
	if (!tracer)
		return;
	map_done(&tracer->tasks);
	map_done(&tracer->procs);
	MAP_FOR_EACH(parked, &tracer->parked)
		free(map_value(parked));
	map_done(&tracer->parked);
	guard_stop(tracer);
	filter_done(&tracer->narrow);
	filter_done(&tracer->wide);
	if (tracer->spawn_pipe >= 0)
		close(tracer->spawn_pipe);
	free(tracer->queue.items);
	free(tracer);
}

bool tracer_wants(const struct tracer *tracer, const struct sys_row *row)
{
	return tracer->wanted & FILTER_WANT(row->when);
}

int tracer_main_status(const struct tracer *tracer)
{
	return tracer->main_status;
}

void tracer_kick(struct tracer *tracer)
{
	atomic_store(&tracer->kicked, true);
	/* It may be just about to wait: who kicks, repeats until it is answered. */
	pthread_kill(tracer->thread, KICK_SIGNAL);
}

bool tracer_kick_pending(const struct tracer *tracer)
{
	return atomic_load(&tracer->kicked);
}

static void send_signal(pid_t pid, int sig, bool not_ours)
{
	if (!not_ours || getpgid(pid) != getpgrp())
		kill(pid, sig);
}

void tracer_signal(struct tracer *tracer, int sig, bool not_ours)
{
	if (tracer->main_pid && tracer->main_status == -1) {
		send_signal(tracer->main_pid, sig, not_ours);
		return;
	}
	MAP_FOR_EACH(node, &tracer->procs)
		if (!((struct proc *)map_value(node))->attached)
			send_signal((pid_t)map_key(node), sig, not_ours);
}

void tracer_kill_all(struct tracer *tracer)
{
	MAP_FOR_EACH(node, &tracer->procs)
		if (!((struct proc *)map_value(node))->attached)
			kill((pid_t)map_key(node), SIGKILL);
}

void tracer_keep(struct tracer *tracer, bool keep)
{
	tracer->keep = keep;
}

void tracer_get_stats(const struct tracer *tracer, struct tracer_stats *ret_stats)
{
	*ret_stats = tracer->stats;
}

bool tracer_needs_privilege(const struct tracer *tracer)
{
	return !tracer->no_new_privs;
}
