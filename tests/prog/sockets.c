/* The life of sockets: open, bind, listen, connect, accept, shutdown, close. Argument: a family. */
#include "expect.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int family;
static struct sockaddr_storage ss;
static socklen_t len;

static int opened(const char *name, int type)
{
	int fd = socket(family, type, 0);
	struct conn conn;

	check(fd >= 0);
	conn = conn_of(name, fd);
	conn.local[0] = '\0';
	want_socket(&conn, fd, "open", "");
	return fd;
}

static int listens(const char *name, struct conn *listener)
{
	int fd = opened(name, SOCK_STREAM);

	len = loopback(family, 0, &ss);
	check(!bind(fd, (struct sockaddr *)&ss, len));
	*listener = conn_of(name, fd);
	want_socket(listener, fd, "bind", "");
	check(!listen(fd, 10));
	want_socket(listener, fd, "listen", "");
	return fd;
}

static void connection(const char *const names[3], bool flags)
{
	struct conn listening, conns[2];
	int listener = listens(names[0], &listening);
	int client = opened(names[1], SOCK_STREAM), server;
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);

	len = local_address(listener, &ss);
	check(!connect(client, (struct sockaddr *)&ss, len));
	conns[0] = conn_of(names[1], client);
	want_socket(&conns[0], client, "connect", "");
	server = flags ? accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)
		       : accept(listener, (struct sockaddr *)&peer, &peer_len);
	check(server >= 0);
	conns[1] = conn_of(names[2], server);
	check(!strcmp(conns[0].local, conns[1].remote));
	want_socket(&conns[1], server, "accept", "");
	check(accept4(listener, NULL, NULL, 77) == -1 && errno == EINVAL);

	check(!shutdown(client, SHUT_WR));
	want_socket(&conns[0], client, "shutdown", "'how':'write'");
	close(server);
	want_socket(&conns[1], server, "close", "");
	close(client);
	want_socket(&conns[0], client, "close", "");
	close(listener);
	want_socket(&listening, listener, "close", "");
}

static void used_port(void)
{
	int first = opened("first", SOCK_STREAM), second = opened("second", SOCK_STREAM);
	struct conn conn;

	len = loopback(family, 0, &ss);
	check(!bind(first, (struct sockaddr *)&ss, len));
	conn = conn_of("first", first);
	want_socket(&conn, first, "bind", "");
	len = local_address(first, &ss);
	check(bind(second, (struct sockaddr *)&ss, len) == -1 && errno == EADDRINUSE);
	/* What could not be had is what one wants to see. */
	conn.name = "second";
	want_socket(&conn, second, "bind", "'error':'EADDRINUSE'");
	conn.local[0] = '\0';
	want_socket(&conn, second, "close", "");
	close(second);
	/* Nobody has to see a call that names no socket. */
	check(bind(second, (struct sockaddr *)&ss, len) == -1 && errno == EBADF);
	conn = conn_of("first", first);
	close(first);
	want_socket(&conn, first, "close", "");
}

static void datagrams(void)
{
	int fds[2];
	struct conn conns[2];

	for (int i = 0; i < 2; i++) {
		fds[i] = opened(i ? "datagrams 1" : "datagrams 0", SOCK_DGRAM | SOCK_CLOEXEC);
		len = loopback(family, 0, &ss);
		check(!bind(fds[i], (struct sockaddr *)&ss, len));
		conns[i] = conn_of(i ? "datagrams 1" : "datagrams 0", fds[i]);
		want_socket(&conns[i], fds[i], "bind", "");
	}
	len = local_address(fds[1], &ss);
	check(!connect(fds[0], (struct sockaddr *)&ss, len));
	conns[0] = conn_of("datagrams 0", fds[0]);
	want_socket(&conns[0], fds[0], "connect", "");
	/* What is open at the end is closed by the end. */
	want_socket(&conns[0], fds[0], "close", "");
	want_socket(&conns[1], fds[1], "close", "");
}

/* Local sockets are not what is asked for. */
static void local(void)
{
	int fds[2];
	char got[10];

	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	check(write(fds[0], "local", 5) == 5);
	check(read(fds[1], got, sizeof(got)) == 5);
	close(fds[0]);
	close(fds[1]);
}

int main(int argc, char **argv)
{
	static const char *const first[] = { "listener", "client", "server" };
	static const char *const second[] = { "listener 2", "client 2", "server 2" };

	check(argc == 2);
	family = strcmp(argv[1], "inet6") ? AF_INET : AF_INET6;
	settings("'types':['data','socket']");
	/* A socket that asks whether there is such a family. */
	want("'type':'socket','event':'open'");
	want("'type':'socket','event':'bind'");
	want("'type':'socket','event':'close'");
	close(udp_bound(family));
	connection(first, false);
	local();
	connection(second, true);
	used_port();
	datagrams();
	return 0;
}
