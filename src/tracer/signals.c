/*
 * Signals for a whole process. The kernel wakes its main thread for them (complete_signal), but whichever
 * thread comes by takes them, and our stops make threads come by: at each the kernel looks whether something
 * is queued. So what another thread has taken is sent to the main one, as a signal of that thread's own, and
 * is given back what it carried when it is about to be delivered.
 */
#include "base/own.h"
#include "base/proc.h"
#include "tracer/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

/* In si_errno of what we have sent: "iotr". */
#define MARK 0x696f7472

/* A main thread's, that have not arrived yet; older ones lose what they carried but for their sender. */
#define PASSED_MAX 32

struct passed {
	int next; /* number of the next one; infos by number, which the signal carries as its value */
	struct {
		int number;
		siginfo_t info; /* si_signo 0: none */
	} infos[PASSED_MAX];
};

bool task_has_pending(pid_t tid, int sig)
{
	struct proc_signals signals;

	return !proc_signals(tid, &signals) && signals.own & PROC_SIGNAL(sig);
}

/*
 * SI_USER is kill(2)'s, but the kernel also sends a thread SIGPIPE and SIGXFSZ so. Faults and job control
 * stay where they are.
 */
static bool is_sent_to_process(int sig)
{
	switch (sig) {
	case SIGPIPE:
	case SIGXFSZ:
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
	case SIGTRAP:
	case SIGSYS:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
	case SIGCONT:
		return false;
	default:
		return true;
	}
}

/*
 * The terminal's, and setitimer(ITIMER_REAL)'s. Clocks of processor time wake the thread that uses it, SIGIO
 * and SIGURG the one that fcntl(F_SETOWN_EX) names.
 */
static bool is_kernels_to_process(int sig)
{
	return sig == SIGALRM || sig == SIGINT || sig == SIGQUIT || sig == SIGHUP ||
	       sig == SIGWINCH;
}

/*
 * What the kernel would wake the main thread for. Not SI_QUEUE, which is a thread's own, too (pthread_sigqueue),
 * nor SI_TIMER, for which it takes whichever thread is running.
 */
static bool is_for_main(const struct proc *proc, const siginfo_t *info)
{
	if (info->si_code == SI_USER)
		return is_sent_to_process(info->si_signo);
	if (info->si_code == SI_KERNEL)
		return is_kernels_to_process(info->si_signo);
	/* The end of a child is told to the thread that made it. */
	return info->si_signo == SIGCHLD && info->si_code > 0 && !proc->threads_fork;
}

static bool is_passed(const siginfo_t *info)
{
	return info->si_code == SI_QUEUE && info->si_errno == MARK;
}

static bool waits_passed(const struct proc *proc, int sig)
{
	for (int i = 0; proc->passed && i < PASSED_MAX; i++)
		if (proc->passed->infos[i].info.si_signo == sig)
			return true;
	return false;
}

/* It is here: what it was. */
static void unwrap(struct task *task, siginfo_t *info)
{
	struct passed *passed = task->proc->passed;
	int number = info->si_value.sival_int, i = number & (PASSED_MAX - 1);

	if (!is_passed(info) || !passed || passed->infos[i].number != number ||
	    passed->infos[i].info.si_signo != info->si_signo)
		return;
	*info = passed->infos[i].info;
	passed->infos[i].info.si_signo = 0;
	ptrace(PTRACE_SETSIGINFO, task->tid, 0, info);
}

/* As another process cannot send what only the kernel sends. */
static int send_wrapped(struct proc *proc, const siginfo_t *info)
{
	siginfo_t wrapped = { .si_signo = info->si_signo, .si_code = SI_QUEUE, .si_errno = MARK };
	struct passed *passed;
	int i;

	if (!proc->passed)
		proc->passed = own_zalloc(sizeof(*proc->passed));
	passed = proc->passed;
	i = passed->next & (PASSED_MAX - 1);
	wrapped.si_pid = info->si_pid;
	wrapped.si_uid = info->si_uid;
	wrapped.si_value.sival_int = passed->next;
	if (syscall(SYS_rt_tgsigqueueinfo, proc->pid, proc->pid, info->si_signo, &wrapped))
		return -errno;
	passed->infos[i].number = passed->next;
	passed->infos[i].info = *info;
	passed->next = (int)((unsigned int)passed->next + 1);
	return 0;
}

bool signal_pass_on(const struct tracer *tracer, struct task *task, int sig)
{
	struct task *main = tracer_find_task(tracer, task->proc->pid);
	struct proc_signals signals;
	siginfo_t info;

	if (ptrace(PTRACE_GETSIGINFO, task->tid, 0, &info))
		return false;
	unwrap(task, &info);
	if (!main || main == task || !main->born || main->dying || info.si_signo != sig ||
	    !is_for_main(task->proc, &info) || proc_signals(main->tid, &signals))
		return false;
	/* Where there is no handler, either thread will do. */
	if (!(signals.caught & ~signals.blocked & PROC_SIGNAL(sig)))
		return false;
	/* It is one with another that was passed on, as it would be; a thread's own is not one with it. */
	if (sig < SIGRTMIN && signals.own & PROC_SIGNAL(sig))
		return waits_passed(task->proc, sig);
	return !send_wrapped(task->proc, &info);
}

bool signal_is_ignored(const struct task *task, int sig)
{
	struct proc_signals signals;

	/* One that continues has woken them before it is ignored. */
	if (sig == SIGCONT || proc_signals(task->tid, &signals))
		return false;
	if (sig == SIGCHLD || sig == SIGURG || sig == SIGWINCH)
		return !(signals.caught & PROC_SIGNAL(sig));
	return signals.ignored & PROC_SIGNAL(sig);
}

bool signal_is_due(const struct task *task)
{
	struct proc_signals signals;

	if (!task->proc->passed || task->tid != task->proc->pid ||
	    proc_signals(task->tid, &signals))
		return false;
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		if (signals.own & ~signals.blocked & PROC_SIGNAL(sig) &&
		    waits_passed(task->proc, sig))
			return true;
	return false;
}

void signal_give_back(const struct task *task)
{
	struct __ptrace_peeksiginfo_args one = { .nr = 1 };
	siginfo_t info;

	if (!task->proc->passed || task->tid != task->proc->pid)
		return;
	for (; ptrace(PTRACE_PEEKSIGINFO, task->tid, &one, &info) == 1; one.off++)
		if (is_passed(&info) &&
		    syscall(SYS_rt_sigqueueinfo, task->proc->pid, info.si_signo, &info))
			kill(task->proc->pid, info.si_signo);
}
