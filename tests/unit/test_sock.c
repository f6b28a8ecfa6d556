#include "capture/sock.h"

#include "base/addr.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

static struct sock_info info_of(uint64_t cookie, uint64_t inode)
{
	return (struct sock_info){ .cookie = cookie, .inode = inode, .proto = PROTO_TCP };
}

static void one_identity_one_socket(void **state)
{
	static const struct {
		uint64_t cookie, inode;
	} first = { 5, 100 }, cases[] = {
		/* The cookie is unique, an inode only among the living. */
		{ 5, 100 },
		{ 5, 200 },
		{ 5, 0 },
	};
	struct sock_table table = { 0 };
	struct sock_info info = info_of(first.cookie, first.inode);
	bool is_new = false;
	struct sock *sock = sock_table_get(&table, &info, &is_new);

	(void)state;
	assert_true(is_new);
	assert_int_equal(sock->refs, 1);
	assert_int_equal(sock->fds, 0);
	assert_int_equal(sock->conn, 0);
	assert_int_equal(sock->info.proto, PROTO_TCP);
	for (size_t i = 0; i < COUNT(cases); i++) {
		info = info_of(cases[i].cookie, cases[i].inode);
		assert_ptr_equal(sock_table_get(&table, &info, &is_new), sock);
		assert_false(is_new);
		assert_int_equal(sock->refs, 2);
		sock_put(&table, sock);
	}
	sock_put(&table, sock);
	sock_table_done(&table);
}

static void different_identities(void **state)
{
	const struct sock_info infos[] = {
		info_of(5, 100),
		info_of(6, 100),
		info_of(100, 5),
		info_of(0, 5),
		info_of(0, 100),
		/* Not known at all: each is one of its own. */
		info_of(0, 0),
		info_of(0, 0),
	};
	struct sock *socks[COUNT(infos)];
	struct sock_table table = { 0 };
	bool is_new;

	(void)state;
	for (size_t i = 0; i < COUNT(infos); i++) {
		socks[i] = sock_table_get(&table, &infos[i], &is_new);
		CHECK(is_new, "row %zu", i);
		for (size_t j = 0; j < i; j++)
			assert_ptr_not_equal(socks[i], socks[j]);
	}
	for (size_t i = 0; i < COUNT(infos); i++)
		sock_put(&table, socks[i]);
	assert_int_equal(map_count(&table.by_key), 0);
	sock_table_done(&table);
}

/* Where there are no cookies (an old kernel), by the inode; never one for the other. */
static void identity_by_inode(void **state)
{
	struct sock_table table = { 0 };
	struct sock_info info = info_of(0, 5), other = info_of(0, 6);
	bool is_new;
	struct sock *sock = sock_table_get(&table, &info, &is_new), *second;

	(void)state;
	assert_true(is_new);
	assert_ptr_equal(sock_table_get(&table, &info, &is_new), sock);
	assert_false(is_new);
	second = sock_table_get(&table, &other, &is_new);
	assert_true(is_new);
	assert_ptr_not_equal(second, sock);
	sock_put(&table, second);
	sock_put(&table, sock);
	sock_put(&table, sock);
	assert_int_equal(map_count(&table.by_key), 0);
	sock_table_done(&table);
}

/* A sanitizer sees what is not released. */
static void paths_go_with_their_socket(void **state)
{
	struct sock_table table = { 0 };
	struct sock_info info = info_of(7, 1), other = info_of(8, 1);
	bool is_new;
	struct sock *sock = sock_table_get(&table, &info, &is_new);

	(void)state;
	sock->path = strdup("/tmp/x");
	sock_put(&table, sock);
	sock = sock_table_get(&table, &other, &is_new);
	sock->path = strdup("/tmp/y");
	sock_table_done(&table);
}

static void lives_as_long_as_somebody_refers_to_it(void **state)
{
	struct sock_table table = { 0 };
	struct sock_info info = info_of(7, 1);
	bool is_new;
	struct sock *sock = sock_table_get(&table, &info, &is_new);

	(void)state;
	assert_ptr_equal(sock_get(sock), sock);
	sock->conn = 3;
	sock_put(&table, sock);
	assert_ptr_equal(sock_table_get(&table, &info, &is_new), sock);
	assert_false(is_new);
	sock_put(&table, sock);
	sock_put(&table, sock);
	/* Gone; what comes with the same identity is a new one, and has the number it had. */
	sock = sock_table_get(&table, &info, &is_new);
	assert_true(is_new);
	assert_int_equal(sock->conn, 3);
	sock_put(&table, NULL);
	/* What is left is released with the table. */
	sock_table_done(&table);
}

static const struct {
	int domain, type, protocol;
	enum event_family family;
	enum event_proto proto;
} names[] = {
	{ AF_INET, SOCK_STREAM, 0, FAMILY_INET, PROTO_TCP },
	{ AF_INET6, SOCK_STREAM, IPPROTO_TCP, FAMILY_INET6, PROTO_TCP },
	{ AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, FAMILY_INET, PROTO_TCP },
	{ AF_INET, SOCK_DGRAM, 0, FAMILY_INET, PROTO_UDP },
	{ AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP, FAMILY_INET6, PROTO_UDP },
	{ AF_INET, SOCK_DGRAM, IPPROTO_ICMP, FAMILY_INET, PROTO_ICMP },
	{ AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, FAMILY_INET6, PROTO_ICMP },
	{ AF_INET, SOCK_RAW, IPPROTO_ICMP, FAMILY_INET, PROTO_RAW },
	{ AF_INET, SOCK_RAW, IPPROTO_TCP, FAMILY_INET, PROTO_RAW },
	{ AF_INET, SOCK_RAW, IPPROTO_RAW, FAMILY_INET, PROTO_RAW },
	{ AF_INET, SOCK_STREAM, IPPROTO_SCTP, FAMILY_INET, PROTO_SCTP },
	{ AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP, FAMILY_INET, PROTO_SCTP },
	{ AF_INET, SOCK_DCCP, IPPROTO_DCCP, FAMILY_INET, PROTO_DCCP },
	{ AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, FAMILY_INET, PROTO_UDPLITE },
	{ AF_INET, SOCK_STREAM, 262, FAMILY_INET, PROTO_MPTCP },
	{ AF_INET, SOCK_RDM, 0, FAMILY_INET, PROTO_OTHER },
	{ AF_UNIX, SOCK_STREAM, 0, FAMILY_UNIX, PROTO_UNIX_STREAM },
	{ AF_UNIX, SOCK_DGRAM, 0, FAMILY_UNIX, PROTO_UNIX_DGRAM },
	{ AF_UNIX, SOCK_RAW, 0, FAMILY_UNIX, PROTO_UNIX_DGRAM },
	{ AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, FAMILY_UNIX, PROTO_UNIX_SEQPACKET },
	{ AF_NETLINK, SOCK_DGRAM, 0, FAMILY_NONE, PROTO_UDP },
	{ AF_VSOCK, SOCK_STREAM, 0, FAMILY_NONE, PROTO_TCP },
	{ -1, -1, -1, FAMILY_NONE, PROTO_OTHER },
};

static void families_and_protocols(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_int_equal(sock_family(names[i].domain), names[i].family);
		/* Of a family that is not captured nobody asks for the protocol. */
		if (names[i].family != FAMILY_NONE)
			CHECK(sock_proto(names[i].domain, names[i].type, names[i].protocol) ==
				      names[i].proto,
			      "row %zu", i);
	}
}

/* A raw socket of a transport protocol carries packets, not that protocol's stream or datagrams. */
static void raw_sockets_of_other_transports(void **state)
{
	static const int protocols[] = { IPPROTO_SCTP, IPPROTO_DCCP, IPPROTO_UDPLITE };

	(void)state;
	for (size_t i = 0; i < COUNT(protocols); i++)
		CHECK(sock_proto(AF_INET, SOCK_RAW, protocols[i]) == PROTO_RAW, "protocol %d",
		      protocols[i]);
}

static int loopback(int family, int type, struct addr *ret_addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	int result;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	result = family == AF_INET ? bind(fd, (struct sockaddr *)&in, sizeof(in))
				   : bind(fd, (struct sockaddr *)&in6, sizeof(in6));
	if (result) {
		close(fd);
		return -1;
	}
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	assert_true(addr_from_bytes(ret_addr, &ss, len));
	return fd;
}

static void expect_identity(int fd, const struct sock_info *info)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(info->inode, st.st_ino);
	assert_int_not_equal(info->cookie, 0);
}

static void asks_for_tcp(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };

	(void)state;
	for (size_t i = 0; i < COUNT(families); i++) {
		struct sock_info listening, client, accepted, copied;
		struct addr addr;
		int fd = loopback(families[i], SOCK_STREAM, &addr), to, from, copy;

		if (fd < 0)
			continue; /* no IPv6 here */
		assert_int_equal(listen(fd, 1), 0);
		assert_int_equal(sock_ask(fd, &listening), 0);
		assert_int_equal(listening.family, i ? FAMILY_INET6 : FAMILY_INET);
		assert_int_equal(listening.proto, PROTO_TCP);
		assert_true(listening.listening);
		assert_true(addr_equal(&listening.local, &addr));
		assert_true(addr_is_empty(&listening.remote));
		expect_identity(fd, &listening);

		to = socket(families[i], SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(to, &addr.sa, addr.len), 0);
		from = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		copy = dup(from);
		assert_int_equal(sock_ask(to, &client), 0);
		assert_int_equal(sock_ask(from, &accepted), 0);
		assert_int_equal(sock_ask(copy, &copied), 0);
		assert_false(client.listening);
		assert_false(client.has_cred);
		assert_true(addr_equal(&client.remote, &addr));
		assert_true(addr_equal(&client.local, &accepted.remote));
		assert_true(addr_equal(&client.remote, &accepted.local));
		assert_int_not_equal(client.cookie, accepted.cookie);
		assert_int_not_equal(client.inode, accepted.inode);
		assert_int_equal(copied.cookie, accepted.cookie);
		assert_int_equal(copied.inode, accepted.inode);
		close(to);
		close(from);
		close(copy);
		close(fd);
	}
}

static void asks_for_udp_and_unix(void **state)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct sock_info info;
	struct addr addr;
	int udp = loopback(AF_INET, SOCK_DGRAM, &addr), pair[2], bound;
	char text[ADDR_TEXT_MAX], expected[64];

	(void)state;
	assert_int_equal(sock_ask(udp, &info), 0);
	assert_int_equal(info.proto, PROTO_UDP);
	assert_false(info.listening);
	assert_true(addr_is_empty(&info.remote));
	assert_int_equal(connect(udp, &addr.sa, addr.len), 0);
	assert_int_equal(sock_ask(udp, &info), 0);
	assert_true(addr_equal(&info.remote, &addr));
	close(udp);

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(sock_ask(pair[1], &info), 0);
	assert_int_equal(info.family, FAMILY_UNIX);
	assert_int_equal(info.proto, PROTO_UNIX_SEQPACKET);
	assert_true(addr_is_empty(&info.local));
	expect_identity(pair[1], &info);
	close(pair[0]);
	close(pair[1]);

	bound = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	snprintf(expected, sizeof(expected), "@unit-sock-%d", getpid());
	strcpy(name.sun_path + 1, expected + 1);
	assert_int_equal(
		bind(bound, (struct sockaddr *)&name,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(expected))),
		0);
	assert_int_equal(sock_ask(bound, &info), 0);
	assert_string_equal(addr_format(&info.local, text), expected);
	close(bound);
}

/* Of a connected unix socket the kernel knows who is at the other end. */
static void asks_for_the_peer(void **state)
{
	struct sock_info info;
	int pair[2], alone = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(sock_ask(pair[0], &info), 0);
	assert_true(info.has_cred);
	assert_int_equal(info.cred.pid, getpid());
	assert_int_equal(info.cred.uid, geteuid());
	assert_int_equal(info.cred.gid, getegid());
	assert_int_equal(sock_ask(alone, &info), 0);
	assert_false(info.has_cred);
	assert_int_equal(sock_ask(inet, &info), 0);
	assert_false(info.has_cred);
	close(pair[0]);
	close(pair[1]);
	close(alone);
	close(inet);
}

static void what_is_no_socket(void **state)
{
	int file = unit_file();
	struct sock_info info = { .inode = 77 };

	(void)state;
	assert_int_equal(sock_ask(file, &info), -ENOTSOCK);
	close(file);
	assert_int_equal(sock_ask(file, &info), -EBADF);
	assert_int_equal(sock_ask(-1, &info), -EBADF);
	/* Written only on success. */
	assert_int_equal(info.inode, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_identity_one_socket),
		cmocka_unit_test(different_identities),
		cmocka_unit_test(identity_by_inode),
		cmocka_unit_test(paths_go_with_their_socket),
		cmocka_unit_test(lives_as_long_as_somebody_refers_to_it),
		cmocka_unit_test(families_and_protocols),
		cmocka_unit_test(raw_sockets_of_other_transports),
		cmocka_unit_test(asks_for_tcp),
		cmocka_unit_test(asks_for_udp_and_unix),
		cmocka_unit_test(asks_for_the_peer),
		cmocka_unit_test(what_is_no_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
