/* Entries and exits of calls: what the kernel says of them, and who is told. */
#include "abi/regs.h"
#include "base/clock.h"
#include "base/proc.h"
#include "tracer/catcher.h"
#include "tracer/engine.h"
#include "tracer/filter.h"
#include "tracer/mem.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct own_handler *const own_handlers[OPS] = {
	[OP_GET_AFFINITY] = &pin_get_handler,
	[OP_SET_AFFINITY] = &pin_set_handler,
	[OP_CLONE] = &untraced_handler,
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

int task_get_regs(const struct task *task, struct regs *ret_regs)
{
	uint8_t code[2];
	int result = regs_get(task->tid, ret_regs);

	if (!result && !mem_read_all(task->tid, regs_ip(ret_regs) - 2, code, sizeof(code)) &&
	    regs_is_narrow_call(code))
		regs_set_narrow(ret_regs, true);
	return result;
}

void call_drop(struct tracer *tracer, struct task *task)
{
	if (task->suspended || (task->in_call && !own_handlers[task->call.row->op]))
		tracer->ops->drop(tracer->ctx, task);
	task->in_call = task->suspended = false;
}

void tracer_suspend_call(struct tracer *tracer, struct task *task)
{
	call_drop(tracer, task);
	task->call.entered = clock_monotonic();
	task->suspended = tell_enter(tracer, task);
}

/* An entry, of whichever kind of stop. */
static void call_enter(struct tracer *tracer, struct task *task)
{
	task->at = TASK_AT_ENTRY;
	task->retry = false;
	task->call.entered = clock_monotonic();
	widen_now(tracer, task);
	if (!task->retry && tell_enter(tracer, task))
		task->in_call = true;
	if (task->retry) {
		call_drop(tracer, task);
		task->entry_told = false;
	}
	task->at = TASK_AT_OTHER;
}

/* -ERESTARTSYS to -ERESTART_RESTARTBLOCK (linux/errno.h): what the program gets is decided later. */
static bool is_restart(int64_t ret)
{
	return ret <= -512 && ret >= -516;
}

static void call_exit(struct tracer *tracer, struct task *task, int64_t ret)
{
	task->in_call = false;
	if (is_restart(ret)) {
		task->suspended = !own_handlers[task->call.row->op];
		return;
	}
	task->at = TASK_AT_EXIT;
	task->call.ret = ret;
	tell_exit(tracer, task);
	task->at = TASK_AT_OTHER;
}

void call_cut_off(struct tracer *tracer, struct task *task)
{
	struct regs regs;

	/* -ENOSYS: it had not begun; -EINTR and the like: nothing was moved. */
	if (task->in_call && !regs_get(task->tid, &regs) && regs_ret(&regs) >= 0)
		call_exit(tracer, task, regs_ret(&regs));
	call_drop(tracer, task);
}

static int get_info(struct task *task, struct __ptrace_syscall_info *info)
{
	/* Linux 5.3. */
	long got = ptrace((enum __ptrace_request)PTRACE_GET_SYSCALL_INFO, task->tid, sizeof(*info),
			  info);

	return got < 0 ? -errno : 0;
}

bool call_is_entered(struct task *task)
{
	struct __ptrace_syscall_info info = { 0 };

	return !get_info(task, &info) && info.op == PTRACE_SYSCALL_INFO_ENTRY;
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

static bool fill_call(struct tracer *tracer, struct task *task,
		      const struct __ptrace_syscall_info *info, uint64_t nr, const uint64_t *args)
{
	struct call *call = &task->call;

	/* Its call of before is made again, or was; a handler of the program's may also be at work in it. */
	call_drop(tracer, task);
	call->abi = abi_find(info->arch, nr);
	if (!call->abi)
		return false;
	call->nr = nr;
	call->ip = info->instruction_pointer;
	call->sp = info->stack_pointer;
	memcpy(call->args, args, sizeof(call->args));
	call->row =
		abi_is_socketcall(call->abi, nr) ? unpack_socketcall(task) : abi_row(call->abi, nr);
	return call->row && tracer->wanted & FILTER_WANT(call->row->when) &&
	       sys_row_holds(call->row, call->args);
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

int on_seccomp(struct tracer *tracer, struct task *task, struct stop stop)
{
	struct __ptrace_syscall_info info = { 0 };
	int result = get_info(task, &info);

	(void)stop;
	if (result)
		return result;
	if (info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return task_resume(tracer, task, 0);
	/* Strict mode ends who does this (seccomp(2)). */
	if (info.seccomp.ret_data == FILTER_STRICT_DATA) {
		syscall(SYS_tgkill, task->proc->pid, task->tid, SIGKILL);
		return task_resume(tracer, task, 0);
	}
	/* The program's own filter wants a tracer; alone it would get ENOSYS (seccomp(2)). */
	if (info.seccomp.ret_data != FILTER_TRACE_DATA) {
		tracer_skip_call(tracer, task, -ENOSYS);
		return task_resume(tracer, task, 0);
	}
	if (!task->entry_told &&
	    fill_call(tracer, task, &info, info.seccomp.nr, (const uint64_t *)info.seccomp.args))
		call_enter(tracer, task);
	return task_resume(tracer, task, 0);
}

void tracer_ask(struct task *task)
{
	task->asked = true;
}

/*
 * SECCOMP_RET_TRAP puts the call's number where its result would be, and sends SIGSYS: the call was
 * not made (kernel/seccomp.c).
 */
static bool was_trapped(const struct task *task, int64_t ret)
{
	return ret == (int64_t)task->call.nr && task_has_pending(task->tid, SIGSYS);
}

/* A number of another ABI's is of another call, which is no harm. */
static void look_at_mask(struct task *task)
{
	struct regs regs;

	if (regs_get(task->tid, &regs) || regs_call_nr(&regs) != SYS_rt_sigprocmask) {
		if (task->starting)
			task->starting--;
		return;
	}
	catcher_unmask(task);
	task->starting = 0;
}

int on_syscall(struct tracer *tracer, struct task *task, struct stop stop)
{
	struct __ptrace_syscall_info info = { 0 };
	int result = get_info(task, &info);

	(void)stop;
	if (result)
		return result;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		task->entry_told = false;
		if (task->starting || task->call.nr == SYS_rt_sigprocmask)
			look_at_mask(task);
		/* No other stop comes of the interrupt that has ended it (ptrace_stop of kernel/signal.c). */
		if (attach_undo_interrupt(task))
			call_drop(tracer, task);
		else if (task->in_call && was_trapped(task, info.exit.rval))
			call_drop(tracer, task);
		else if (task->in_call)
			call_exit(tracer, task, info.exit.rval);
		/* Where no signal comes the kernel makes it again at once, behind the breakpoint. */
		task->asked = task->suspended && task->proc->told_inside;
	} else if (info.op == PTRACE_SYSCALL_INFO_ENTRY &&
		   (task->asked || task->proc->follow_all) && !task->detach) {
		task->entry_told = true;
		task->asked = false;
		if (fill_call(tracer, task, &info, info.entry.nr,
			      (const uint64_t *)info.entry.args))
			call_enter(tracer, task);
		/* It will be made again. */
		task->asked = task->retry && task->proc->told_inside;
	}
	return task_resume(tracer, task, 0);
}

/* The program has a handler for the signal. */
static bool is_caught(pid_t tid, int sig)
{
	struct proc_signals signals;

	return !proc_signals(tid, &signals) && signals.caught & PROC_SIGNAL(sig);
}

/*
 * It stands behind its interrupted call, or in front of it (aarch64). Else the call was made again inside the
 * process, where we do not see it, after a signal that was not delivered here.
 */
static bool is_at_call(const struct task *task)
{
	struct regs regs;

	return !regs_get(task->tid, &regs) && task->call.ip - regs_ip(&regs) <= 4 &&
	       regs_sp(&regs) == task->call.sp;
}

/*
 * A signal is about to be delivered to a task whose call it has interrupted. Whether the call is made
 * again or fails with EINTR is the handler's SA_RESTART, which shows in the frame that the kernel makes
 * for it: so the task is stopped once more when it has. True if that was begun.
 */
bool call_step_into_handler(struct tracer *tracer, struct task *task, int sig)
{
	if (task->suspended && !is_at_call(task))
		call_drop(tracer, task);
	if (!task->suspended || !is_caught(task->tid, sig))
		return false;
	task->stepping = true;
	task_restart(task, PTRACE_SINGLESTEP, sig);
	return true;
}

/* It stands at the handler's first instruction. */
void call_at_handler(struct tracer *tracer, struct task *task)
{
	int64_t ret = 0;
	struct regs regs;
	size_t size;
	int offset;

	task->stepping = false;
	if (regs_get(task->tid, &regs))
		return;
	offset = regs_signal_frame_ret(&regs, &size);
	if (offset < 0 || mem_read_all(task->tid, regs_sp(&regs) + (uint64_t)offset, &ret, size))
		return;
	if (size == sizeof(int32_t))
		ret = (int32_t)ret;
	if (ret != -EINTR)
		return;
	task->suspended = false;
	task->call.ret = -EINTR;
	tell_exit(tracer, task);
}
