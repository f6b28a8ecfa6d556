/*
 * A call that moves less than was asked for: only that is there. What is asked for is little or
 * much, as large requests are copied at another time; and more than there is memory for.
 */
#include "expect.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define ROOM (4U << 20)

static int fds[2];
static struct conn conns[2];
static char *data, *got;

static void drain(void)
{
	ssize_t n;

	while ((n = read(fds[1], got, ROOM)) > 0)
		want_data(&conns[1], fds[1], "read", got, (size_t)n, "");
	check(n < 0 && errno == EAGAIN);
}

static void moved(const char *call, size_t asked, long ret)
{
	struct pollfd out = { .fd = fds[0], .events = POLLOUT };

	check(ret > 0 && (size_t)ret < asked);
	want_data(&conns[0], fds[0], call, data, (size_t)ret, "");
	do
		drain();
	while (!poll(&out, 1, 1));
}

static void by_vector(size_t piece)
{
	struct iovec iov[16];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 16 };

	for (size_t i = 0; i < 16; i++)
		iov[i] = (struct iovec){ data + i * piece, piece };
	moved("writev", 16 * piece, writev(fds[0], iov, 16));
	moved("sendmsg", 16 * piece, sendmsg(fds[0], &msg, 0));
}

int main(void)
{
	int room = 4096;
	size_t huge;

	/* Low, so that even a terabyte from there is below the kernel's addresses. */
	data = mmap((void *)(uintptr_t)0x100000000ULL, ROOM, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	got = malloc(ROOM);
	check(data != MAP_FAILED && got);
	fill(data, ROOM, 1);
	tcp_pair(AF_INET, fds);
	conns[0] = conn_of("out", fds[0]);
	conns[1] = conn_of("in", fds[1]);
	check(!setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
	check(!setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)));
	for (int i = 0; i < 2; i++)
		check(!fcntl(fds[i], F_SETFL, O_NONBLOCK));

	moved("write", 250U << 10, write(fds[0], data, 250U << 10));
	moved("sendto", 256U << 10, send(fds[0], data, 256U << 10, 0));
	moved("write", (256U << 10) + 1, write(fds[0], data, (256U << 10) + 1));
	moved("write", ROOM, write(fds[0], data, ROOM));
	moved("sendto", ROOM, send(fds[0], data, ROOM, 0));
	by_vector(10000);
	by_vector(200000);
	/* Nobody has so much there; the kernel looks at what it can send. */
	huge = (size_t)1 << (sizeof(long) == 8 ? 40 : 30);
	moved("write", huge, syscall(SYS_write, fds[0], data, huge));
	return 0;
}
