#include "stream/stream.h"

#include "base/addr.h"
#include "base/own.h"
#include "stream/end.h"

#include <errno.h>
#include <string.h>

/*
 * Ends that connected and were closed before anybody accepted them: the other end's first event is
 * still to come.
 */
#define GHOSTS_MAX 256

struct sock_ends {
	uint64_t conn;
	TAILQ_HEAD(, end) ends; /* in the order of their first events */
};

TAILQ_HEAD(ends, end);

struct streams {
	struct stream_ops ops;
	void *ctx;
	struct map sockets; /* conn to struct sock_ends */
	struct map ends;    /* key_of to struct end */
	struct ends by_age; /* the one that was silent longest first */
	struct ends ghosts;
	size_t ghost_count;
	struct pairs pairs;
};

/* SplitMix64's finish. */
static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9ULL;
	value = (value ^ value >> 27) * 0x94d049bb133111ebULL;
	return value ^ value >> 31;
}

static uint64_t addr_hash(const struct addr *addr)
{
	uint64_t hash = mix(addr->len), word;
	const uint8_t *bytes = (const uint8_t *)&addr->un;

	for (size_t at = 0; at < addr->len; at += sizeof(word)) {
		size_t n = addr->len - at < sizeof(word) ? addr->len - at : sizeof(word);

		word = 0;
		memcpy(&word, bytes + at, n);
		hash = mix(hash ^ word);
	}
	return hash;
}

/* Datagram sockets have an end for each peer, but for those that are always connected. */
static bool has_peers(enum event_proto proto)
{
	return event_proto_is_datagram(proto) && proto != PROTO_UNIX_SEQPACKET;
}

static uint64_t key_of(uint64_t conn, enum event_proto proto, const struct addr *remote)
{
	return has_peers(proto) ? mix(conn ^ addr_hash(remote)) : conn;
}

static void forget(struct streams *streams, struct end *end)
{
	pairs_leave(&streams->pairs, end);
	if (end->stream.peer)
		end->stream.peer->peer = NULL;
	if (streams->ops.forgotten)
		streams->ops.forgotten(streams->ctx, &end->stream);
	free(end);
}

static void forget_ghost(struct streams *streams, struct end *end)
{
	TAILQ_REMOVE(&streams->ghosts, end, age);
	streams->ghost_count--;
	forget(streams, end);
}

static bool may_be_accepted(const struct end *end)
{
	return end->waits && end->stream.role_seen && end->stream.role == ROLE_CONNECTS;
}

static void close_end(struct streams *streams, struct end *end, const struct event *event)
{
	struct sock_ends *socket = end->socket;

	map_take(&streams->ends, end->key);
	TAILQ_REMOVE(&streams->by_age, end, age);
	TAILQ_REMOVE(&socket->ends, end, of_socket);
	if (TAILQ_EMPTY(&socket->ends))
		free(map_take(&streams->sockets, socket->conn));
	end->stream.closed = true;
	if (streams->ops.closed)
		streams->ops.closed(streams->ctx, &end->stream, event);
	if (!event || !may_be_accepted(end)) {
		forget(streams, end);
		return;
	}
	TAILQ_INSERT_TAIL(&streams->ghosts, end, age);
	if (++streams->ghost_count > GHOSTS_MAX)
		forget_ghost(streams, TAILQ_FIRST(&streams->ghosts));
}

static void close_socket(struct streams *streams, const struct event *event)
{
	struct sock_ends *socket = map_get(&streams->sockets, event->socket.conn);
	struct end *end, *next;

	for (end = socket ? TAILQ_FIRST(&socket->ends) : NULL; end; end = next) {
		next = TAILQ_NEXT(end, of_socket);
		close_end(streams, end, event);
	}
}

static struct sock_ends *socket_of(struct streams *streams, uint64_t conn)
{
	struct sock_ends *socket = map_get(&streams->sockets, conn);

	if (!socket) {
		socket = own_zalloc(sizeof(*socket));
		socket->conn = conn;
		TAILQ_INIT(&socket->ends);
		map_put(&streams->sockets, conn, socket);
	}
	return socket;
}

static struct end *open_end(struct streams *streams, uint64_t key, uint64_t conn,
			    enum event_proto proto, const struct addr *remote)
{
	struct end *end = own_zalloc(sizeof(*end));

	if (map_count(&streams->ends) >= STREAMS_MAX)
		close_end(streams, TAILQ_FIRST(&streams->by_age), NULL);
	end->stream.conn = conn;
	end->stream.proto = proto;
	end->stream.remote = *remote;
	end->stream.datagram = event_proto_is_datagram(proto);
	end->stream.fresh = end->stream.datagram;
	end->key = key;
	end->socket = socket_of(streams, conn);
	TAILQ_INSERT_TAIL(&end->socket->ends, end, of_socket);
	TAILQ_INSERT_TAIL(&streams->by_age, end, age);
	map_put(&streams->ends, key, end);
	if (streams->ops.opened)
		streams->ops.opened(streams->ctx, &end->stream);
	return end;
}

/* The end that an event is about, made if it is new. */
static struct end *find_end(struct streams *streams, uint64_t conn, enum event_proto proto,
			    const struct addr *remote)
{
	uint64_t key = key_of(conn, proto, remote);
	struct end *end = map_get(&streams->ends, key);

	/* Two of the same key: only a hostile capture has them. */
	if (end && (end->stream.conn != conn || end->stream.proto != proto ||
		    (has_peers(proto) && !addr_equal(&end->stream.remote, remote)))) {
		close_end(streams, end, NULL);
		end = NULL;
	}
	if (!end)
		return open_end(streams, key, conn, proto, remote);
	TAILQ_REMOVE(&streams->by_age, end, age);
	TAILQ_INSERT_TAIL(&streams->by_age, end, age);
	return end;
}

static void set_addrs(struct stream *stream, const struct addr *local, const struct addr *remote)
{
	if (!addr_is_empty(local))
		stream->local = *local;
	if (!addr_is_empty(remote))
		stream->remote = *remote;
	/* Servers have the lower ports. */
	if (!stream->role_seen && addr_port(&stream->local) && addr_port(&stream->remote))
		stream->role = addr_port(&stream->local) > addr_port(&stream->remote)
				       ? ROLE_CONNECTS
				       : ROLE_ACCEPTS;
}

static void meet(struct streams *streams, struct end *end)
{
	struct end *other = pairs_meet(&streams->pairs, end);

	if (!other)
		return;
	end->met = other->met = true;
	end->stream.peer = &other->stream;
	other->stream.peer = &end->stream;
	if (streams->ops.paired)
		streams->ops.paired(streams->ctx, &end->stream);
	if (other->stream.closed)
		forget_ghost(streams, other);
}

static void tell_event(struct streams *streams, struct end *end, const struct event *event)
{
	if (streams->ops.event)
		streams->ops.event(streams->ctx, &end->stream, event);
}

static void tell_end(struct streams *streams, struct end *end, enum event_dir dir,
		     const struct event *event)
{
	if (end->told_end[dir])
		return;
	end->told_end[dir] = true;
	if (streams->ops.ended)
		streams->ops.ended(streams->ctx, &end->stream, dir, event);
}

static void tell_gap(struct streams *streams, struct end *end, enum event_layer layer,
		     enum event_dir dir, uint64_t len, const struct event *event)
{
	if (streams->ops.gap)
		streams->ops.gap(streams->ctx, &end->stream, layer, dir, len, event);
	end->stream.moved[layer][dir] += len;
}

static bool is_attempt(const struct event_socket *socket)
{
	return socket->what == SOCKET_CONNECT && (!socket->error || socket->error == EINPROGRESS);
}

/* A socket that connects once more, to or from elsewhere, is another connection. */
static bool begins_anew(const struct end *end, const struct event_socket *socket)
{
	const struct stream *stream = &end->stream;

	return is_attempt(socket) && stream->role_seen && !has_peers(stream->proto) &&
	       !addr_is_empty(&socket->local) && !addr_is_empty(&socket->remote) &&
	       !(addr_equal(&stream->local, &socket->local) &&
		 addr_equal(&stream->remote, &socket->remote));
}

static void set_role(struct end *end, const struct event *event)
{
	const struct event_socket *socket = &event->socket;

	switch (socket->what) {
	case SOCKET_OPEN:
		end->stream.fresh = true;
		break;
	case SOCKET_CONNECT:
	case SOCKET_ACCEPT:
		end->stream.fresh = true;
		end->stream.role_seen = true;
		end->stream.role = socket->what == SOCKET_CONNECT ? ROLE_CONNECTS : ROLE_ACCEPTS;
		end->partner = socket->what == SOCKET_CONNECT ? event->pid
			       : socket->has_cred             ? socket->cred.pid
							      : 0;
		break;
	default:
		break;
	}
}

/* Listening and unconnected sockets are no connections, but may become one. */
static bool is_connected(const struct event_socket *socket)
{
	return is_attempt(socket) || socket->what == SOCKET_ACCEPT || socket->what == SOCKET_FOUND;
}

static void add_socket(struct streams *streams, const struct event *event)
{
	const struct event_socket *socket = &event->socket;
	struct end *end;

	if (has_peers(socket->proto) && addr_is_empty(&socket->remote)) {
		if (socket->what == SOCKET_CLOSE)
			close_socket(streams, event);
		return;
	}
	end = find_end(streams, socket->conn, socket->proto, &socket->remote);
	if (begins_anew(end, socket)) {
		close_end(streams, end, NULL);
		end = find_end(streams, socket->conn, socket->proto, &socket->remote);
	}
	set_role(end, event);
	set_addrs(&end->stream, &socket->local, &socket->remote);
	if (is_connected(socket))
		meet(streams, end);
	tell_event(streams, end, event);
	if (socket->what == SOCKET_SHUTDOWN && socket->how != SHUTDOWN_READ)
		tell_end(streams, end, DIR_OUT, event);
	if (socket->what == SOCKET_CLOSE)
		close_socket(streams, event);
}

static uint64_t missing(const struct event_data *data)
{
	uint64_t len = data->full > data->len ? data->full : data->len;

	return len - data->captured;
}

static void add_data(struct streams *streams, const struct event *event)
{
	const struct event_data *data = &event->data;
	struct end *end;

	if (!data->conn)
		return;
	end = find_end(streams, data->conn, data->proto, &data->remote);
	set_addrs(&end->stream, &data->local, &data->remote);
	meet(streams, end);
	tell_event(streams, end, event);
	if (data->error || data->flags & (FLAG_PEEK | FLAG_ERRQUEUE))
		return;
	if (data->flags & FLAG_EOF) {
		/* A library's end of plaintext is not the connection's. */
		if (data->layer == LAYER_WIRE || data->flags & FLAG_KTLS)
			tell_end(streams, end, data->dir, event);
		return;
	}
	/* What TLS says over kernel TLS: neither what went over the wire nor the program's. */
	if (data->layer == LAYER_WIRE && data->flags & FLAG_KTLS)
		return;
	if ((data->captured || end->stream.datagram) && streams->ops.bytes)
		streams->ops.bytes(streams->ctx, &end->stream, event);
	end->stream.moved[data->layer][data->dir] += data->captured;
	if (missing(data))
		tell_gap(streams, end, data->layer, data->dir, missing(data), event);
}

static void lose(struct streams *streams, struct end *end, const struct event *event)
{
	for (enum event_layer layer = LAYER_WIRE; layer < LAYERS; layer++)
		for (enum event_dir dir = DIR_OUT; dir < DIRS; dir++)
			tell_gap(streams, end, layer, dir, 0, event);
}

/* What a data event says itself: it has less payload than bytes. */
static bool is_told_by_data(const struct event_loss *loss)
{
	return loss->reason &&
	       (!strcmp(loss->reason, "unreadable") || !strcmp(loss->reason, "discarded"));
}

static void add_loss(struct streams *streams, const struct event *event)
{
	const struct event_loss *loss = &event->loss;
	struct sock_ends *socket;
	struct end *end;

	if (is_told_by_data(loss) || !(loss->bytes || loss->calls))
		return;
	if (!loss->conn) {
		TAILQ_FOREACH(end, &streams->by_age, age)
			lose(streams, end, event);
		return;
	}
	socket = map_get(&streams->sockets, loss->conn);
	if (!socket)
		return;
	TAILQ_FOREACH(end, &socket->ends, of_socket)
		lose(streams, end, event);
}

struct streams *streams_new(const struct stream_ops *ops, void *ctx)
{
	struct streams *streams = own_zalloc(sizeof(*streams));

	streams->ops = *ops;
	streams->ctx = ctx;
	TAILQ_INIT(&streams->by_age);
	TAILQ_INIT(&streams->ghosts);
	return streams;
}

void streams_add(struct streams *streams, const struct event *event)
{
	if (event->type == EVENT_SOCKET)
		add_socket(streams, event);
	else if (event->type == EVENT_DATA)
		add_data(streams, event);
	else if (event->type == EVENT_LOSS)
		add_loss(streams, event);
}

void streams_free(struct streams *streams)
{
	struct end *end;

	if (!streams)
		return;
	while ((end = TAILQ_FIRST(&streams->by_age)))
		close_end(streams, end, NULL);
	while ((end = TAILQ_FIRST(&streams->ghosts)))
		forget_ghost(streams, end);
	pairs_done(&streams->pairs);
	map_done(&streams->ends);
	map_done(&streams->sockets);
	free(streams);
}
