#include "capture/sock.h"

#include "abi/levels.h"
#include "base/addr.h"
#include "base/own.h"

#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* Inodes are unique among live sockets, cookies among all since boot; either may be missing. */
static uint64_t key_of(const struct sock_info *info)
{
	return info->cookie ? info->cookie << 1 : info->inode << 1 | 1;
}

struct sock *sock_table_get(struct sock_table *table, const struct sock_info *info, bool *ret_new)
{
	uint64_t key = key_of(info);
	struct sock *sock = key > 1 ? map_get(&table->by_key, key) : NULL;

	*ret_new = !sock;
	if (sock)
		return sock_get(sock);
	sock = own_zalloc(sizeof(*sock));
	sock->conn = (uint64_t)(uintptr_t)map_get(&table->conns, info->cookie);
	sock->info = *info;
	sock->refs = 1;
	if (key > 1)
		map_put(&table->by_key, key, sock);
	return sock;
}

void sock_table_done(struct sock_table *table)
{
	MAP_FOR_EACH(node, &table->by_key) {
		struct sock *sock = map_value(node);

		free(sock->path);
		free(sock);
	}
	map_done(&table->by_key);
	map_done(&table->conns);
}

struct sock *sock_get(struct sock *sock)
{
	sock->refs++;
	return sock;
}

/* So many numbers of sockets that are gone are remembered. */
#define CONNS_MAX 65536U

static void remember_conn(struct sock_table *table, const struct sock *sock)
{
	if (!sock->conn || !sock->info.cookie)
		return;
	if (map_count(&table->conns) >= CONNS_MAX)
		map_done(&table->conns);
	map_put(&table->conns, sock->info.cookie, (void *)(uintptr_t)sock->conn);
}

void sock_put(struct sock_table *table, struct sock *sock)
{
	if (!sock || --sock->refs)
		return;
	remember_conn(table, sock);
	if (key_of(&sock->info) > 1)
		map_take(&table->by_key, key_of(&sock->info));
	free(sock->path);
	free(sock);
}

enum event_family sock_family(int domain)
{
	switch (domain) {
	case AF_INET:
		return FAMILY_INET;
	case AF_INET6:
		return FAMILY_INET6;
	case AF_UNIX:
		return FAMILY_UNIX;
	default:
		return FAMILY_NONE;
	}
}

static enum event_proto unix_proto(int type)
{
	switch (type) {
	case SOCK_STREAM:
		return PROTO_UNIX_STREAM;
	case SOCK_SEQPACKET:
		return PROTO_UNIX_SEQPACKET;
	default:
		return PROTO_UNIX_DGRAM;
	}
}

enum event_proto sock_proto(int domain, int type, int protocol)
{
	type &= 0xf; /* SOCK_TYPE_MASK: without SOCK_NONBLOCK and SOCK_CLOEXEC */
	if (domain == AF_UNIX)
		return unix_proto(type);
	if (type == SOCK_RAW)
		return PROTO_RAW;
	switch (protocol) {
	case IPPROTO_SCTP:
		return PROTO_SCTP;
	case IPPROTO_DCCP:
		return PROTO_DCCP;
	case IPPROTO_UDPLITE:
		return PROTO_UDPLITE;
	case IPPROTO_MPTCP:
		return PROTO_MPTCP;
	}
	switch (type) {
	case SOCK_STREAM:
		return PROTO_TCP;
	case SOCK_DGRAM:
		return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6 ? PROTO_ICMP
									      : PROTO_UDP;
	default:
		return PROTO_OTHER;
	}
}

static int int_option(int fd, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) ? 0 : value;
}

static void ask_addresses(int fd, struct sock_info *info)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (!getsockname(fd, (struct sockaddr *)&ss, &len))
		addr_from_bytes(&info->local, &ss, len);
	len = sizeof(ss);
	if (!getpeername(fd, (struct sockaddr *)&ss, &len))
		addr_from_bytes(&info->remote, &ss, len);
}

static void ask_peer(int fd, struct sock_info *info)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) || cred.pid <= 0)
		return;
	info->has_cred = true;
	info->cred = (struct event_cred){ cred.pid, cred.uid, cred.gid };
}

/* With the head of the keys' structure alone, as we do not want the keys: net/tls/tls_main.c. */
static bool has_keys(int fd, int option)
{
	struct tls_crypto_info info;
	socklen_t len = sizeof(info);

	return !getsockopt(fd, SOL_TLS, option, &info, &len);
}

static void ask_tls(int fd, struct sock_info *info)
{
	char name[16] = ""; /* TCP_ULP_NAME_MAX */
	socklen_t len = sizeof(name) - 1;

	if (getsockopt(fd, IPPROTO_TCP, TCP_ULP, name, &len) || strcmp(name, "tls"))
		return;
	info->ktls[DIR_OUT] = has_keys(fd, TLS_TX);
	info->ktls[DIR_IN] = has_keys(fd, TLS_RX);
}

int sock_ask(int fd, struct sock_info *ret_info)
{
	struct sock_info info = { 0 };
	uint64_t cookie;
	socklen_t len = sizeof(cookie);
	struct stat st;
	int domain;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	info.inode = st.st_ino;
	domain = int_option(fd, SO_DOMAIN);
	info.family = sock_family(domain);
	info.proto = sock_proto(domain, int_option(fd, SO_TYPE), int_option(fd, SO_PROTOCOL));
	/* SO_COOKIE: Linux 4.12. What is accepted by MPTCP has its listener's (seen on 6.18). */
	if (info.proto != PROTO_MPTCP && !getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len))
		info.cookie = cookie;
	info.listening = int_option(fd, SO_ACCEPTCONN) != 0;
	ask_addresses(fd, &info);
	if (info.family == FAMILY_UNIX && info.remote.len)
		ask_peer(fd, &info);
	if (info.proto == PROTO_TCP && info.remote.len)
		ask_tls(fd, &info);
	*ret_info = info;
	return 0;
}
