/*
 * A process that executes another program keeps its sockets, but for those marked close-on-exec.
 * Argument: leader or thread, for who calls exec; the program executes itself with more arguments.
 */
#include "expect.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char **arguments;
static int fds[3], fd_to_child[2];
static struct conn conns[3];
static char got[100];

static void uses(int fd, const struct conn *conn, const char *text)
{
	struct sockaddr_storage ss;
	socklen_t len = local_address(fd, &ss);

	check(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&ss, len) ==
	      (ssize_t)strlen(text));
	want("'type':'data','pid':%d,'call':'sendto','fd':%d,'conn':'%s','text':'%s'", getpid(), fd,
	     conn->name, text);
	check(read(fd, got, sizeof(got)) == (ssize_t)strlen(text));
	want_data(conn, fd, "read", text, strlen(text), "");
}

/* Has the one that is shared, and for longer than the parent. */
static void child(void)
{
	close(fd_to_child[1]);
	check(read(fd_to_child[0], got, 1) == 1);
	uses(fds[1], &conns[1], "child");
	_exit(0);
}

static void execute(void)
{
	char numbers[3][16];
	char *argv[] = { arguments[0], arguments[1], numbers[0], numbers[1], numbers[2], NULL };
	const int values[3] = { fds[0], fds[2], fd_to_child[1] };

	for (int i = 0; i < 3; i++)
		snprintf(numbers[i], sizeof(numbers[i]), "%d", values[i]);
	execv("/proc/self/exe", argv);
	check(false);
}

static void *execute_in_thread(void *arg)
{
	/* The leader is in a call that exec ends: no event. */
	await_blocked(getpid());
	execute();
	return arg;
}

static int after(char **argv)
{
	int kept = atoi(argv[2]), marked = atoi(argv[3]), to_child = atoi(argv[4]);
	struct conn conn = conn_of("kept", kept);

	want("'type':'socket','pid':%d,'event':'close','fd':%d,'conn':'marked'", getpid(), marked);
	check(fcntl(marked, F_GETFD) == -1);
	uses(kept, &conn, "after");
	check(write(to_child, "", 1) == 1);
	check(wait(NULL) > 0);
	want("'type':'socket','event':'close','conn':'shared'");
	uses(kept, &conn, "end");
	want_socket(&conn, kept, "close", "");
	return 4;
}

static void opened(int i, const char *name, int flags)
{
	fds[i] = udp_bound(AF_INET);
	conns[i] = conn_of(name, fds[i]);
	check(!fcntl(fds[i], F_SETFD, flags));
	want("'type':'socket','event':'open','fd':%d,'conn':'%s'", fds[i], name);
	want("'type':'socket','event':'bind','fd':%d,'conn':'%s'", fds[i], name);
}

int main(int argc, char **argv)
{
	pthread_t thread;
	pid_t pid;

	check(argc >= 2);
	arguments = argv;
	if (argc > 2)
		return after(argv);
	settings("'types':['data','socket']");
	opened(0, "kept", 0);
	opened(1, "shared", FD_CLOEXEC);
	check(!pipe(fd_to_child));
	pid = fork();
	check(pid >= 0);
	if (!pid)
		child();
	opened(2, "marked", FD_CLOEXEC);
	for (int i = 0; i < 3; i++)
		uses(fds[i], &conns[i], "before");
	if (!strcmp(argv[1], "leader"))
		execute();
	check(!pthread_create(&thread, NULL, execute_in_thread, NULL));
	check(read(fds[0], got, sizeof(got)) == -2);
	return 1;
}
