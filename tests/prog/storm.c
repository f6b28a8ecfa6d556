/*
 * A timer's signals during transfers: every call that returns to the program is an event. Argument:
 * restart (calls go on after the handler), interrupt (they fail with EINTR).
 */
#include "expect.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define SIZE  (400U << 10)
#define TIMES 30

static int fds[2];
static struct conn conns[2];
static atomic_int ticks;
static bool slowly;

static void tick(int sig)
{
	(void)sig;
	atomic_fetch_add(&ticks, 1);
}

static bool was_interrupted(int end, const char *call, ssize_t n)
{
	if (n > 0)
		return false;
	check(n < 0 && errno == EINTR);
	want_error(&conns[end], fds[end], call, "EINTR", "");
	return true;
}

static void *reader(void *arg)
{
	char *got = malloc(SIZE);
	size_t at = 0;
	ssize_t n;

	check(got);
	while (at < TIMES * SIZE) {
		/* So that the other one has to wait. */
		if (slowly)
			poll(NULL, 0, 1);
		n = read(fds[1], got, 30000);
		if (!was_interrupted(1, "read", n)) {
			want_data(&conns[1], fds[1], "read", got, (size_t)n, "");
			at += (size_t)n;
		}
	}
	free(got);
	return arg;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = tick };
	struct itimerval often = { { .tv_usec = 300 }, { .tv_usec = 300 } };
	char *data = malloc(SIZE);
	pthread_t thread;
	int room = 10000;

	check(argc == 2);
	slowly = !strcmp(argv[1], "interrupt");
	if (!slowly)
		action.sa_flags = SA_RESTART;
	settings("'per':'tid'");
	check(data);
	tcp_pair(AF_INET, fds);
	conns[0] = conn_of("out", fds[0]);
	conns[1] = conn_of("in", fds[1]);
	check(!slowly || !setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
	check(!sigaction(SIGALRM, &action, NULL));
	check(!pthread_create(&thread, NULL, reader, NULL));
	check(!setitimer(ITIMER_REAL, &often, NULL));
	for (unsigned int i = 0; i < TIMES; i++) {
		/* Small ones and large ones, which are copied at different times. */
		const size_t step = i % 2 ? SIZE : 100000;
		size_t at = 0;

		fill(data, SIZE, i);
		while (at < SIZE) {
			size_t size = SIZE - at < step ? SIZE - at : step;
			ssize_t n = write(fds[0], data + at, size);

			if (!was_interrupted(0, "write", n)) {
				want_data(&conns[0], fds[0], "write", data + at, (size_t)n, "");
				at += (size_t)n;
			}
		}
	}
	check(!pthread_join(thread, NULL));
	often = (struct itimerval){ 0 };
	check(!setitimer(ITIMER_REAL, &often, NULL));
	check(atomic_load(&ticks) > 10);
	free(data);
	return 0;
}
