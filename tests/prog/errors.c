/* Calls that fail: an event with the error, and nothing moved. */
#include "expect.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static char data[300000];

static void fails(const struct conn *conn, int fd, const char *call, const char *error, long ret)
{
	check(ret == -1 && !strcmp(strerrorname_np(errno), error));
	want_error(conn, fd, call, error, "");
}

static void broken_pipe(void)
{
	struct iovec iov = { data, 10 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct conn conn;
	int fds[2];

	tcp_pair(AF_INET, fds);
	conn = conn_of("pipe", fds[0]);
	check(!shutdown(fds[0], SHUT_WR));
	fails(&conn, fds[0], "write", "EPIPE", write(fds[0], data, 10));
	fails(&conn, fds[0], "writev", "EPIPE", writev(fds[0], &iov, 1));
	fails(&conn, fds[0], "sendto", "EPIPE", send(fds[0], data, 10, MSG_NOSIGNAL));
	fails(&conn, fds[0], "sendmsg", "EPIPE", sendmsg(fds[0], &msg, 0));
	/* Large requests are looked at when the call is over. */
	fails(&conn, fds[0], "write", "EPIPE", write(fds[0], data, sizeof(data)));
	close(fds[0]);
	close(fds[1]);
}

static void reset(void)
{
	struct linger at_once = { .l_onoff = 1 };
	struct conn conn;
	int fds[2];

	tcp_pair(AF_INET, fds);
	conn = conn_of("reset", fds[0]);
	check(!setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
	close(fds[1]);
	await_readable(fds[0]);
	fails(&conn, fds[0], "read", "ECONNRESET", read(fds[0], data, 10));
	fails(&conn, fds[0], "write", "EPIPE", write(fds[0], data, 10));
	check(!read(fds[0], data, 10));
	want_data(&conn, fds[0], "read", "", 0, "'flags':['eof']");
	close(fds[0]);
}

static void not_connected(void)
{
	int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
	struct conn conn = conn_of("tcp, not connected", tcp);

	fails(&conn, tcp, "read", "ENOTCONN", read(tcp, data, 10));
	fails(&conn, tcp, "recvfrom", "ENOTCONN", recv(tcp, data, 10, 0));
	fails(&conn, tcp, "sendto", "EPIPE", send(tcp, data, 10, 0));
	check(write(udp, data, 10) == -1 && errno == EDESTADDRREQ);
	/* The call has given it a port. */
	conn = conn_of("udp, not connected", udp);
	want_error(&conn, udp, "write", "EDESTADDRREQ", "");
	close(tcp);
	close(udp);
}

static void datagrams(void)
{
	struct sockaddr_storage ss;
	struct conn conn;
	int fds[2];

	udp_pair(AF_INET, fds);
	conn = conn_of("datagrams", fds[0]);
	fails(&conn, fds[0], "write", "EMSGSIZE", write(fds[0], data, sizeof(data)));
	close(fds[1]);
	check(write(fds[0], "anybody?", 8) == 8);
	want_data(&conn, fds[0], "write", "anybody?", 8, "");
	await_readable(fds[0]);
	fails(&conn, fds[0], "read", "ECONNREFUSED", read(fds[0], data, 10));
	/* To an address of another family. */
	strcpy(conn.remote, "[::1]:9");
	fails(&conn, fds[0], "sendto", "EAFNOSUPPORT",
	      sendto(fds[0], data, 10, 0, (struct sockaddr *)&ss, loopback(AF_INET6, 9, &ss)));
	close(fds[0]);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	broken_pipe();
	reset();
	not_connected();
	datagrams();
	/* A descriptor that is none is no socket's. */
	check(write(99, data, 1) < 0 && errno == EBADF);
	check(send(99, data, 1, 0) < 0 && errno == EBADF);
	want("'type':'end','bytes':{'wire':{'out':8,'in':0}}");
	return 0;
}
