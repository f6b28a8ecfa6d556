/*
 * SIGSTOP and SIGCONT to a child: its parent sees it stop and go on. Argument: blocked (in a
 * receive, which goes on, too), early (at any moment of its first socket call).
 */
#include "expect.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int fds[2];

static void *hears(void *arg)
{
	const char *name = arg;
	struct conn conn = conn_of(name, fds[1]);
	char got[100];

	check(read(fds[1], got, sizeof(got)) == 5);
	want_data(&conn, fds[1], "read", got, 5, "");
	return arg;
}

/* All its threads stop. */
static void child(void)
{
	static char name[] = "child";
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		check(!pthread_create(&threads[i], NULL, hears, name));
	for (int i = 0; i < 4; i++)
		check(!pthread_join(threads[i], NULL));
	_exit(9);
}

static void stop_and_go(pid_t pid, int stop)
{
	int status;

	check(!kill(pid, stop));
	check(waitpid(pid, &status, WUNTRACED) == pid);
	same("stopped %d by %d", WIFSTOPPED(status), WSTOPSIG(status));
	check(!waitpid(pid, &status, WNOHANG | WUNTRACED | WCONTINUED));
	check(!kill(pid, SIGCONT));
	check(waitpid(pid, &status, WCONTINUED) == pid);
	same("goes on %d", WIFCONTINUED(status));
}

/* What iotrace had to do about the stop is done when a call of ours is. */
static bool is_stopped(pid_t pid)
{
	char path[64];
	struct dirent *entry;
	bool stopped = true;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	check(tasks);
	while ((entry = readdir(tasks)))
		if (entry->d_name[0] != '.')
			stopped &= strchr("TtXZ", thread_state(atoi(entry->d_name))) != NULL;
	closedir(tasks);
	return stopped;
}

static void opens_socket(int until)
{
	char byte;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_storage ss;
	socklen_t len = loopback(AF_INET, 9, &ss);

	check(!read(until, &byte, 1));
	check(sendto(fd, "early", 5, 0, (struct sockaddr *)&ss, len) == 5);
	want("'type':'data','pid':%d,'tid':%d,'call':'sendto','text':'early'", getpid(), getpid());
	_exit(0);
}

static void early(int round)
{
	int until[2], status;
	pid_t pid;

	check(!pipe(until));
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		close(until[1]);
		opens_socket(until[0]);
	}
	close(until[0]);
	for (volatile int i = 0; i < round * 1500; i++)
		continue;
	check(!kill(pid, SIGSTOP));
	check(waitpid(pid, &status, WUNTRACED) == pid);
	check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	check(!kill(pid, SIGCONT));
	check(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
	close(until[1]);
	check(!await_end(pid));
}

static void blocked(void)
{
	struct conn conn;
	siginfo_t info;
	int status;
	pid_t pid;

	udp_pair(AF_INET, fds);
	conn = conn_of("parent", fds[0]);
	pid = fork();
	check(pid >= 0);
	if (!pid)
		child();
	/* SIGTSTP stops nobody in a group that has no parent in its session. */
	check(!setpgid(pid, pid));
	await_blocked(pid);
	stop_and_go(pid, SIGSTOP);
	stop_and_go(pid, SIGTSTP);
	await_blocked(pid);
	for (int i = 0; i < 2; i++) {
		check(write(fds[0], "hello", 5) == 5);
		want_data(&conn, fds[0], "write", "hello", 5, "");
	}
	/* What arrives while it is stopped stays for later. */
	check(!kill(pid, SIGSTOP));
	check(!waitid(P_PID, (id_t)pid, &info, WSTOPPED));
	same("code %d status %d", info.si_code, info.si_status);
	check(write(fds[0], "hello", 5) == 5);
	want_data(&conn, fds[0], "write", "hello", 5, "");
	check(is_stopped(pid));
	check(!kill(pid, SIGCONT));
	check(!waitid(P_PID, (id_t)pid, &info, WCONTINUED));
	same("code %d status %d", info.si_code, info.si_status);
	/* Its last one: it may end only now. */
	check(write(fds[0], "hello", 5) == 5);
	want_data(&conn, fds[0], "write", "hello", 5, "");
	status = await_end(pid);
	same("exit %d status %d", WIFEXITED(status), WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	check(argc == 2);
	settings("'per':'tid'");
	if (!strcmp(argv[1], "blocked"))
		blocked();
	for (int i = 0; strcmp(argv[1], "blocked") && i < 150; i++)
		early(i);
	return 0;
}
