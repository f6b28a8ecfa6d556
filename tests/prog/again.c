/*
 * Calls that would block: counted, and events only where they are asked for. Argument: errors for
 * that, or quiet.
 */
#include "expect.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static char data[100];
static struct iovec iov = { data, sizeof(data) };
static struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

static bool shown;
static int count;

static void again_with(const struct conn *conn, int fd, const char *call, const char *more,
		       long ret)
{
	check(ret == -1 && errno == EAGAIN);
	count++;
	if (shown)
		want_error(conn, fd, call, "EAGAIN", more);
}

static void again(const struct conn *conn, int fd, const char *call, long ret)
{
	again_with(conn, fd, call, "", ret);
}

/* Until nothing more is taken for a while, as what is under way makes room. */
static void fill_up(const struct conn *conn, int fd)
{
	static char much[1U << 20];
	ssize_t n;

	for (int refused = 0; refused < 5;) {
		n = write(fd, much, sizeof(much));
		if (n > 0) {
			want_data(conn, fd, "write", much, (size_t)n, "");
			refused = 0;
			continue;
		}
		again(conn, fd, "write", n);
		refused++;
		poll(NULL, 0, 20);
	}
}

/* On a busy machine room can be made later still. */
static void again_full(const struct conn *conn, int fd, const char *call,
		       ssize_t (*send_once)(int fd))
{
	ssize_t n;

	while ((n = send_once(fd)) > 0) {
		want_data(conn, fd, call, data, (size_t)n, "");
		fill_up(conn, fd);
	}
	again(conn, fd, call, n);
}

static ssize_t write_iov(int fd)
{
	return writev(fd, &iov, 1);
}

static ssize_t send_data(int fd)
{
	return send(fd, data, sizeof(data), 0);
}

static ssize_t send_msg(int fd)
{
	return sendmsg(fd, &msg, 0);
}

int main(int argc, char **argv)
{
	struct timeval soon = { .tv_usec = 1000 };
	struct conn conns[2], datagrams;
	int fds[2], udp = udp_bound(AF_INET);

	check(argc == 2);
	shown = !strcmp(argv[1], "errors");
	settings("'options':[%s]", shown ? "'--errors'" : "");
	tcp_pair(AF_INET, fds);
	conns[0] = conn_of("0", fds[0]);
	conns[1] = conn_of("1", fds[1]);
	datagrams = conn_of("datagrams", udp);

	again(&conns[1], fds[1], "recvfrom", recv(fds[1], data, sizeof(data), MSG_DONTWAIT));
	again(&conns[1], fds[1], "recvmsg", recvmsg(fds[1], &msg, MSG_DONTWAIT));
	again(&datagrams, udp, "recvfrom", recv(udp, data, sizeof(data), MSG_DONTWAIT));
	again_with(&conns[1], fds[1], "recvfrom", "'flags':['peek']",
		   recv(fds[1], data, 1, MSG_PEEK | MSG_DONTWAIT));
	check(!setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)));
	again(&conns[1], fds[1], "read", read(fds[1], data, 100));

	for (int i = 0; i < 2; i++)
		check(!fcntl(fds[i], F_SETFL, O_NONBLOCK));
	again(&conns[1], fds[1], "read", read(fds[1], data, 100));
	again(&conns[1], fds[1], "readv", readv(fds[1], &iov, 1));
	fill_up(&conns[0], fds[0]);
	again_full(&conns[0], fds[0], "writev", write_iov);
	again_full(&conns[0], fds[0], "sendto", send_data);
	again_full(&conns[0], fds[0], "sendmsg", send_msg);
	want("'type':'end','calls':{'again':%d}", count);
	return 0;
}
