#include "tracer/inject.h"

#include "tracer/engine.h"
#include "tracer/rescue.h"
#include "tracer/stop.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

/* -ERESTARTSYS, -ERESTARTNOINTR, -ERESTARTNOHAND, -ERESTART_RESTARTBLOCK (linux/errno.h). */
static bool is_restart(int64_t ret)
{
	return ret == -512 || ret == -513 || ret == -514 || ret == -516;
}

static uint64_t restart_number(const struct inject *inject)
{
	if (regs_ret(&inject->saved) == -516)
		return (uint64_t)abi_nr(inject->abi, "restart_syscall");
	return regs_call_nr(&inject->saved);
}

static bool is_behind_call(const struct inject *inject)
{
	enum task_at at = inject->task->at;

	return at == TASK_AT_EXIT ||
	       (at == TASK_AT_ANY && (int64_t)regs_call_nr(&inject->saved) >= 0);
}

/* What the task goes on with once a call was made. */
static struct regs home_of(const struct inject *inject)
{
	struct regs regs = inject->saved;

	if (inject->task->at == TASK_AT_ENTRY)
		regs_rewind(&regs, regs_call_nr(&inject->saved));
	/*
	 * Behind a call that the kernel was to restart: it looks for that only on its way from a
	 * signal, and would let the number through to the program.
	 */
	if (is_behind_call(inject) && is_restart(regs_ret(&inject->saved)))
		regs_rewind(&regs, restart_number(inject));
	return regs;
}

int inject_begin(struct inject *inject, struct tracer *tracer, struct task *task)
{
	const uint64_t all = ~0ULL;
	struct regs home;
	int result;

	*inject = (struct inject){ .tracer = tracer, .task = task };
	result = task_get_regs(task, &inject->saved);
	if (result)
		return result;
	inject->abi = regs_abi(&inject->saved);
	/* The kernel's sigset_t is 8 bytes (PTRACE_GETSIGMASK, Linux 3.11). */
	if (ptrace(PTRACE_GETSIGMASK, task->tid, sizeof(inject->sigmask), &inject->sigmask) < 0)
		return -errno;
	home = home_of(inject);
	if (rescue_begin(tracer, task, &home, inject->sigmask, &inject->perch))
		inject->perch = 0;
	if (task->at == TASK_AT_ANY && !inject->perch)
		return -EOPNOTSUPP;
	return ptrace(PTRACE_SETSIGMASK, task->tid, sizeof(all), &all) < 0 ? -errno : 0;
}

/*
 * Restarts with PTRACE_SYSCALL until the next syscall-stop. Signals are blocked, but SIGSTOP and
 * group-stops cannot be: they are put off to the end.
 */
static int run_to_syscall_stop(struct inject *inject)
{
	struct task *task = inject->task;
	struct stop stop;
	int status, result;

	for (;;) {
		result = task_restart(task, PTRACE_SYSCALL, 0);
		if (!result)
			result = wait_task(inject->tracer, task, &status);
		if (result)
			return result;
		stop = stop_from_status(status);
		if (stop.kind == STOP_SYSCALL)
			return 0;
		if (stop.kind == STOP_SIGNAL && stop.code == SIGSTOP)
			inject->stopsig = true;
		if (stop.kind == STOP_GROUP)
			inject->group = true;
	}
}

/* The same from the perch. A call of its own that it stands in front of is left out. */
static int stand_on_perch(struct inject *inject, struct regs *regs, int nr)
{
	struct task *task = inject->task;
	int result;

	regs_rewind(regs, (uint64_t)nr);
	regs_set_ip(regs, inject->perch);
	if (task->at == TASK_AT_ENTRY && !inject->begun) {
		result = regs_change_call(task->tid, regs, (uint64_t)-1);
		if (!result)
			result = regs_set(task->tid, regs);
		if (!result)
			result = run_to_syscall_stop(inject);
		if (result)
			return result;
	}
	result = regs_set(task->tid, regs);
	return result ? result : run_to_syscall_stop(inject);
}

/* Brings the task to a call's entry, with the arguments in place. */
static int stand_in_front(struct inject *inject, struct regs *regs, int nr)
{
	struct task *task = inject->task;
	int result;

	if (task->at == TASK_AT_ENTRY && !inject->begun) {
		result = regs_change_call(task->tid, regs, (uint64_t)nr);
		return result ? result : regs_set(task->tid, regs);
	}
	regs_rewind(regs, (uint64_t)nr);
	/* There already. */
	if (task->at == TASK_AT_FRONT)
		regs_set_ip(regs, regs_ip(&inject->saved));
	result = regs_set(task->tid, regs);
	return result ? result : run_to_syscall_stop(inject);
}

int inject_call(struct inject *inject, int nr, const uint64_t args[6], int64_t *ret_result)
{
	struct regs regs = inject->saved;
	int result;

	for (unsigned int i = 0; i < 6; i++)
		regs_set_call_arg(&regs, i, args[i]);
	result = inject->perch ? stand_on_perch(inject, &regs, nr)
			       : stand_in_front(inject, &regs, nr);
	inject->begun = true;
	if (!result)
		result = run_to_syscall_stop(inject);
	if (!result)
		result = regs_get(inject->task->tid, &regs);
	if (!result)
		*ret_result = regs_ret(&regs);
	return result;
}

static int leave(struct inject *inject, const struct regs *regs)
{
	struct task *task = inject->task;
	int result = inject->begun ? regs_set(task->tid, regs) : 0;

	if (ptrace(PTRACE_SETSIGMASK, task->tid, sizeof(inject->sigmask), &inject->sigmask) < 0 &&
	    !result)
		result = -errno;
	if (inject->perch)
		rescue_end(inject->tracer, task);
	if (inject->stopsig)
		syscall(SYS_tgkill, task->proc->pid, task->tid, SIGSTOP);
	if (inject->group)
		ptrace(PTRACE_INTERRUPT, task->tid, 0, 0);
	return result;
}

int inject_end(struct inject *inject)
{
	struct task *task = inject->task;
	struct regs regs = home_of(inject);

	if (task->at == TASK_AT_ENTRY && inject->begun) {
		task->retry = true;
		task->at = TASK_AT_FRONT;
	}
	return leave(inject, &regs);
}

int inject_end_call(struct inject *inject, int64_t ret)
{
	struct regs regs = inject->saved;

	regs_set_ret(&regs, ret);
	inject->task->retry = true;
	inject->task->at = TASK_AT_EXIT;
	return leave(inject, &regs);
}
