/* The loop: take what is ready, say what kind of stop it is, tell the ops, resume. */
#include "tracer/tracer.h"

#include "abi/regs.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/proc.h"
#include "tracer/engine.h"
#include "tracer/filter.h"
#include "tracer/mem.h"
#include "tracer/stop.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

int task_restart(struct task *task, int request, int sig)
{
	task->stopped = false;
	return ptrace((enum __ptrace_request)request, task->tid, 0, (long)sig) < 0 ? -errno : 0;
}

static int resume(struct task *task, int sig)
{
	bool exit_wanted = task->in_call || task->proc->follow_all;

	return task_restart(task, exit_wanted ? PTRACE_SYSCALL : PTRACE_CONT, sig);
}

static const struct own_handler *const own_handlers[OPS] = {
	[OP_GET_AFFINITY] = &pin_get_handler,
	[OP_SET_AFFINITY] = &pin_set_handler,
};

static bool tell_enter(struct tracer *tracer, struct task *task)
{
	const struct own_handler *own = own_handlers[task->call.row->op];

	return own ? own->enter(tracer, task) : tracer->ops->enter(tracer->ctx, task);
}

static void tell_exit(struct tracer *tracer, struct task *task)
{
	const struct own_handler *own = own_handlers[task->call.row->op];

	if (own)
		own->exit(tracer, task);
	else
		tracer->ops->exit(tracer->ctx, task);
}

static void tell_drop(struct tracer *tracer, struct task *task)
{
	if (task->in_call && !own_handlers[task->call.row->op])
		tracer->ops->drop(tracer->ctx, task);
	task->in_call = false;
}

static void forget_task(struct tracer *tracer, struct task *task, int status)
{
	bool last = task->proc->tasks == task && !task->next;

	tell_drop(tracer, task);
	tracer->ops->gone(tracer->ctx, task, status, last);
	task_remove(tracer, task);
}

/* An entry, of whichever kind of stop. */
static void call_enter(struct tracer *tracer, struct task *task)
{
	task->at = AT_ENTRY;
	task->retry = false;
	task->call.entered = clock_monotonic();
	widen_now(tracer, task);
	if (!task->retry && tell_enter(tracer, task))
		task->in_call = true;
	if (task->retry) {
		tell_drop(tracer, task);
		task->entry_told = false;
	}
	task->at = AT_OTHER;
}

static void call_exit(struct tracer *tracer, struct task *task, int64_t ret)
{
	task->at = AT_EXIT;
	task->call.ret = ret;
	task->in_call = false;
	tell_exit(tracer, task);
	task->at = AT_OTHER;
}

static int get_info(struct task *task, struct __ptrace_syscall_info *info)
{
	/* Linux 5.3. */
	long got = ptrace((enum __ptrace_request)PTRACE_GET_SYSCALL_INFO, task->tid, sizeof(*info),
			  info);

	return got < 0 ? -errno : 0;
}

/* socketcall(2): the call's own arguments instead of the packed ones. */
static const struct sys_row *unpack_socketcall(struct task *task)
{
	struct call *call = &task->call;
	uint32_t packed[6] = { 0 };
	uint64_t number = call->args[0];

	mem_read(task->tid, call->args[1], packed, sizeof(packed));
	for (int i = 0; i < 6; i++)
		call->args[i] = packed[i];
	return abi_socketcall_row(number);
}

static bool fill_call(struct task *task, const struct __ptrace_syscall_info *info, uint64_t nr,
		      const uint64_t *args)
{
	struct call *call = &task->call;

	call->abi = abi_find(info->arch, nr);
	if (!call->abi)
		return false;
	call->nr = nr;
	call->ip = info->instruction_pointer;
	call->sp = info->stack_pointer;
	memcpy(call->args, args, sizeof(call->args));
	call->row =
		abi_is_socketcall(call->abi, nr) ? unpack_socketcall(task) : abi_row(call->abi, nr);
	return call->row && sys_row_holds(call->row, call->args);
}

int tracer_skip_call(struct tracer *tracer, struct task *task, int64_t ret)
{
	struct regs regs;
	int result = regs_get(task->tid, &regs);

	(void)tracer;
	if (!result)
		result = regs_change_call(task->tid, &regs, (uint64_t)-1);
	if (result)
		return result;
	regs_set_ret(&regs, ret);
	return regs_set(task->tid, &regs);
}

static int on_seccomp(struct tracer *tracer, struct task *task, struct stop stop)
{
	struct __ptrace_syscall_info info = { 0 };
	int result = get_info(task, &info);

	(void)stop;
	if (result)
		return result;
	if (info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return resume(task, 0);
	/* The program's own filter wants a tracer; alone it would get ENOSYS (seccomp(2)). */
	if (info.seccomp.ret_data != FILTER_TRACE_DATA) {
		tracer_skip_call(tracer, task, -ENOSYS);
		return resume(task, 0);
	}
	if (!task->entry_told &&
	    fill_call(task, &info, info.seccomp.nr, (const uint64_t *)info.seccomp.args))
		call_enter(tracer, task);
	return resume(task, 0);
}

static int on_syscall(struct tracer *tracer, struct task *task, struct stop stop)
{
	struct __ptrace_syscall_info info = { 0 };
	int result = get_info(task, &info);

	(void)stop;
	if (result)
		return result;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		task->entry_told = false;
		if (task->in_call)
			call_exit(tracer, task, info.exit.rval);
	} else if (info.op == PTRACE_SYSCALL_INFO_ENTRY && task->proc->follow_all) {
		task->entry_told = true;
		if (fill_call(task, &info, info.entry.nr, (const uint64_t *)info.entry.args))
			call_enter(tracer, task);
	}
	return resume(task, 0);
}

/* The flags of the clone(2) that a task is in. */
static uint64_t clone_flags(struct task *task)
{
	const struct abi *abi;
	struct regs regs;
	uint64_t flags = 0;
	int nr;

	if (regs_get(task->tid, &regs))
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

static void park(struct tracer *tracer, struct wait_item item)
{
	struct parked *parked = own_alloc(sizeof(*parked));

	*parked = (struct parked){ item.status, clock_monotonic() };
	free(map_put(&tracer->parked, (uint64_t)item.tid, parked));
}

/* The status that a task was parked with, 0 if it was not. */
static int unpark(struct tracer *tracer, pid_t tid)
{
	struct parked *parked auto_free = map_take(&tracer->parked, (uint64_t)tid);

	return parked ? parked->status : 0;
}

/* A task's first stop, once its creator is known. */
static int first_stop(struct tracer *tracer, struct task *task, int status)
{
	struct stop stop = stop_from_status(status);

	task->born = true;
	task->stopped = true;
	if (stop.kind == STOP_GROUP)
		return task_restart(task, PTRACE_LISTEN, 0);
	if (stop.kind != STOP_EVENT) {
		wait_push(tracer, task->tid, status);
		return 0;
	}
	task->at = AT_EXIT;
	widen_now(tracer, task);
	task->at = AT_OTHER;
	return resume(task, 0);
}

static int on_clone(struct tracer *tracer, struct task *parent, struct stop stop)
{
	uint64_t flags = clone_flags(parent);
	struct task *child;
	unsigned long tid;
	int parked;

	(void)stop;
	if (ptrace(PTRACE_GETEVENTMSG, parent->tid, 0, &tid) < 0)
		return -errno;
	if (!tracer_find_task(tracer, (pid_t)tid)) {
		child = task_add(tracer, (pid_t)tid,
				 flags & CLONE_THREAD ? parent->proc->pid : (pid_t)tid);
		if (!(flags & CLONE_THREAD)) {
			child->proc->wide = parent->proc->wide;
			child->proc->follow_all = parent->proc->follow_all;
			child->proc->widen_failed = parent->proc->widen_failed;
			if (parent->proc->multi_widened &&
			    !widen_was_inherited(parent->proc, child->tid)) {
				child->proc->wide = false;
				child->proc->widen_wanted = true;
			}
		}
		pin_inherit(tracer, parent, child);
		tracer->ops->fork(tracer->ctx, parent, child, flags);
		parked = unpark(tracer, (pid_t)tid);
		if (parked)
			first_stop(tracer, child, parked);
	}
	return resume(parent, 0);
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
			forget_task(tracer, task, 0);
	}
	if (former->tid != leader)
		task_rename(tracer, former, leader);
	former->stopped = true;
	if (leader == tracer->main_pid && !tracer->main_executed) {
		tracer->main_executed = true;
		tracer->no_new_privs = proc_status(leader, "NoNewPrivs") == 1;
	}
	tracer->ops->exec(tracer->ctx, former);
	return resume(former, 0);
}

static int on_exiting(struct tracer *tracer, struct task *task, struct stop stop)
{
	(void)stop;
	tell_drop(tracer, task);
	tracer->ops->exiting(tracer->ctx, task);
	return task_restart(task, PTRACE_CONT, 0);
}

static int on_group(struct tracer *tracer, struct task *task, struct stop stop)
{
	(void)tracer;
	(void)stop;
	return task_restart(task, PTRACE_LISTEN, 0);
}

static int on_event(struct tracer *tracer, struct task *task, struct stop stop)
{
	(void)tracer;
	(void)stop;
	return resume(task, 0);
}

static int on_signal(struct tracer *tracer, struct task *task, struct stop stop)
{
	(void)tracer;
	return resume(task, stop.code);
}

static int (*const stop_handlers[STOP_KINDS])(struct tracer *, struct task *, struct stop) = {
	[STOP_SECCOMP] = on_seccomp, [STOP_SYSCALL] = on_syscall, [STOP_FORK] = on_clone,
	[STOP_VFORK] = on_clone,     [STOP_CLONE] = on_clone,     [STOP_VFORK_DONE] = on_event,
	[STOP_EXEC] = on_exec,       [STOP_EXIT] = on_exiting,    [STOP_GROUP] = on_group,
	[STOP_EVENT] = on_event,     [STOP_SIGNAL] = on_signal,
};

/*
 * A creator that is killed in its clone never reports the child. What has been parked for too long
 * is taken in for what /proc says it is; a report that comes late finds it known.
 */
static void adopt_parked(struct tracer *tracer)
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

static void on_gone(struct tracer *tracer, pid_t tid, int status)
{
	struct task *task = tracer_find_task(tracer, tid);

	unpark(tracer, tid);
	if (tid == tracer->main_pid)
		tracer->main_status = status;
	if (task)
		forget_task(tracer, task, status);
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
		stop_handlers[stop.kind](tracer, task, stop);
	}
}

int tracer_run(struct tracer *tracer)
{
	struct wait_item item;
	int result;

	for (;;) {
		result = wait_fill(tracer);
		if (atomic_exchange(&tracer->kicked, false))
			tracer->ops->kicked(tracer->ctx);
		if (result && result != -EINTR)
			return result == -ECHILD ? 0 : result;
		while (wait_next(tracer, &item))
			dispatch(tracer, item);
		adopt_parked(tracer);
	}
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
	if (options->files)
		wide |= FILTER_WANT(WHEN_FILES);
	*(options->named ? &narrow : &wide) |= FILTER_WANT(WHEN_NAMED);
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
	MAP_FOR_EACH(node, &tracer->tasks)
		forget_task(tracer, map_value(node), 0);
	map_done(&tracer->tasks);
	map_done(&tracer->procs);
	MAP_FOR_EACH(parked, &tracer->parked)
		free(map_value(parked));
	map_done(&tracer->parked);
	filter_done(&tracer->narrow);
	filter_done(&tracer->wide);
	if (tracer->spawn_pipe >= 0)
		close(tracer->spawn_pipe);
	free(tracer->queue.items);
	free(tracer);
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
		send_signal((pid_t)map_key(node), sig, not_ours);
}

void tracer_kill_all(struct tracer *tracer)
{
	MAP_FOR_EACH(node, &tracer->procs)
		kill((pid_t)map_key(node), SIGKILL);
}

void tracer_get_stats(const struct tracer *tracer, struct tracer_stats *ret_stats)
{
	*ret_stats = tracer->stats;
}

bool tracer_needs_privilege(const struct tracer *tracer)
{
	return !tracer->no_new_privs;
}
