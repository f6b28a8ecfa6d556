/*
 * Which two ends make one connection. Of IP sockets the addresses say it. A local stream's connecting
 * end has no address, but the kernel tells the accepting one which process connected: of the ends of
 * that process at that path the oldest is it.
 */
#include "base/addr.h"
#include "base/own.h"
#include "stream/end.h"

#include <string.h>

TAILQ_HEAD(bucket, end);

void pairs_done(struct pairs *pairs)
{
	MAP_FOR_EACH(node, &pairs->buckets)
		free(map_value(node));
	map_done(&pairs->buckets);
}

static bool is_local(const struct stream *stream)
{
	return stream->proto == PROTO_UNIX_STREAM || stream->proto == PROTO_UNIX_SEQPACKET;
}

static const struct addr *name_of(const struct stream *stream)
{
	return stream->role == ROLE_ACCEPTS ? &stream->local : &stream->remote;
}

/* The same for both ends of one connection. */
static uint64_t bucket_of(const struct end *end)
{
	const struct stream *stream = &end->stream;
	uint64_t low, high, local = addr_port(&stream->local), remote = addr_port(&stream->remote);

	if (is_local(stream))
		return (uint64_t)stream->proto << 56 | (uint64_t)(uint32_t)end->partner;
	low = local < remote ? local : remote;
	high = local < remote ? remote : local;
	return (uint64_t)stream->proto << 56 | high << 16 | low;
}

/* A datagram socket need not know which of the host's addresses a message came to. */
static bool is_same(const struct addr *a, const struct addr *b)
{
	const struct addr *any[] = { a, b };

	if (addr_equal(a, b))
		return true;
	if (addr_port(a) != addr_port(b))
		return false;
	for (size_t i = 0; i < 2; i++)
		if ((any[i]->family == AF_INET && any[i]->in.sin_addr.s_addr == INADDR_ANY) ||
		    (any[i]->family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&any[i]->in6.sin6_addr)))
			return true;
	return false;
}

static bool match(const struct end *a, const struct end *b)
{
	const struct stream *one = &a->stream, *other = &b->stream;

	if (one->conn == other->conn || one->proto != other->proto)
		return false;
	if (is_local(one))
		return a->partner == b->partner && one->role != other->role &&
		       addr_equal(name_of(one), name_of(other));
	if (one->role_seen && other->role_seen && one->role == other->role)
		return false;
	return is_same(&one->local, &other->remote) && is_same(&one->remote, &other->local);
}

static bool can_meet(const struct end *end)
{
	const struct stream *stream = &end->stream;

	if (is_local(stream))
		return stream->role_seen && end->partner && !addr_is_empty(name_of(stream));
	return addr_port(&stream->local) && addr_port(&stream->remote) &&
	       !addr_is_empty(&stream->remote);
}

void pairs_leave(struct pairs *pairs, struct end *end)
{
	struct bucket *bucket;

	if (!end->waits)
		return;
	bucket = map_get(&pairs->buckets, end->bucket);
	TAILQ_REMOVE(bucket, end, in_bucket);
	end->waits = false;
	if (TAILQ_EMPTY(bucket))
		free(map_take(&pairs->buckets, end->bucket));
}

static void wait(struct pairs *pairs, struct end *end, uint64_t key)
{
	struct bucket *bucket = map_get(&pairs->buckets, key);

	if (!bucket) {
		bucket = own_zalloc(sizeof(*bucket));
		TAILQ_INIT(bucket);
		map_put(&pairs->buckets, key, bucket);
	}
	TAILQ_INSERT_TAIL(bucket, end, in_bucket);
	end->bucket = key;
	end->waits = true;
}

/* Who waits in one bucket; hostile captures have many there. */
#define LOOKED_AT 64

struct end *pairs_meet(struct pairs *pairs, struct end *end)
{
	struct bucket *bucket;
	struct end *other;
	uint64_t key;
	int left = LOOKED_AT;

	if (end->met || !can_meet(end))
		return NULL;
	key = bucket_of(end);
	if (end->waits && end->bucket == key)
		return NULL;
	pairs_leave(pairs, end);
	bucket = map_get(&pairs->buckets, key);
	if (bucket) {
		TAILQ_FOREACH(other, bucket, in_bucket) {
			if (!left--)
				break;
			if (!match(end, other))
				continue;
			pairs_leave(pairs, other);
			return other;
		}
	}
	wait(pairs, end, key);
	return NULL;
}
