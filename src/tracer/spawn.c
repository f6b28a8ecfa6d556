/*
 * Starting a program: the child waits on a pipe until it is seized with all options, so no event is
 * missed; then it loads the filter and executes. Why it failed comes back on a second pipe.
 */
#include "base/own.h"
#include "tracer/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEIZE_OPTIONS                                                                             \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | \
	 PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL)

enum child_step { STEP_FILTER, STEP_EXEC };

struct child_report {
	enum child_step step;
	int error;
};

static _Noreturn void child_fail(int report_fd, enum child_step step)
{
	struct child_report report = { step, errno };

	if (write(report_fd, &report, sizeof(report)) < 0)
		_exit(126);
	_exit(report.error == ENOENT ? 127 : 126);
}

/*
 * Root needs no NO_NEW_PRIVS for a filter, and it would change what setuid programs do: it is set
 * only where the kernel demands it.
 */
static int load_filter(const struct sock_fprog *program)
{
	const unsigned int flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;

	if (!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program))
		return 0;
	if (errno != EACCES)
		return -1;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
}

static void reset_signals(const struct spawn *spawn)
{
	sigaction(SIGPIPE, spawn->sigpipe, NULL);
	sigprocmask(SIG_SETMASK, spawn->sigmask, NULL);
}

static _Noreturn void child_main(struct tracer *tracer, const struct spawn *spawn, int go_fd,
				 int report_fd)
{
	char wide = 0;

	if (read(go_fd, &wide, 1) != 1)
		_exit(125);
	if (spawn->out_fd >= 0 && dup2(spawn->out_fd, STDOUT_FILENO) < 0)
		child_fail(report_fd, STEP_EXEC);
	setrlimit(RLIMIT_NOFILE, spawn->nofile);
	reset_signals(spawn);
	if (load_filter(&tracer->narrow) || (wide == 'W' && load_filter(&tracer->wide)))
		child_fail(report_fd, STEP_FILTER);
	execvpe(spawn->argv[0], spawn->argv, spawn->envp);
	child_fail(report_fd, STEP_EXEC);
}

static int fail(struct spawn_error *ret_error, const char *what, int error)
{
	*ret_error = (struct spawn_error){ what, error };
	return -error;
}

pid_t tracer_spawn(struct tracer *tracer, const struct spawn *spawn, struct spawn_error *ret_error)
{
	int go[2], report[2];
	struct task *task;
	bool wide;
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) || pipe2(report, O_CLOEXEC))
		return fail(ret_error, "pipe", errno);
	pid = fork();
	if (pid < 0)
		return fail(ret_error, "fork", errno);
	if (!pid) {
		close(go[1]);
		close(report[0]);
		child_main(tracer, spawn, go[0], report[1]);
	}
	close(go[0]);
	close(report[1]);
	if (ptrace(PTRACE_SEIZE, pid, 0, SEIZE_OPTIONS) < 0) {
		int error = errno;

		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(go[1]);
		close(report[0]);
		return fail(ret_error, "seize", error);
	}
	wide = spawn->owns_socket(spawn->ctx, pid);
	task = task_add(tracer, pid, pid);
	task->born = true;
	pin_inherit(tracer, NULL, task);
	task->proc->wide = wide;
	tracer->main_pid = pid;
	tracer->spawn_pipe = report[0];
	if (write(go[1], wide ? "W" : "N", 1) != 1)
		kill(pid, SIGKILL);
	close(go[1]);
	return pid;
}

bool tracer_spawn_failed(struct tracer *tracer, struct spawn_error *ret_error)
{
	struct child_report report;

	if (!tracer->main_pid || tracer->main_executed)
		return false;
	if (tracer->spawn_pipe >= 0) {
		if (read(tracer->spawn_pipe, &report, sizeof(report)) == sizeof(report))
			tracer->spawn_error =
				(struct spawn_error){ report.step == STEP_EXEC ? "exec" : "filter",
						      report.error };
		close(tracer->spawn_pipe);
		tracer->spawn_pipe = -1;
	}
	*ret_error = tracer->spawn_error;
	return true;
}
