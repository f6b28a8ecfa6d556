/*
 * The same bytes by each call in turn. iotrace is made not to know the call that is the argument (run.py
 * --omit): the bytes that it moved are a loss, exactly so many.
 */
#include "expect.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SIZE  3000
#define TIMES 3

static char data[SIZE], got[SIZE];
static int ours[2]; /* a pipe */

static struct iovec iov(char *at)
{
	return (struct iovec){ at, SIZE };
}

static void by_write(int fd)
{
	check(write(fd, data, SIZE) == SIZE);
}

static void by_writev(int fd)
{
	struct iovec one = iov(data);

	check(writev(fd, &one, 1) == SIZE);
}

static void by_pwritev2(int fd)
{
	struct iovec one = iov(data);

	check(pwritev2(fd, &one, 1, -1, 0) == SIZE);
}

static void by_sendto(int fd)
{
	check(send(fd, data, SIZE, 0) == SIZE);
}

static void by_sendmsg(int fd)
{
	struct iovec one = iov(data);
	struct msghdr msg = { .msg_iov = &one, .msg_iovlen = 1 };

	check(sendmsg(fd, &msg, 0) == SIZE);
}

static void by_sendmmsg(int fd)
{
	struct iovec one = iov(data);
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &one, .msg_iovlen = 1 } };

	check(sendmmsg(fd, &msg, 1, 0) == 1 && msg.msg_len == SIZE);
}

static void by_sendfile(int fd)
{
	FILE *file = tmpfile();
	off_t at = 0;

	check(file && fwrite(data, SIZE, 1, file) == 1 && !fflush(file));
	check(sendfile(fd, fileno(file), &at, SIZE) == SIZE);
	fclose(file);
}

static void by_splice(int fd)
{
	check(write(ours[1], data, SIZE) == SIZE);
	check(splice(ours[0], NULL, fd, NULL, SIZE, 0) == SIZE);
}

static void by_read(int fd)
{
	check(read(fd, got, SIZE) == SIZE);
}

static void by_readv(int fd)
{
	struct iovec one = iov(got);

	check(readv(fd, &one, 1) == SIZE);
}

static void by_preadv2(int fd)
{
	struct iovec one = iov(got);

	check(preadv2(fd, &one, 1, -1, 0) == SIZE);
}

static void by_recvfrom(int fd)
{
	check(recv(fd, got, SIZE, MSG_WAITALL) == SIZE);
}

static void by_recvmsg(int fd)
{
	struct iovec one = iov(got);
	struct msghdr msg = { .msg_iov = &one, .msg_iovlen = 1 };

	check(recvmsg(fd, &msg, 0) == SIZE);
}

static void by_recvmmsg(int fd)
{
	struct iovec one = iov(got);
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &one, .msg_iovlen = 1 } };

	check(recvmmsg(fd, &msg, 1, 0, NULL) == 1 && msg.msg_len == SIZE);
}

static void by_splice_in(int fd)
{
	check(splice(fd, NULL, ours[1], NULL, SIZE, 0) == SIZE);
	check(read(ours[0], got, SIZE) == SIZE);
}

#ifdef __i386__
/* Calls that the C library does not make for us: sockets have more than one way there. */
static void by_direct_sendto(int fd)
{
	check(syscall(SYS_sendto, fd, data, SIZE, 0, NULL, 0) == SIZE);
}

static void by_direct_recvfrom(int fd)
{
	check(syscall(SYS_recvfrom, fd, got, SIZE, MSG_WAITALL, NULL, NULL) == SIZE);
}

static void by_old_recvmmsg(int fd)
{
	struct iovec one = iov(got);
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &one, .msg_iovlen = 1 } };

	check(syscall(SYS_recvmmsg, fd, &msg, 1, 0, NULL) == 1 && msg.msg_len == SIZE);
}

static void by_sendfile64(int fd)
{
	FILE *file = tmpfile();
	uint64_t at = 0;

	check(file && fwrite(data, SIZE, 1, file) == 1 && !fflush(file));
	check(syscall(SYS_sendfile64, fd, fileno(file), &at, SIZE) == SIZE);
	fclose(file);
}
#endif

static const struct way {
	const char *call; /* its row, behind what tells two of one name apart */
	bool in;
	void (*move)(int fd);
	const char *more;
} ways[] = {
	{ "write", false, by_write, "" },
	{ "writev", false, by_writev, "" },
	{ "pwritev2", false, by_pwritev2, "" },
	{ "sendto", false, by_sendto, "" },
	{ "sendmsg", false, by_sendmsg, "" },
	{ "sendmmsg", false, by_sendmmsg, "" },
	{ "sendfile", false, by_sendfile, "'flags':['file']" },
	{ "splice", false, by_splice, "'flags':['file']" },
#ifdef __i386__
	{ "direct_sendto", false, by_direct_sendto, "" },
	{ "sendfile64", false, by_sendfile64, "'flags':['file']" },
#endif
	{ "read", true, by_read, "" },
	{ "readv", true, by_readv, "" },
	{ "preadv2", true, by_preadv2, "" },
	{ "recvfrom", true, by_recvfrom, "" },
	{ "recvmsg", true, by_recvmsg, "" },
	{ "recvmmsg", true, by_recvmmsg, "" },
	{ "splice", true, by_splice_in, "" },
#ifdef __i386__
	{ "direct_recvfrom", true, by_direct_recvfrom, "" },
	{ "old_recvmmsg", true, by_old_recvmmsg, "" },
#endif
};

/* Moves the bytes; returns how many of them must be missing. */
static uint64_t move(const struct way *way, const struct conn *conn, int fd, const char *omitted)
{
	const char *call = strchr(way->call, '_');

	way->move(fd);
	if (!strcmp(way->call, omitted))
		return SIZE;
	if (way->move == by_splice_in)
		want("'type':'data','conn':'%s','dir':'in','call':'splice','len':%d,'crc':%u,"
		     "'flags':['file']",
		     conn->name, SIZE, checksum(data, SIZE));
	else
		want_data(conn, fd, call ? call + 1 : way->call, data, SIZE, way->more);
	return 0;
}

static void want_loss(const struct conn *conn, int fd, uint64_t missing)
{
	if (missing)
		want("'type':'loss','reason':'unseen','conn':'%s','fd':%d,'bytes':%llu,'calls':0",
		     conn->name, fd, (unsigned long long)missing);
}

int main(int argc, char **argv)
{
	const struct way *in = NULL, *end = ways + sizeof(ways) / sizeof(ways[0]);
	uint64_t missing[2] = { 0, 0 };
	struct conn conns[2];
	int fds[2];

	check(argc == 2);
	settings("'stderr':'^(iotrace: omit.[0-9]+.: lost [0-9]+ bytes in 0 calls "
		 ".unseen.\\\\n)+$'");
	fill(data, SIZE, 1);
	check(!pipe(ours));
	tcp_pair(AF_INET, fds);
	conns[0] = conn_of("sends", fds[0]);
	conns[1] = conn_of("receives", fds[1]);
	for (int turn = 0; turn < TIMES; turn++)
		for (const struct way *out = ways; !out->in; out++) {
			do
				in = in && in + 1 < end ? in + 1 : ways;
			while (!in->in);
			missing[0] += move(out, &conns[0], fds[0], argv[1]);
			await_readable(fds[1]);
			missing[1] += move(in, &conns[1], fds[1], argv[1]);
			check(!memcmp(data, got, SIZE));
		}
	check(missing[0] + missing[1]);
	close(fds[0]);
	want_loss(&conns[0], fds[0], missing[0]);
	close(fds[1]);
	want_loss(&conns[1], fds[1], missing[1]);
	return 0;
}
