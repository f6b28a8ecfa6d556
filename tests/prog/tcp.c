/* Every call that moves bytes on a TCP connection, each way. Argument: inet or inet6. */
#include "expect.h"

#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int fds[2];
static struct conn conns[2];
static char got[100];

static void sent(int end, const char *call, const char *text, long ret)
{
	check(ret == (long)strlen(text));
	want_data(&conns[end], fds[end], call, text, strlen(text), "");
}

/* Until all of the text is there, which is at once on loopback. */
static void received(int end, const char *call, const char *text, long ret)
{
	check(ret == (long)strlen(text));
	check(!memcmp(got, text, strlen(text)));
	want_data(&conns[end], fds[end], call, text, strlen(text), "");
	memset(got, 0, sizeof(got));
}

static struct iovec piece(const void *data, size_t len)
{
	return (struct iovec){ (void *)(uintptr_t)data, len };
}

static void plain(int from, int to)
{
	const char *text = "by write\n";

	sent(from, "write", text, syscall(SYS_write, fds[from], text, strlen(text)));
	received(to, "read", text, syscall(SYS_read, fds[to], got, sizeof(got)));
}

static void vectors(int from, int to)
{
	struct iovec out[] = { piece("by ", 3), piece("write", 5), piece("v\n", 2) };
	struct iovec in[] = { piece(got, 4), piece(got + 4, 1), piece(got + 5, 90) };

	sent(from, "writev", "by writev\n", syscall(SYS_writev, fds[from], out, 3));
	received(to, "readv", "by writev\n", syscall(SYS_readv, fds[to], in, 3));
}

/* What send(3) and recv(3) call, and with addresses, which TCP does not look at. */
static void to_and_from(int from, int to)
{
	struct sockaddr_storage ss;
	socklen_t len = local_address(fds[to], &ss);
	const char *text = "by sendto\n";

	sent(from, "sendto", text, syscall(SYS_sendto, fds[from], text, strlen(text), 0, NULL, 0));
	received(to, "recvfrom", text,
		 syscall(SYS_recvfrom, fds[to], got, sizeof(got), 0, NULL, NULL));
	sent(from, "sendto", text, syscall(SYS_sendto, fds[from], text, strlen(text), 0, &ss, len));
	len = sizeof(ss);
	received(to, "recvfrom", text,
		 syscall(SYS_recvfrom, fds[to], got, sizeof(got), 0, &ss, &len));
	sent(from, "sendto", text, send(fds[from], text, strlen(text), MSG_NOSIGNAL));
	received(to, "recvfrom", text, recv(fds[to], got, strlen(text), MSG_WAITALL));
}

static void messages(int from, int to)
{
	struct iovec out[] = { piece("by send", 7), piece("msg\n", 4) };
	struct iovec in[] = { piece(got, 2), piece(got + 2, 90) };
	struct msghdr out_msg = { .msg_iov = out, .msg_iovlen = 2 };
	struct msghdr in_msg = { .msg_iov = in, .msg_iovlen = 2 };
	char control[100];

	sent(from, "sendmsg", "by sendmsg\n", syscall(SYS_sendmsg, fds[from], &out_msg, 0));
	received(to, "recvmsg", "by sendmsg\n", syscall(SYS_recvmsg, fds[to], &in_msg, 0));
	in_msg.msg_control = control;
	in_msg.msg_controllen = sizeof(control);
	sent(from, "sendmsg", "by sendmsg\n", syscall(SYS_sendmsg, fds[from], &out_msg, 0));
	received(to, "recvmsg", "by sendmsg\n", syscall(SYS_recvmsg, fds[to], &in_msg, 0));
}

int main(int argc, char **argv)
{
	check(argc == 2);
	tcp_pair(strcmp(argv[1], "inet6") ? AF_INET : AF_INET6, fds);
	conns[0] = conn_of("connected", fds[0]);
	conns[1] = conn_of("accepted", fds[1]);
	for (int from = 0; from < 2; from++) {
		plain(from, !from);
		vectors(from, !from);
		to_and_from(from, !from);
		messages(from, !from);
	}
	return 7;
}
