/*
 * Seccomp's strict mode: read, write and exit, and nothing else, for the thread that asks for it.
 * Argument: prctl or seccomp (how it is asked for), refused (asked for wrongly, as libraries do to
 * learn what there is), thread (the others go on), killed (by what is forbidden).
 */
#include "expect.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int fds[2];

static void speak(const char *text)
{
	check(write(fds[0], text, strlen(text)) == (ssize_t)strlen(text));
}

static void want_write(pid_t tid, const char *text)
{
	want("'type':'data','pid':%d,'tid':%d,'call':'write','text':'%s'", getpid(), tid, text);
}

/* The line is written before, as the helpers make more calls than are allowed. */
static void strict(bool by_prctl)
{
	want_write(getpid(), "strict");
	if (by_prctl)
		check(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	else
		check(!syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
	speak("strict");
	syscall(SYS_exit, 3);
}

static void answer(const char *what, long ret)
{
	same("%s: %ld %d", what, ret, ret < 0 ? errno : 0);
}

static void refused(void)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { 1, &code };
	const uint32_t action = SECCOMP_RET_LOG;

	answer("flags", syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL));
	answer("arguments", syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, &program));
	answer("operation", syscall(SYS_seccomp, 77, 0, NULL));
	answer("flags of a filter", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0x8000, NULL));
	answer("no filter", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL));
	answer("action", syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
	answer("mode", prctl(PR_SET_SECCOMP, 77, NULL, 0, 0));
	answer("no filter by prctl", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0));
	check(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	check(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
	/* Whoever has a filter of its own cannot have this mode. */
	answer("behind a filter", prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	answer("behind a filter", syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
	want_write(getpid(), "refused");
	speak("refused");
}

static void *strict_thread(void *arg)
{
	want_write((pid_t)syscall(SYS_gettid), "strict");
	check(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	speak("strict");
	syscall(SYS_exit, 0);
	return arg;
}

static void thread(void)
{
	pthread_t other;

	check(!pthread_create(&other, NULL, strict_thread, NULL));
	check(!pthread_join(other, NULL));
	check(getppid() > 0 && !close(fds[1]));
	want_write(getpid(), "goes on");
	speak("goes on");
}

static void killed(void)
{
	pid_t pid = fork();
	int status;

	check(pid >= 0);
	if (!pid) {
		want_write(getpid(), "strict");
		check(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
		speak("strict");
		getppid();
		speak("too late");
		syscall(SYS_exit, 0);
	}
	status = await_end(pid);
	same("killed %d by %d", WIFSIGNALED(status), WTERMSIG(status));
}

int main(int argc, char **argv)
{
	check(argc == 2);
	udp_pair(AF_INET, fds);
	if (!strcmp(argv[1], "refused"))
		refused();
	else if (!strcmp(argv[1], "thread"))
		thread();
	else if (!strcmp(argv[1], "killed"))
		killed();
	else
		strict(!strcmp(argv[1], "prctl"));
	return 0;
}
