/*
 * Connections that the agent accepts, and shuts down: each is an event, at whatever moment a signal, another
 * thread or the end comes. Argument: few_stops, restart, interrupt (signals
 * during accept), cancelled, forked.
 */
#include "tapped.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static int listener;
static struct sockaddr_storage where;
static socklen_t where_len;

/* What is compared: its events, and those of what it has accepted. */
static void listens(const char *more)
{
	char local[ADDRESS_MAX];

	listener = tcp_listener(AF_INET);
	where_len = local_address(listener, &where);
	settings("'types':['data','socket'],'local':'%s'%s", local_text(listener, local), more);
	want("'type':'socket','event':'bind'");
	want("'type':'socket','event':'listen'");
}

/* Its socket is an event, too: of no interest here. */
static int connects(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	check(fd >= 0 && !connect(fd, (const struct sockaddr *)&where, where_len));
	return fd;
}

static void want_accepted(const struct conn *conn, int fd)
{
	want("'type':'socket','event':'accept','fd':%d,'conn':'%s','local':'%s','remote':'%s'", fd,
	     conn->name, conn->local, conn->remote);
}

/* What it says, it says to the one that was accepted last. */
static void talks(int client, int server, const struct conn *conn)
{
	char got[10];

	check(write(client, "question", 8) == 8);
	check(read(server, got, sizeof(got)) == 8);
	want("'type':'data','fd':%d,'conn':'%s','dir':'in','text':'question'", server, conn->name);
	check(!shutdown(server, SHUT_WR));
	want("'type':'socket','event':'shutdown','fd':%d,'conn':'%s','how':'write'", server,
	     conn->name);
	check(read(client, got, sizeof(got)) == 0);
}

/* A number that a file had before, which is closed without a stop: it is a socket now. */
static void few_stops(void)
{
	listens(",'stops':1150,'tap':200");
	check(!fcntl(listener, F_SETFL, O_NONBLOCK));
	for (int i = 0; i < 100; i++) {
		int client = connects(), file = open("/dev/null", O_RDWR), server;
		char name[32];
		struct conn conn;

		check(write(file, "", 1) == 1 && !close(file));
		server = i % 2 ? accept(listener, NULL, NULL)
			       : accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		check(server == file);
		snprintf(name, sizeof(name), "server %d", i);
		conn = conn_of(name, server);
		want_accepted(&conn, server);
		talks(client, server, &conn);
		for (int again = 0; again < 10; again++)
			check(accept(listener, NULL, NULL) == -1 && errno == EAGAIN);
		want("'type':'socket','event':'close','fd':%d,'conn':'%s'", server, conn.name);
		check(!close(server) && !close(client));
	}
}

/* -- a thread that accepts, another that connects */

#define TIMES 150

static atomic_int ticks, interrupted;

static void tick(int sig)
{
	(void)sig;
	atomic_fetch_add(&ticks, 1);
}

static void *connects_often(void *arg)
{
	const struct timespec pause = { .tv_nsec = 500000 };
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	for (int i = 0; i < TIMES; i++) {
		/* So that the other one is in the call, mostly. */
		nanosleep(&pause, NULL);
		close(connects());
	}
	return arg;
}

static int accepts(struct sockaddr_storage *peer)
{
	socklen_t len = sizeof(*peer);
	int fd;

	while ((fd = accept(listener, (struct sockaddr *)peer, &len)) < 0) {
		check(errno == EINTR);
		atomic_fetch_add(&interrupted, 1);
	}
	return fd;
}

static void signals(int flags)
{
	struct sigaction action = { .sa_handler = tick, .sa_flags = flags };
	struct itimerval often = { { .tv_usec = 200 }, { .tv_usec = 200 } };
	pthread_t thread;

	listens("");
	check(!sigaction(SIGALRM, &action, NULL));
	check(!pthread_create(&thread, NULL, connects_often, NULL));
	check(!setitimer(ITIMER_REAL, &often, NULL));
	for (int i = 0; i < TIMES; i++) {
		struct sockaddr_storage peer;
		struct conn conn = { .name = "" };
		int fd = accepts(&peer);

		address_text((struct sockaddr *)&where, where_len, conn.local);
		address_text((struct sockaddr *)&peer, sizeof(struct sockaddr_in), conn.remote);
		want("'type':'socket','event':'accept','fd':%d,'local':'%s','remote':'%s'", fd,
		     conn.local, conn.remote);
		want("'type':'socket','event':'close','fd':%d", fd);
		check(!close(fd));
	}
	check(!setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL));
	check(!pthread_join(thread, NULL));
	check(atomic_load(&ticks) > TIMES);
	check(flags ? !atomic_load(&interrupted) : atomic_load(&interrupted) > 0);
}

static void restart(void)
{
	signals(SA_RESTART);
}

static void interrupt(void)
{
	signals(0);
}

/* -- cancelled in the call, or just behind it */

static atomic_int blocked;

static void *accepts_once(void *arg)
{
	atomic_store(&blocked, gettid());
	close(accept(listener, NULL, NULL));
	return arg;
}

static void cancelled(void)
{
	listens("");
	for (int i = 0; i < 60; i++) {
		pthread_t thread;
		void *result;
		pid_t tid;
		int client = -1;

		check(!pthread_create(&thread, NULL, accepts_once, &blocked));
		while (!(tid = atomic_exchange(&blocked, 0)))
			sched_yield();
		await_blocked(tid);
		if (i % 3 == 0) {
			client = connects();
			want("'type':'socket','event':'accept'");
			want("'type':'socket','event':'close'");
		} else {
			check(!pthread_cancel(thread));
		}
		check(!pthread_join(thread, &result));
		check(result == (i % 3 ? PTHREAD_CANCELED : &blocked));
		check(i % 3 || !close(client));
	}
}

/* -- a child for each connection, as servers of old: it has what its parent has accepted */

static void forked(void)
{
	listens("");
	for (int i = 0; i < 30; i++) {
		int client = connects(), server = accept(listener, NULL, NULL);
		char name[32];
		struct conn conn;
		pid_t pid;

		snprintf(name, sizeof(name), "server %d", i);
		conn = conn_of(name, server);
		want_accepted(&conn, server);
		pid = fork();
		check(pid >= 0);
		if (!pid) {
			check(!close(listener));
			talks(client, server, &conn);
			_exit(0);
		}
		check(!await_end(pid));
		want("'type':'socket','event':'close','fd':%d,'conn':'%s'", server, conn.name);
		check(!close(server) && !close(client));
	}
}

static const struct tapped_case cases[] = {
	{ "few_stops", few_stops }, { "restart", restart }, { "interrupt", interrupt },
	{ "cancelled", cancelled }, { "forked", forked },
};

int main(int argc, char **argv)
{
	int result;

	check(argc == 2);
	result = run_case(cases, sizeof(cases) / sizeof(cases[0]), argv[1]);
	want("'type':'socket','event':'close','fd':%d", listener);
	return result;
}
