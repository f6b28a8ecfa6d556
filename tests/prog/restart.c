/*
 * A signal in a blocked receive. Argument: restart (SA_RESTART: one event, when it really ends),
 * interrupt (no SA_RESTART: an event with EINTR), timeout (a receive with a timeout is not
 * restarted whatever the handler says), partial (what had moved is what the call returns), waits (as
 * restart, and the handler waits for another signal, as garbage collectors have their threads stand still).
 */
#include "expect.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIGNALS 5

static int fds[2];
static atomic_int handled, released;
static bool waits;
static pid_t blocked;

static void handle(int sig)
{
	int before = errno;
	sigset_t set;

	if (sig == SIGUSR2) {
		atomic_fetch_add(&released, 1);
		return;
	}
	atomic_fetch_add(&handled, 1);
	sigfillset(&set);
	sigdelset(&set, SIGUSR2);
	if (waits)
		check(sigsuspend(&set) == -1 && errno == EINTR);
	errno = before;
}

static void interrupt(void)
{
	int before = atomic_load(&handled);

	await_blocked(blocked);
	check(!syscall(SYS_tgkill, getpid(), blocked, SIGUSR1));
	while (atomic_load(&handled) == before)
		sched_yield();
	if (!waits)
		return;
	await_blocked(blocked);
	check(!syscall(SYS_tgkill, getpid(), blocked, SIGUSR2));
	while (atomic_load(&released) == before)
		sched_yield();
}

static void *signals(void *arg)
{
	for (int i = 0; i < SIGNALS; i++)
		interrupt();
	await_blocked(blocked);
	check(write(fds[0], "at last", 7) == 7);
	want_data(arg, fds[0], "write", "at last", 7, "");
	return arg;
}

static void *one_signal(void *arg)
{
	interrupt();
	return arg;
}

static void restarts(struct conn conns[2], char *got)
{
	pthread_t thread;

	check(!pthread_create(&thread, NULL, signals, &conns[0]));
	check(read(fds[1], got, 100) == 7);
	check(!pthread_join(thread, NULL));
	want_data(&conns[1], fds[1], "read", "at last", 7, "");
	same("%d signals", atomic_load(&handled));
}

static void interrupts(const struct conn *conn, char *got)
{
	pthread_t thread;

	check(!pthread_create(&thread, NULL, one_signal, NULL));
	check(recv(fds[1], got, 100, 0) == -1 && errno == EINTR);
	want_error(conn, fds[1], "recvfrom", "EINTR", "");
	check(!pthread_join(thread, NULL));
	check(write(fds[0], "after", 5) == 5);
	want("'type':'data','fd':%d,'call':'write','text':'after'", fds[0]);
	check(recv(fds[1], got, 100, 0) == 5);
	want_data(conn, fds[1], "recvfrom", "after", 5, "");
}

/* A large write that nobody reads. */
static void in_part(const struct conn *conn)
{
	const size_t size = 16U << 20;
	char *data = malloc(size);
	pthread_t thread;
	ssize_t n;

	check(data);
	fill(data, size, 7);
	/* The first call by a site is stopped at. */
	check(write(fds[0], "small", 5) == 5);
	want_data(conn, fds[0], "write", "small", 5, "");
	check(!pthread_create(&thread, NULL, one_signal, NULL));
	n = write(fds[0], data, size);
	check(n > 0 && (size_t)n < size);
	want_data(conn, fds[0], "write", data, (size_t)n, "");
	check(!pthread_join(thread, NULL));
	free(data);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = handle };
	struct timeval long_time = { .tv_sec = 1000 };
	struct conn conns[2];
	char got[100];

	check(argc == 2);
	blocked = getpid();
	if (strcmp(argv[1], "interrupt"))
		action.sa_flags = SA_RESTART;
	waits = !strcmp(argv[1], "waits");
	if (waits || !strcmp(argv[1], "restart"))
		settings("'per':'tid'");
	if (waits)
		sigfillset(&action.sa_mask);
	check(!sigaction(SIGUSR1, &action, NULL));
	check(!sigaction(SIGUSR2, &action, NULL));
	tcp_pair(AF_INET, fds);
	conns[0] = conn_of("0", fds[0]);
	conns[1] = conn_of("1", fds[1]);
	if (!strcmp(argv[1], "timeout"))
		check(!setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &long_time, sizeof(long_time)));
	if (waits || !strcmp(argv[1], "restart"))
		restarts(conns, got);
	else if (!strcmp(argv[1], "partial"))
		in_part(&conns[0]);
	else
		interrupts(&conns[1], got);
	return 0;
}
