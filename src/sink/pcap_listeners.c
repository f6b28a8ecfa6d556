#include "sink/pcap_listeners.h"

#include "base/addr.h"
#include "base/own.h"
#include "sink/pcap_addr.h"

#include <string.h>

#define LISTENERS_MAX 1024

static bool same_host(const struct addr *a, const struct addr *b)
{
	size_t len, other;
	const uint8_t *bytes, *others;

	if (!a->len || !b->len || a->family != b->family || a->family == AF_UNIX)
		return false;
	bytes = pcap_addr_bytes(a, &len);
	others = pcap_addr_bytes(b, &other);
	return !memcmp(bytes, others, len);
}

static bool is_any(const struct addr *addr)
{
	size_t len;
	const uint8_t *bytes;
	static const uint8_t zeros[16];

	if (!addr->len || addr->family == AF_UNIX)
		return false;
	bytes = pcap_addr_bytes(addr, &len);
	return !memcmp(bytes, zeros, len);
}

static bool is_loopback(const struct addr *addr)
{
	size_t len;
	const uint8_t *bytes;

	if (!addr->len || addr->family == AF_UNIX)
		return false;
	bytes = pcap_addr_bytes(addr, &len);
	return len == 4 ? bytes[0] == 127 : IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
}

static bool accepts(const struct addr *at, const struct stream *stream)
{
	if (addr_equal(at, &stream->remote))
		return true;
	return is_any(at) && addr_port(at) == addr_port(&stream->remote) &&
	       (is_loopback(&stream->remote) || same_host(&stream->local, &stream->remote));
}

bool pcap_listeners_await(const struct pcap_listeners *listeners, const struct stream *stream)
{
	MAP_FOR_EACH(node, &listeners->by_conn)
		if (accepts(map_value(node), stream))
			return true;
	return false;
}

void pcap_listeners_add(struct pcap_listeners *listeners, const struct event_socket *socket)
{
	struct addr *addr;

	if (addr_is_empty(&socket->local) || map_count(&listeners->by_conn) >= LISTENERS_MAX)
		return;
	addr = own_alloc(sizeof(*addr));
	*addr = socket->local;
	free(map_put(&listeners->by_conn, socket->conn, addr));
}

void pcap_listeners_forget(struct pcap_listeners *listeners, uint64_t conn)
{
	free(map_take(&listeners->by_conn, conn));
}

void pcap_listeners_done(struct pcap_listeners *listeners)
{
	MAP_FOR_EACH(node, &listeners->by_conn)
		free(map_value(node));
	map_done(&listeners->by_conn);
}
