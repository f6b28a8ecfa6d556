/* Datagrams: one socket to the target for each client's address. */
#include "proxy.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define DATAGRAM (64 * 1024)
#define RCVBUF   (8 * 1024 * 1024)

/* The first error may be about an earlier datagram. */
static void pass_on(int fd, const void *data, size_t len, const struct address *to)
{
	for (int tries = 0; tries < 2; tries++) {
		if (sendto(fd, data, len, MSG_NOSIGNAL, to ? &to->sa : NULL, to ? to->len : 0) >= 0)
			return;
	}
}

/* As much as we may, lest datagrams are dropped while the proxy is not running. */
static void widen(int fd)
{
	int size = RCVBUF;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
}

static void watch(int epoll, int fd, void *data)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = data };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		die("epoll");
}

static struct conn *find_client(const struct address *from, int epoll)
{
	struct conn *conn;

	for (conn = conns; conn; conn = conn->next) {
		if (conn->client.len == from->len &&
		    !memcmp(&conn->client.sa, &from->sa, from->len))
			return conn;
	}
	conn = conn_new(-1, from);
	if (conn_connect(conn) >= 0) {
		widen(conn->fd[S2C]);
		watch(epoll, conn->fd[S2C], conn);
	}
	return conn;
}

/* Takes all that wait at the listener; true if there were any. */
static bool take_requests(char *data, int epoll)
{
	bool any = false;

	for (;;) {
		struct address from = { .len = ADDRESS_ROOM };
		struct conn *conn;
		ssize_t n;

		n = recvfrom(proxy.listener, data, DATAGRAM, MSG_DONTWAIT, &from.sa, &from.len);
		if (n < 0 && errno == EAGAIN)
			return any;
		if (n < 0)
			continue;
		any = true;
		conn = find_client(&from, epoll);
		conn_record(conn, C2S, data, (size_t)n);
		if (conn->fd[S2C] >= 0)
			pass_on(conn->fd[S2C], data, (size_t)n, NULL);
	}
}

static bool take_answers(struct conn *conn, char *data)
{
	bool any = false;

	for (;;) {
		ssize_t n = recv(conn->fd[S2C], data, DATAGRAM, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EBADF))
			return any;
		if (n < 0)
			continue;
		any = true;
		conn_record(conn, S2C, data, (size_t)n);
		pass_on(proxy.listener, data, (size_t)n, &conn->client);
	}
}

static bool take_all(char *data, int epoll)
{
	bool any = take_requests(data, epoll);

	for (struct conn *conn = conns; conn; conn = conn->next)
		any |= take_answers(conn, data);
	return any;
}

void datagram_serve(void)
{
	struct epoll_event event = { 0 };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	static char data[DATAGRAM];

	widen(proxy.listener);
	watch(epoll, proxy.listener, &proxy.listener);
	watch(epoll, proxy.signals, &proxy.signals);
	do {
		if (epoll_wait(epoll, &event, 1, -1) != 1)
			continue;
		if (event.data.ptr == &proxy.listener)
			take_requests(data, epoll);
		else if (event.data.ptr != &proxy.signals)
			take_answers(event.data.ptr, data);
	} while (event.data.ptr != &proxy.signals);
	while (take_all(data, epoll))
		;
	while (conns)
		conn_end(conns);
}
