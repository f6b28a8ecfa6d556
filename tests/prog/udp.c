/* Datagrams: who sent and who gets each. Argument: inet, inet6, or mapped (IPv4 on an IPv6 socket). */
#include "expect.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int family = AF_INET;
static bool mapped;
static char got[100];

static void to_mapped(struct sockaddr_storage *ss, socklen_t *len)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	memcpy(&in, ss, sizeof(in));
	in6.sin6_port = in.sin_port;
	in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(in6.sin6_addr.s6_addr + 12, &in.sin_addr, 4);
	memset(ss, 0, sizeof(*ss));
	memcpy(ss, &in6, sizeof(in6));
	*len = sizeof(in6);
}

/* A socket of the kind under test, not bound. */
static int new_socket(void)
{
	int fd = socket(mapped ? AF_INET6 : family, SOCK_DGRAM, 0), off = 0;

	if (fd < 0)
		skip("no such address family");
	check(!mapped || !setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)));
	return fd;
}

/* The address of a peer, as the socket under test has to give it. */
static socklen_t peer_address(int peer, struct sockaddr_storage *ss)
{
	socklen_t len = local_address(peer, ss);

	if (mapped)
		to_mapped(ss, &len);
	return len;
}

/* The address of the socket under test, as its peers have to give it. */
static socklen_t address_for_peer(int fd, struct sockaddr_storage *ss)
{
	struct sockaddr_storage bound_to;

	local_address(fd, &bound_to);
	return loopback(family,
			ntohs(bound_to.ss_family == AF_INET6
				      ? ((struct sockaddr_in6 *)&bound_to)->sin6_port
				      : ((struct sockaddr_in *)&bound_to)->sin_port),
			ss);
}

static void set_remote(struct conn *conn, const struct sockaddr_storage *ss, socklen_t len)
{
	address_text((const struct sockaddr *)ss, len, conn->remote);
}

/* The peers themselves are not what is tested. */
static void peer_sends(struct conn *peer, int fd, const char *text, size_t size,
		       const struct sockaddr_storage *to, socklen_t len)
{
	check(sendto(fd, text, size, 0, (const struct sockaddr *)to, len) == (ssize_t)size);
	set_remote(peer, to, len);
	want_data(peer, fd, "sendto", text, size, "");
}

static void peer_gets(struct conn *peer, int fd, const char *text, size_t size)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	check(recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&ss, &len) == (ssize_t)size);
	set_remote(peer, &ss, len);
	want_data(peer, fd, "recvfrom", text, size, "");
}

/* sendto gives the socket its local port; each datagram has its own receiver. */
static void unconnected_out(int fd, struct conn *conn, const int peers[2], struct conn names[2])
{
	struct iovec iov = { (void *)(uintptr_t) "second", 6 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct sockaddr_storage ss;
	socklen_t len = peer_address(peers[0], &ss);

	check(sendto(fd, "first", 5, 0, (struct sockaddr *)&ss, len) == 5);
	local_text(fd, conn->local);
	check(*conn->local);
	set_remote(conn, &ss, len);
	want_data(conn, fd, "sendto", "first", 5, "");
	peer_gets(&names[0], peers[0], "first", 5);

	len = peer_address(peers[1], &ss);
	msg.msg_name = &ss;
	msg.msg_namelen = len;
	check(sendmsg(fd, &msg, 0) == 6);
	set_remote(conn, &ss, len);
	want_data(conn, fd, "sendmsg", "second", 6, "");
	peer_gets(&names[1], peers[1], "second", 6);
}

static void unconnected_in(int fd, struct conn *conn, const int peers[2], struct conn names[2])
{
	struct sockaddr_storage from, own;
	socklen_t len = address_for_peer(fd, &own);
	struct iovec iov = { got, sizeof(got) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof(from)
	};

	peer_sends(&names[0], peers[0], "one", 3, &own, len);
	peer_sends(&names[1], peers[1], "two", 3, &own, len);
	peer_sends(&names[0], peers[0], "three", 5, &own, len);
	peer_sends(&names[1], peers[1], "four", 4, &own, len);

	len = sizeof(from);
	check(recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&from, &len) == 3);
	set_remote(conn, &from, len);
	want_data(conn, fd, "recvfrom", "one", 3, "");

	check(recvmsg(fd, &msg, 0) == 3);
	set_remote(conn, &from, msg.msg_namelen);
	want_data(conn, fd, "recvmsg", "two", 3, "");

	/* Nobody asked who sent it: it is not known, and above all not the one before. */
	conn->remote[0] = '\0';
	check(recvfrom(fd, got, sizeof(got), 0, NULL, NULL) == 5);
	want_data(conn, fd, "recvfrom", "three", 5, "");
	check(read(fd, got, sizeof(got)) == 4);
	want_data(conn, fd, "read", "four", 4, "");
}

static void empty(int fd, struct conn *conn, int peer, struct conn *name)
{
	struct sockaddr_storage ss, own;
	socklen_t len = peer_address(peer, &ss);

	check(!sendto(fd, NULL, 0, 0, (struct sockaddr *)&ss, len));
	set_remote(conn, &ss, len);
	want_data(conn, fd, "sendto", "", 0, "");
	peer_gets(name, peer, "", 0);

	len = address_for_peer(fd, &own);
	peer_sends(name, peer, "", 0, &own, len);
	len = sizeof(ss);
	check(!recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&ss, &len));
	want_data(conn, fd, "recvfrom", "", 0, "");
	peer_sends(name, peer, "", 0, &own, address_for_peer(fd, &own));
	conn->remote[0] = '\0';
	check(!read(fd, got, sizeof(got)));
	want_data(conn, fd, "read", "", 0, "");
}

/* Connected, to one after the other, once past it, and in the end to nobody. */
static void connected(const int peers[2], struct conn names[2])
{
	int fd = new_socket();
	struct sockaddr_storage ss, own;
	struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	struct conn conn;
	socklen_t len;

	for (int i = 0; i < 2; i++) {
		len = peer_address(peers[i], &ss);
		check(!connect(fd, (struct sockaddr *)&ss, len));
		conn = conn_of("connected", fd);
		check(*conn.local && *conn.remote);
		check(write(fd, "request", 7) == 7);
		want_data(&conn, fd, "write", "request", 7, "");
		peer_gets(&names[i], peers[i], "request", 7);
		peer_sends(&names[i], peers[i], "answer", 6, &own, address_for_peer(fd, &own));
		check(read(fd, got, sizeof(got)) == 6);
		want_data(&conn, fd, "read", "answer", 6, "");
	}

	len = peer_address(peers[0], &ss);
	check(sendto(fd, "past", 4, 0, (struct sockaddr *)&ss, len) == 4);
	set_remote(&conn, &ss, len);
	want_data(&conn, fd, "sendto", "past", 4, "");
	peer_gets(&names[0], peers[0], "past", 4);

	check(!connect(fd, &nobody, sizeof(nobody)));
	check(sendto(fd, "last", 4, 0, (struct sockaddr *)&ss, len) == 4);
	conn = conn_of("connected", fd);
	set_remote(&conn, &ss, len);
	want_data(&conn, fd, "sendto", "last", 4, "");
	peer_gets(&names[0], peers[0], "last", 4);
	peer_sends(&names[0], peers[0], "reply", 5, &own, address_for_peer(fd, &own));
	conn.remote[0] = '\0';
	check(read(fd, got, sizeof(got)) == 5);
	want_data(&conn, fd, "read", "reply", 5, "");
	close(fd);
}

int main(int argc, char **argv)
{
	int fd, peers[2];
	struct conn conn, names[2];

	check(argc == 2);
	mapped = !strcmp(argv[1], "mapped");
	if (!strcmp(argv[1], "inet6"))
		family = AF_INET6;
	peers[0] = udp_bound(family);
	peers[1] = udp_bound(family);
	names[0] = conn_of("peer 0", peers[0]);
	names[1] = conn_of("peer 1", peers[1]);
	fd = new_socket();
	conn = conn_of("unconnected", fd);
	unconnected_out(fd, &conn, peers, names);
	unconnected_in(fd, &conn, peers, names);
	empty(fd, &conn, peers[0], &names[0]);
	connected(peers, names);
	return 0;
}
