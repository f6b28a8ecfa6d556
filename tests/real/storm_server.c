/*
 * An HTTP server in which signals are in the air all the time: THREADS threads serve, every one of them is
 * sent numbered signals, which each have to arrive once and in their order, and no call of a thread that
 * serves may fail because of them. GET /SIZE answers with so many bytes. It takes the address, prints the
 * port and ends on SIGTERM: status 0 where all signals arrived. With the argument "loose" some may be lost.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS 6
#define AHEAD   20 /* signals on their way to one thread */

struct server {
	pthread_t thread;
	pid_t tid;
	atomic_int sent, received;
};

static struct server servers[THREADS];
static _Thread_local struct server *self;
static int listener;
static bool loose;

_Noreturn static void fail(const char *what, int number)
{
	char text[128];
	int size = snprintf(text, sizeof(text), "%s: %d, %s\n", what, number, strerror(errno));

	if (write(2, text, (size_t)size) < 0)
		_exit(2);
	_exit(1);
}

static void arrived(int sig, siginfo_t *info, void *context)
{
	int wanted = atomic_load(&self->received) + 1, number = info->si_value.sival_int;

	(void)sig;
	(void)context;
	if (number != wanted && !(loose && number > wanted))
		fail("a signal is lost, or is there twice", number - wanted);
	atomic_store(&self->received, number);
}

static void send_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return;
		if (n < 0)
			fail("send", fd);
		data += n;
		size -= (size_t)n;
	}
}

static void answer(int fd, const char *request)
{
	static const char pattern[17] = "0123456789abcdef";
	int size = 0, head;
	char *all;

	sscanf(request, "GET /%d", &size);
	all = malloc((size_t)size + 100);
	if (!all)
		fail("malloc", size);
	head = sprintf(all, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size);
	for (int i = 0; i < size; i++)
		all[head + i] = pattern[i % 16];
	send_all(fd, all, (size_t)(head + size));
	free(all);
}

static void serve(int fd)
{
	char request[4096];
	size_t have = 0;
	ssize_t n;

	while ((n = read(fd, request + have, sizeof(request) - 1 - have)) > 0) {
		have += (size_t)n;
		request[have] = '\0';
		if (!strstr(request, "\r\n\r\n"))
			continue;
		answer(fd, request);
		have = 0;
	}
	if (n < 0 && errno != ECONNRESET)
		fail("read", fd);
	close(fd);
}

static void *run(void *arg)
{
	self = arg;
	self->tid = (pid_t)syscall(SYS_gettid);
	atomic_store(&self->sent, 0);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			fail("accept", listener);
		serve(fd);
	}
	return NULL;
}

/* Until it is time to end; then all have to arrive. */
static void storm(const sigset_t *ending)
{
	struct timespec pace = { .tv_nsec = 300000 };

	while (sigtimedwait(ending, NULL, &pace) < 0) {
		for (int i = 0; i < THREADS; i++) {
			struct server *server = &servers[i];
			int next = atomic_load(&server->sent) + 1;
			union sigval value = { .sival_int = next };

			if (!loose && next - atomic_load(&server->received) > AHEAD)
				continue;
			atomic_store(&server->sent, next);
			/* Too many on their way are not sent. */
			if (pthread_sigqueue(server->thread, SIGRTMIN + 3, value) && !loose)
				fail("sigqueue", i);
		}
	}
	for (int i = 0; i < THREADS && !loose; i++)
		for (int turn = 0; atomic_load(&servers[i].received) != servers[i].sent; turn++) {
			if (turn > 10000)
				fail("signals do not arrive", i);
			nanosleep(&pace, NULL);
		}
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = arrived, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	sigset_t ending;

	loose = argc == 3 && !strcmp(argv[2], "loose");
	if (argc != 2 + loose || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1)
		return 2;
	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	sigaction(SIGRTMIN + 3, &action, NULL);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 128) ||
	    getsockname(listener, (struct sockaddr *)&address, &len))
		fail("listen", listener);
	for (int i = 0; i < THREADS; i++) {
		atomic_store(&servers[i].sent, -1);
		if (pthread_create(&servers[i].thread, NULL, run, &servers[i]))
			fail("pthread_create", i);
		while (atomic_load(&servers[i].sent) < 0)
			poll(NULL, 0, 1);
	}
	printf("listening on %d\n", ntohs(address.sin_port));
	fflush(stdout);
	storm(&ending);
	puts("over");
	return 0;
}
