/* Connections: one thread a direction. */
#include "proxy.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#define CHUNK (256 * 1024)
#define STACK (64 * 1024)

static bool send_all(int fd, const char *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, data + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		done += n > 0 ? (size_t)n : 0;
	}
	return true;
}

static void relay(struct conn *conn, int dir)
{
	char *data = malloc(CHUNK);
	bool wanted = true;

	if (!data)
		die("a buffer");
	for (;;) {
		ssize_t n = recv(conn->fd[dir], data, CHUNK, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		/* Recorded first: nobody has seen a byte that is not in the record. */
		conn_record(conn, dir, data, (size_t)n);
		if (wanted)
			wanted = send_all(conn->fd[!dir], data, (size_t)n);
	}
	shutdown(conn->fd[!dir], SHUT_WR);
	free(data);
}

static void *relay_answers(void *data)
{
	relay(data, S2C);
	return NULL;
}

static void start_thread(pthread_t *ret_thread, void *(*run)(void *), void *data)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	errno = pthread_create(ret_thread, &attr, run, data);
	if (errno)
		die("a thread");
	pthread_attr_destroy(&attr);
}

static void *conn_run(void *data)
{
	struct conn *conn = data;
	int one = 1, upstream = conn_connect(conn);
	pthread_t answers;

	pthread_detach(pthread_self());
	if (upstream >= 0) {
		setsockopt(conn->fd[C2S], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(upstream, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		start_thread(&answers, relay_answers, conn);
		relay(conn, C2S);
		pthread_join(answers, NULL);
	}
	conn_end(conn);
	return NULL;
}

static void accept_all(void)
{
	struct address from = { 0 };
	pthread_t thread;
	int fd;

	for (;;) {
		from.len = ADDRESS_ROOM;
		fd = accept4(proxy.listener, &from.sa, &from.len, SOCK_CLOEXEC);
		if (fd >= 0)
			start_thread(&thread, conn_run, conn_new(fd, &from));
		else if (errno == EAGAIN)
			return;
		else if (errno != ECONNABORTED && errno != EINTR)
			die("accepting");
	}
}

void stream_serve(void)
{
	struct pollfd polls[] = { { proxy.listener, POLLIN, 0 }, { proxy.signals, POLLIN, 0 } };

	while (!polls[1].revents) {
		if (poll(polls, COUNT(polls), -1) < 0 && errno != EINTR)
			die("poll");
		accept_all();
	}
	conns_cut();
}
