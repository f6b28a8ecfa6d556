/*
 * Starting a program: its process waits on a pipe until it is seized with all options, so no event
 * is missed; then it loads the filter and executes. Why it failed comes back on a second pipe.
 */
#include "base/own.h"
#include "tracer/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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

enum program_step { STEP_FILTER, STEP_USER, STEP_EXEC };

struct program_report {
	enum program_step step;
	int error;
};

static _Noreturn void program_fail(int report_fd, enum program_step step)
{
	struct program_report report = { step, errno };

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

static bool become_user(const struct spawn_user *user)
{
	return !user || (!setgroups(user->group_count, user->groups) && !setgid(user->gid) &&
			 !setuid(user->uid));
}

static void undo_ours(const struct spawn *spawn)
{
	setrlimit(RLIMIT_NOFILE, spawn->nofile);
	sigaction(SIGPIPE, spawn->sigpipe, NULL);
	sigprocmask(SIG_SETMASK, spawn->sigmask, NULL);
}

static _Noreturn void program_main(struct tracer *tracer, const struct spawn *spawn, int go_fd,
				   int report_fd)
{
	char wide = 0;

	/* The other side gave up: it has said why. */
	if (read(go_fd, &wide, 1) != 1)
		_exit(125);
	if (spawn->out_fd >= 0 && dup2(spawn->out_fd, STDOUT_FILENO) < 0)
		program_fail(report_fd, STEP_EXEC);
	undo_ours(spawn);
	if (load_filter(&tracer->narrow) || (wide == 'W' && load_filter(&tracer->wide)))
		program_fail(report_fd, STEP_FILTER);
	if (!become_user(spawn->user))
		program_fail(report_fd, STEP_USER);
	execvpe(spawn->argv[0], spawn->argv, spawn->envp);
	program_fail(report_fd, STEP_EXEC);
}

static int fail(struct spawn_error *ret_error, const char *what, int error)
{
	*ret_error = (struct spawn_error){ what, error };
	return -error;
}

/*
 * In the background the roles are changed: this process becomes the program, so that it is its own
 * parent's child and nothing is between them, and the new one the tracer.
 */
static pid_t fork_program(bool background, bool *ret_is_program)
{
	pid_t self = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	*ret_is_program = background ? pid != 0 : !pid;
	if (!background)
		return pid;
	if (pid)
		/* With Yama's ptrace_scope 1 only ancestors may trace, and whom we name. */
		prctl(PR_SET_PTRACER, pid, 0, 0, 0);
	else
		setsid();
	return self;
}

int tracer_prepare(struct tracer *tracer, const struct spawn *spawn, struct spawn_error *ret_error)
{
	int go[2], report[2];
	bool is_program = false;
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) || pipe2(report, O_CLOEXEC))
		return fail(ret_error, "pipe", errno);
	pid = fork_program(spawn->background, &is_program);
	if (pid < 0)
		return fail(ret_error, "fork", -pid);
	if (is_program) {
		close(go[1]);
		close(report[0]);
		program_main(tracer, spawn, go[0], report[1]);
	}
	close(go[0]);
	close(report[1]);
	tracer->thread = pthread_self();
	tracer->main_pid = pid;
	tracer->go_pipe = go[1];
	tracer->spawn_pipe = report[0];
	return 0;
}

void tracer_abandon(struct tracer *tracer)
{
	if (tracer->go_pipe < 0)
		return;
	close(tracer->go_pipe);
	tracer->go_pipe = -1;
	waitpid(tracer->main_pid, NULL, 0);
}

int tracer_start(struct tracer *tracer, const struct spawn *spawn, struct spawn_error *ret_error)
{
	pid_t pid = tracer->main_pid;
	struct task *task;
	bool wide;

	if (ptrace(PTRACE_SEIZE, pid, 0, SEIZE_OPTIONS) < 0) {
		int error = errno;

		tracer_abandon(tracer);
		return fail(ret_error, "seize", error);
	}
	/* Who has given up root cannot take another filter. */
	wide = spawn->user || spawn->owns_socket(spawn->ctx, pid);
	task = task_add(tracer, pid, pid);
	task->born = true;
	pin_inherit(tracer, NULL, task);
	task->proc->wide = wide;
	if (write(tracer->go_pipe, wide ? "W" : "N", 1) != 1)
		kill(pid, SIGKILL);
	close(tracer->go_pipe);
	tracer->go_pipe = -1;
	return 0;
}

static const char *const step_names[] = {
	[STEP_FILTER] = "filter", [STEP_USER] = "user", [STEP_EXEC] = "exec"
};

bool tracer_start_failed(struct tracer *tracer, struct spawn_error *ret_error)
{
	struct program_report report;

	if (!tracer->main_pid || tracer->main_executed)
		return false;
	if (tracer->spawn_pipe >= 0) {
		if (read(tracer->spawn_pipe, &report, sizeof(report)) == sizeof(report))
			tracer->spawn_error =
				(struct spawn_error){ step_names[report.step], report.error };
		close(tracer->spawn_pipe);
		tracer->spawn_pipe = -1;
	}
	*ret_error = tracer->spawn_error;
	return true;
}
