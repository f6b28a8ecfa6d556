/* Where the bytes lie: in no, many, empty and missing pieces, and at the end of what is mapped. */
#include "expect.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define LARGE (300U << 10)

static int fds[2];
static struct conn conns[2];
static char got[LARGE];

/* All that was sent is received by read, so that the next case begins with nothing there. */
static void drain(size_t len)
{
	size_t at = 0;
	ssize_t n;

	while (at < len) {
		n = read(fds[1], got, sizeof(got));
		check(n > 0);
		want_data(&conns[1], fds[1], "read", got, (size_t)n, "");
		at += (size_t)n;
	}
}

static void sent(const char *call, const void *data, size_t len, long ret)
{
	check(ret == (long)len);
	want_data(&conns[0], fds[0], call, data, len, "");
	drain(len);
}

static void fails(int end, const char *call, const char *error, long ret)
{
	check(ret == -1 && !strcmp(strerrorname_np(errno), error));
	want_error(&conns[end], fds[end], call, error, "");
}

static void arrive(const char *text)
{
	check(write(fds[0], text, strlen(text)) == (ssize_t)strlen(text));
	want_data(&conns[0], fds[0], "write", text, strlen(text), "");
	await_readable(fds[1]);
}

static void received(const char *call, const char *text, long ret)
{
	check(ret == (long)strlen(text));
	want_data(&conns[1], fds[1], call, text, strlen(text), "");
}

static struct iovec piece(const void *data, size_t len)
{
	return (struct iovec){ (void *)(uintptr_t)data, len };
}

static void empty_pieces(void)
{
	struct iovec out[] = { piece(NULL, 0), piece("abc", 3), piece(NULL, 0),
			       piece("", 0),   piece("def", 3), piece(NULL, 0) };
	struct msghdr msg = { .msg_iov = out, .msg_iovlen = 6 };
	char a[2], b[2], c[10];
	struct iovec in[] = { piece(NULL, 0), piece(a, 2), piece(got, 0), piece(b, 2),
			      piece(c, sizeof(c)) };

	sent("writev", "abcdef", 6, writev(fds[0], out, 6));
	sent("sendmsg", "abcdef", 6, sendmsg(fds[0], &msg, 0));
	arrive("abcdef");
	received("readv", "abcdef", readv(fds[1], in, 5));
	arrive("abc");
	msg = (struct msghdr){ .msg_iov = in, .msg_iovlen = 5 };
	received("recvmsg", "abc", recvmsg(fds[1], &msg, 0));
	sent("writev", "", 0, writev(fds[0], out, 1));
}

static void no_pieces(void)
{
	struct msghdr msg = { 0 };
	struct conn conn;
	int udp[2];

	sent("writev", "", 0, writev(fds[0], NULL, 0));
	sent("sendmsg", "", 0, sendmsg(fds[0], &msg, 0));
	check(readv(fds[1], NULL, 0) == 0);
	want_data(&conns[1], fds[1], "readv", "", 0, "");
	udp_pair(AF_INET, udp);
	conn = conn_of("no pieces", udp[0]);
	check(sendmsg(udp[0], &msg, 0) == 0);
	want_data(&conn, udp[0], "sendmsg", "", 0, "");
	close(udp[0]);
	close(udp[1]);
}

static void many_pieces(void)
{
	static struct iovec iov[IOV_MAX + 1];
	static char data[4 * IOV_MAX];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = IOV_MAX };

	fill(data, sizeof(data), 3);
	for (size_t i = 0; i <= IOV_MAX; i++)
		iov[i] = piece(data + 4 * (i % IOV_MAX), 4);
	sent("writev", data, sizeof(data), writev(fds[0], iov, IOV_MAX));
	sent("sendmsg", data, sizeof(data), sendmsg(fds[0], &msg, 0));
	fails(0, "writev", "EINVAL", writev(fds[0], iov, IOV_MAX + 1));
	msg.msg_iovlen = IOV_MAX + 1;
	fails(0, "sendmsg", "EMSGSIZE", sendmsg(fds[0], &msg, 0));
	fails(0, "writev", "EINVAL", syscall(SYS_writev, fds[0], iov, -1L));
	iov[1].iov_len = SIZE_MAX;
	fails(0, "writev", "EINVAL", writev(fds[0], iov, 2));

	for (size_t i = 0; i < IOV_MAX; i++)
		iov[i] = piece(got + 4 * i, 4);
	check(write(fds[0], data, sizeof(data)) == sizeof(data));
	want_data(&conns[0], fds[0], "write", data, sizeof(data), "");
	check(readv(fds[1], iov, IOV_MAX) == sizeof(data));
	want_data(&conns[1], fds[1], "readv", data, sizeof(data), "");
}

static void *nowhere(void)
{
	return (char *)page_end(1) + 1;
}

static void bad_pointers(void)
{
	struct iovec bad = piece(nowhere(), 10);
	struct msghdr msg = { .msg_iov = &bad, .msg_iovlen = 1 };

	fails(0, "write", "EFAULT", write(fds[0], bad.iov_base, 10));
	fails(0, "sendto", "EFAULT", send(fds[0], bad.iov_base, 10, 0));
	fails(0, "write", "EFAULT", write(fds[0], bad.iov_base, LARGE));
	fails(0, "writev", "EFAULT", writev(fds[0], &bad, 1));
	fails(0, "writev", "EFAULT", syscall(SYS_writev, fds[0], bad.iov_base, 2));
	fails(0, "sendmsg", "EFAULT", sendmsg(fds[0], &msg, 0));
	fails(0, "sendmsg", "EFAULT", syscall(SYS_sendmsg, fds[0], bad.iov_base, 0));
	msg.msg_iov = bad.iov_base;
	fails(0, "sendmsg", "EFAULT", sendmsg(fds[0], &msg, 0));
	arrive("stays");
	fails(1, "read", "EFAULT", read(fds[1], bad.iov_base, 10));
	fails(1, "readv", "EFAULT", syscall(SYS_readv, fds[1], bad.iov_base, 2));
	fails(1, "recvmsg", "EFAULT", syscall(SYS_recvmsg, fds[1], bad.iov_base, 0));
	received("read", "stays", read(fds[1], got, sizeof(got)));
}

/* The kernel takes what it can copy as a whole: some of the first pieces, or none. */
static void sent_in_part(const char *call, const char *data, size_t there, long ret)
{
	check(ret > 0 && (size_t)ret < there + 1);
	want_data(&conns[0], fds[0], call, data, (size_t)ret, "");
	drain((size_t)ret);
}

static void missing_pieces(void)
{
	char *large = page_end(LARGE), *small = page_end(100000);
	struct iovec iov[] = { piece(small, 100000), piece(nowhere(), 100000), piece(small, 1) };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 3 };
	char a[4];
	struct iovec in[] = { piece(a, sizeof(a)), piece(nowhere(), 10) };

	fill(small, 100000, 4);
	fill(large, LARGE, 5);
	sent_in_part("writev", small, 100000, writev(fds[0], iov, 3));
	sent_in_part("sendmsg", small, 100000, sendmsg(fds[0], &msg, 0));
	sent_in_part("write", small, 100000, write(fds[0], small, 200000));
	sent_in_part("write", large, LARGE, write(fds[0], large, LARGE + 4096));
	iov[1].iov_len = LARGE;
	sent_in_part("writev", small, 100000, writev(fds[0], iov, 3));
	arrive("four");
	received("readv", "four", readv(fds[1], in, 2));
	arrive("more than four");
	fails(1, "readv", "EFAULT", readv(fds[1], in, 2));
	received("read", "more than four", read(fds[1], got, sizeof(got)));
}

/* Not a byte behind the end of the page may be needed. */
static void ends_of_pages(void)
{
	char *data = page_end(5000), *room = page_end(8);
	struct iovec iov = piece(data, 5000), in = piece(room, 8);
	struct msghdr *msg = page_end(sizeof(*msg));
	struct iovec *last = page_end(sizeof(*last));

	fill(data, 5000, 6);
	sent("write", data, 5000, write(fds[0], data, 5000));
	sent("sendto", data, 5000, send(fds[0], data, 5000, 0));
	*last = iov;
	sent("writev", data, 5000, writev(fds[0], last, 1));
	*msg = (struct msghdr){ .msg_iov = last, .msg_iovlen = 1 };
	sent("sendmsg", data, 5000, sendmsg(fds[0], msg, 0));

	arrive("12345678");
	received("read", "12345678", read(fds[1], room, 8));
	/* More room than there is, but nothing comes for it. */
	arrive("1234567");
	received("recvfrom", "1234567", recv(fds[1], room, 4096, 0));
	*last = in;
	arrive("12345678");
	received("recvmsg", "12345678", recvmsg(fds[1], msg, 0));
	last->iov_len = LARGE;
	arrive("1234");
	received("readv", "1234", readv(fds[1], last, 1));
}

int main(void)
{
	int room = 1 << 20;

	tcp_pair(AF_INET, fds);
	/* So that nobody has to wait for the other end. */
	check(!setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
	conns[0] = conn_of("out", fds[0]);
	conns[1] = conn_of("in", fds[1]);
	empty_pieces();
	no_pieces();
	many_pieces();
	bad_pointers();
	missing_pieces();
	ends_of_pages();
	return 0;
}
