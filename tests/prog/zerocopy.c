/*
 * MSG_ZEROCOPY: the bytes are told when they are sent, and that the kernel is done with the buffer comes
 * by the error queue, without bytes. TCP_ZEROCOPY_RECEIVE: pages appear in the program's memory.
 * Argument: tcp, udp, receive; omitted, where iotrace does not know getsockopt (run.py --omit).
 */
#include "expect.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

#define SIZE  20000
#define PAGES 4

static char data[SIZE], got[SIZE];

static void await_error(int fd)
{
	struct pollfd pfd = { .fd = fd };

	check(poll(&pfd, 1, -1) == 1 && pfd.revents & POLLERR);
}

/* With room for bytes, of which none come: that is no end of the stream. */
static void await_completion(const struct conn *conn, int fd)
{
	char control[100];
	struct iovec iov = { got, sizeof(got) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	const struct sock_extended_err *said;

	await_error(fd);
	check(!recvmsg(fd, &msg, MSG_ERRQUEUE) && CMSG_FIRSTHDR(&msg));
	said = (const void *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
	check(said->ee_origin == SO_EE_ORIGIN_ZEROCOPY && !said->ee_errno);
	want_data(conn, fd, "recvmsg", "", 0, "'flags':['errqueue']");
}

static void sent(int fds[2], size_t size)
{
	struct conn from = conn_of("from", fds[0]), to = conn_of("to", fds[1]);
	int on = 1;

	check(!setsockopt(fds[0], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)));
	check(send(fds[0], data, size, MSG_ZEROCOPY) == (ssize_t)size);
	want_data(&from, fds[0], "sendto", data, size, "");
	check(recv(fds[1], got, size, MSG_WAITALL) == (ssize_t)size);
	want_data(&to, fds[1], "recvfrom", data, size, "");
	await_completion(&from, fds[0]);
	check(send(fds[0], data, size, MSG_ZEROCOPY) == (ssize_t)size);
	want_data(&from, fds[0], "sendto", data, size, "");
	check(recv(fds[1], got, size, MSG_WAITALL) == (ssize_t)size);
	want_data(&to, fds[1], "recvfrom", data, size, "");
	await_error(fds[0]);
	check(!recv(fds[0], got, SIZE, MSG_ERRQUEUE));
	want_data(&from, fds[0], "recvfrom", "", 0, "'flags':['errqueue']");
	/* It goes on. */
	check(send(fds[1], "back", 4, 0) == 4);
	want_data(&to, fds[1], "sendto", "back", 4, "");
	check(recv(fds[0], got, SIZE, 0) == 4);
	want_data(&from, fds[0], "recvfrom", "back", 4, "");
}

/* Whole pages that nobody else has: only such can be mapped. Pipes have them. */
static void send_pages(const struct conn *from, int fd, size_t page)
{
	int ours[2];

	check(!pipe(ours));
	fill(data, PAGES * page, 1);
	for (size_t i = 0; i < PAGES; i++)
		check(write(ours[1], data + i * page, page) == (ssize_t)page);
	check(splice(ours[0], NULL, fd, NULL, PAGES * page, 0) == (ssize_t)(PAGES * page));
	want("'type':'data','fd':%d,'conn':'%s','dir':'out','call':'splice','len':%zu,'crc':%u,"
	     "'flags':['file']",
	     fd, from->name, PAGES * page, checksum(data, PAGES * page));
}

static void received(bool omitted)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct tcp_zerocopy_receive zc = { .length = (uint32_t)(PAGES * page) };
	socklen_t len = sizeof(zc);
	struct conn from, to;
	char *at;
	int fds[2];

	tcp_pair(AF_INET, fds);
	from = conn_of("from", fds[0]);
	to = conn_of("to", fds[1]);
	check(PAGES * page <= SIZE);
	check(!setsockopt(fds[1], SOL_SOCKET, SO_RCVLOWAT, &(int){ (int)(PAGES * page) },
			  sizeof(int)));
	send_pages(&from, fds[0], page);
	await_readable(fds[1]);
	at = mmap(NULL, PAGES * page, PROT_READ, MAP_SHARED, fds[1], 0);
	if (at == MAP_FAILED && (errno == ENODEV || errno == EINVAL))
		skip("sockets cannot be mapped here");
	check(at != MAP_FAILED);
	zc.address = (uint64_t)(uintptr_t)at;
	check(!getsockopt(fds[1], IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, &zc, &len));
	if (!zc.length)
		skip("this kernel maps no pages that came by loopback");
	check(!memcmp(at, data, zc.length));
	if (!omitted) {
		want("'type':'note','text~':'TCP_ZEROCOPY_RECEIVE'");
		want_data(&to, fds[1], "getsockopt", data, zc.length, "'dir':'in'");
	}
	close(fds[0]);
	close(fds[1]);
	if (omitted)
		want("'type':'loss','reason':'unseen','conn':'to','fd':%d,'bytes':%u,'calls':0",
		     fds[1], zc.length);
}

int main(int argc, char **argv)
{
	int fds[2];

	check(argc == 2);
	fill(data, SIZE, 1);
	if (!strcmp(argv[1], "tcp")) {
		tcp_pair(AF_INET, fds);
		sent(fds, SIZE);
	} else if (!strcmp(argv[1], "udp")) {
		udp_pair(AF_INET, fds);
		sent(fds, SIZE);
	} else {
		settings("'stderr':'%s'",
			 strcmp(argv[1], "omitted") ? "TCP_ZEROCOPY_RECEIVE" : "unseen");
		received(!strcmp(argv[1], "omitted"));
	}
	return 0;
}
