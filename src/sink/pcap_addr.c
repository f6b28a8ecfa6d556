#include "sink/pcap_addr.h"

#include "base/addr.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t prefix[8] = { 0xfd, 'i', 'o', 't', 'r', 'a', 'c', 'e' };

/* FNV-1a. */
static uint64_t hash_of(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3ULL;
	return hash;
}

/* The number that a path ends with, as PostgreSQL's does, can be a port that dissectors know. */
static uint16_t port_in(const char *path, size_t len)
{
	size_t at = len;
	unsigned long port = 0;

	while (at && path[at - 1] >= '0' && path[at - 1] <= '9')
		at--;
	for (size_t i = at; i < len && port <= UINT16_MAX; i++)
		port = port * 10 + (unsigned long)(path[i] - '0');
	return port && port <= UINT16_MAX ? (uint16_t)port : 1;
}

/* Of a local socket with a name. */
static struct addr named(const struct addr *addr)
{
	struct addr made = { .in6 = { .sin6_family = AF_INET6 }, .len = sizeof(made.in6) };
	size_t len = addr->len - offsetof(struct sockaddr_un, sun_path);
	uint64_t hash = htobe64(hash_of(addr->un.sun_path, len));

	memcpy(made.in6.sin6_addr.s6_addr, prefix, sizeof(prefix));
	memcpy(made.in6.sin6_addr.s6_addr + 8, &hash, sizeof(hash));
	made.in6.sin6_port = htons(port_in(addr->un.sun_path, len));
	return made;
}

/* Of one without: the connection's number. */
static struct addr unnamed(uint64_t conn, bool remote)
{
	struct addr made = { .in6 = { .sin6_family = AF_INET6 }, .len = sizeof(made.in6) };
	uint64_t number = htobe64(conn << 1 | remote);

	memcpy(made.in6.sin6_addr.s6_addr, prefix, sizeof(prefix));
	made.in6.sin6_addr.s6_addr[7]++;
	memcpy(made.in6.sin6_addr.s6_addr + 8, &number, sizeof(number));
	made.in6.sin6_port = htons((uint16_t)(49152 + conn % 16384));
	return made;
}

static bool is_any(const struct addr *addr)
{
	return addr->family == AF_INET ? addr->in.sin_addr.s_addr == INADDR_ANY
				       : IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
}

static bool is_loopback(const struct addr *addr)
{
	return addr->family == AF_INET ? ntohl(addr->in.sin_addr.s_addr) >> 24 == 127
				       : IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
}

/* An address of that family with no host. */
static struct addr any_of(sa_family_t family, uint16_t port)
{
	struct addr addr = { 0 };

	if (family == AF_INET) {
		addr.in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
		addr.len = sizeof(addr.in);
	} else {
		addr.in6 =
			(struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
		addr.len = sizeof(addr.in6);
	}
	return addr;
}

/*
 * A socket bound to no host in particular: from loopback is to loopback. One for both families has an
 * IPv6 address although its peer's is IPv4.
 */
static struct addr local_for(const struct addr *local, const struct addr *remote)
{
	struct addr made;

	if (local->len && local->family == remote->family && !is_any(local))
		return *local;
	if (local->len && local->family != remote->family && !is_any(local))
		return any_of(remote->family, addr_port(local));
	if (!is_loopback(remote))
		return any_of(remote->family, addr_port(local));
	made = *remote;
	if (made.family == AF_INET)
		made.in.sin_port = htons(addr_port(local));
	else
		made.in6.sin6_port = htons(addr_port(local));
	return made;
}

static bool is_inet(const struct addr *addr)
{
	return addr->len && (addr->family == AF_INET || addr->family == AF_INET6);
}

bool pcap_addrs(const struct stream *stream, struct addr *ret_local, struct addr *ret_remote)
{
	switch (stream->proto) {
	case PROTO_UNIX_STREAM:
	case PROTO_UNIX_DGRAM:
	case PROTO_UNIX_SEQPACKET:
		*ret_local = addr_is_empty(&stream->local) ? unnamed(stream->conn, false)
							   : named(&stream->local);
		*ret_remote = addr_is_empty(&stream->remote) ? unnamed(stream->conn, true)
							     : named(&stream->remote);
		return true;
	case PROTO_TCP:
	case PROTO_MPTCP:
	case PROTO_UDP:
	case PROTO_UDPLITE:
	case PROTO_RAW:
	case PROTO_ICMP:
		break;
	default:
		return false;
	}
	if (!is_inet(&stream->remote) && !is_inet(&stream->local))
		return false;
	*ret_remote = is_inet(&stream->remote) ? stream->remote : any_of(stream->local.family, 0);
	*ret_local = local_for(&stream->local, ret_remote);
	return true;
}

const uint8_t *pcap_addr_bytes(const struct addr *addr, size_t *ret_len)
{
	bool inet = addr->family == AF_INET;

	*ret_len = inet ? 4 : 16;
	return inet ? (const uint8_t *)&addr->in.sin_addr : addr->in6.sin6_addr.s6_addr;
}
