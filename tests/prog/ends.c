/*
 * Processes that end in odd ways. Argument: group (a thread ends the process, others are blocked in
 * receives), leader (the main thread ends first, the others go on), orphan (a child outlives its
 * parent), daemon (a grandchild in a session of its own does, and the main program is long gone).
 */
#include "expect.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS 8

static int fds[2];
static struct conn conns[2];
static pthread_barrier_t barrier;
static pid_t tids[THREADS];
static char got[100];

static void exchange(const char *text)
{
	check(write(fds[0], text, strlen(text)) == (ssize_t)strlen(text));
	want_data(&conns[0], fds[0], "write", text, strlen(text), "");
	check(read(fds[1], got, sizeof(got)) == (ssize_t)strlen(text));
	want_data(&conns[1], fds[1], "read", text, strlen(text), "");
}

static void open_pair(void)
{
	tcp_pair(AF_INET, fds);
	conns[0] = conn_of("0", fds[0]);
	conns[1] = conn_of("1", fds[1]);
}

static void want_exit(const char *how)
{
	want("'type':'process','pid':%d,'event':'exit',%s", getpid(), how);
}

static void *blocks(void *arg)
{
	char byte;

	tids[(pid_t *)arg - tids] = (pid_t)syscall(SYS_gettid);
	pthread_barrier_wait(&barrier);
	check(read(fds[1], &byte, 1) == -2);
	return NULL;
}

static void *ends_all(void *arg)
{
	for (int i = 0; i < THREADS; i++)
		await_blocked(tids[i]);
	await_blocked(getpid());
	check(write(fds[1], "the end", 7) == 7);
	want_data(&conns[1], fds[1], "write", "the end", 7, "");
	want_exit("'status':12");
	syscall(SYS_exit_group, 12);
	return arg;
}

static void group(void)
{
	pthread_t threads[THREADS + 1];
	char byte;

	exchange("before");
	check(!pthread_barrier_init(&barrier, NULL, THREADS + 1));
	for (int i = 0; i < THREADS; i++)
		check(!pthread_create(&threads[i], NULL, blocks, &tids[i]));
	pthread_barrier_wait(&barrier);
	check(!pthread_create(&threads[THREADS], NULL, ends_all, NULL));
	check(read(fds[1], &byte, 1) == -2);
}

/* In a process whose leader is a zombie. */
static void *goes_on(void *arg)
{
	char path[64], text[256] = "";
	int fd;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	while (!strstr(text, ") Z")) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		check(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
		close(fd);
	}
	exchange("old sockets");
	close(fds[0]);
	close(fds[1]);
	open_pair();
	conns[0].name = "2";
	conns[1].name = "3";
	exchange("new sockets");
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		want("'type':'process','pid':%d,'event':'fork','ppid':%d", getpid(), getppid());
		exchange("child");
		want_exit("'status':1");
		_exit(1);
	}
	check(await_end(pid) == 1 << 8);
	want_exit("'status':13");
	exit(13);
	return arg;
}

static void leader(void)
{
	pthread_t thread;

	exchange("leader");
	check(!pthread_create(&thread, NULL, goes_on, NULL));
	pthread_exit(NULL);
}

/* When its parent is gone, whoever inherits it. */
static void outlives(pid_t parent)
{
	while (getppid() == parent)
		sched_yield();
	for (int i = 0; i < 20; i++)
		exchange("orphan");
	want_exit("'status':0");
	_exit(0);
}

static void want_fork(pid_t parent)
{
	want("'type':'process','pid':%d,'event':'fork','ppid':%d", getpid(), parent);
}

static void orphan(void)
{
	pid_t own = getpid(), pid;

	exchange("parent");
	want_exit("'status':14");
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		want_fork(own);
		outlives(own);
	}
	_exit(14);
}

static void daemon_child(void)
{
	pid_t own = getpid(), pid;

	check(setsid() == own);
	want_exit("'status':0");
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		want_fork(own);
		check(!chdir("/"));
		/* Standard output stays, as the lines go there. */
		close(STDIN_FILENO);
		signal(SIGHUP, SIG_IGN);
		outlives(own);
	}
	_exit(0);
}

static void daemonise(void)
{
	pid_t own = getpid(), pid;

	want_exit("'status':15");
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		want_fork(own);
		daemon_child();
	}
	_exit(15);
}

int main(int argc, char **argv)
{
	check(argc == 2);
	settings("'types':['data','process'],'per':'pid'");
	want("'type':'process','pid':%d,'event':'start'", getpid());
	open_pair();
	if (!strcmp(argv[1], "group"))
		group();
	else if (!strcmp(argv[1], "leader"))
		leader();
	else if (!strcmp(argv[1], "orphan"))
		orphan();
	else
		daemonise();
	return 99;
}
