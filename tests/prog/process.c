/* Processes: start, fork, exec, exit by status and by signal; and their names. */
#include "expect.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char exe[4096], own_name[16];
static int fds[2];

static void want_process(const char *event, pid_t pid, const char *comm, const char *more)
{
	want("'type':'process','pid':%d,'tid':%d,'comm':'%s','event':'%s'%s%s", pid, pid, comm,
	     event, *more ? "," : "", more);
}

static void speak(const char *comm)
{
	struct conn conn = conn_of("0", fds[0]);
	char more[64];

	snprintf(more, sizeof(more), "'comm':'%s'", comm);
	check(write(fds[0], comm, strlen(comm)) == (ssize_t)strlen(comm));
	want_data(&conn, fds[0], "write", comm, strlen(comm), more);
}

static void *named_thread(void *arg)
{
	speak("a rather long n");
	check(!prctl(PR_SET_NAME, "of a thread"));
	speak("of a thread");
	return arg;
}

static void names(void)
{
	pthread_t thread;

	speak(own_name);
	check(!prctl(PR_SET_NAME, "renamed"));
	speak("renamed");
	/* 15 characters are kept. */
	check(!prctl(PR_SET_NAME, "a rather long name"));
	speak("a rather long n");
	check(prctl(PR_SET_NAME, (char *)page_end(1) + 1) == -1 && errno == EFAULT);
	check(!pthread_create(&thread, NULL, named_thread, NULL));
	check(!pthread_join(thread, NULL));
	check(!prctl(PR_SET_NAME, "renamed"));
	speak("renamed");
}

static pid_t forked(void)
{
	pid_t parent = getpid(), pid = fork();
	char more[64];

	check(pid >= 0);
	if (!pid) {
		snprintf(more, sizeof(more), "'ppid':%d,'exe':null,'argv':null", parent);
		want_process("fork", getpid(), "renamed", more);
	}
	return pid;
}

/* In the parent, when the child is gone. */
static void ended(pid_t pid, const char *comm, const char *how)
{
	await_end(pid);
	want_process("exit", pid, comm, how);
}

static void executes(void)
{
	static char *argv[] = { "other name", "", "a b", "\303\274", "x=\\y", NULL };
	static char *large[] = { "large", NULL, NULL };
	pid_t pid = forked();

	if (!pid) {
		execv(exe, argv);
		_exit(98);
	}
	ended(pid, own_name, "'status':21");
	pid = forked();
	if (!pid) {
		large[1] = calloc(1, 100001);
		check(large[1]);
		memset(large[1], 'x', 100000);
		execv(exe, large);
		_exit(98);
	}
	ended(pid, own_name, "'status':22");
	/* One that does not exist: no event. */
	pid = forked();
	if (!pid) {
		execv("/nonexistent", argv);
		_exit(errno == ENOENT ? 0 : 1);
	}
	ended(pid, "renamed", "'status':0");
}

int main(int argc, char **argv)
{
	char more[sizeof(exe) + 100];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	pid_t pid;

	check(len > 0 && !prctl(PR_GET_NAME, own_name));
	exe[len] = '\0';
	if (argc == 5) {
		snprintf(more, sizeof(more),
			 "'exe':'%s','argv':['other name','','a b','\303\274',"
			 "'x=\\\\y']",
			 exe);
		want_process("exec", getpid(), own_name, more);
		return 21;
	}
	if (argc == 2 && !strcmp(argv[0], "large")) {
		want("'type':'process','event':'exec','pid':%d,'exe':'%s'", getpid(), exe);
		return 22;
	}
	settings("'types':['data','process']");
	snprintf(more, sizeof(more), "'exe':'%s','argv':['%s']", exe, argv[0]);
	want_process("start", getpid(), own_name, more);
	udp_pair(AF_INET, fds);
	names();
	executes();
	pid = forked();
	if (!pid) {
		kill(getpid(), SIGTERM);
		_exit(98);
	}
	ended(pid, "renamed", "'signal':15");
	want_process("exit", getpid(), "renamed", "'status':255");
	return -1;
}
