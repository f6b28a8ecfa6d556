#include "sink/tally.h"

#include "base/addr.h"
#include "base/map.h"
#include "base/own.h"

#include <string.h>

struct tally {
	struct sink sink;
	struct sink *next;
	uint64_t seq;
	struct map conns;
	struct event_end sums;
	struct tally_limit limit;
	uint64_t data_events;
};

/* Not every socket becomes one: programs ask with them for interfaces, options and routes. */
static bool is_connected(const struct event_socket *socket)
{
	if (socket->error || event_proto_is_datagram(socket->proto))
		return false;
	return socket->what == SOCKET_CONNECT || socket->what == SOCKET_ACCEPT ||
	       (socket->what == SOCKET_FOUND && !addr_is_empty(&socket->remote));
}

/* Of the connection that is there by that event; 0: it tells none. */
static uint64_t conn_of(const struct event *event)
{
	switch (event->type) {
	case EVENT_SOCKET:
		return is_connected(&event->socket) ? event->socket.conn : 0;
	case EVENT_DATA:
		return event->data.conn;
	case EVENT_LOSS:
		return event->loss.conn;
	default:
		return 0;
	}
}

static void complete(const struct tally *tally, struct event_end *end)
{
	memcpy(end->bytes, tally->sums.bytes, sizeof(end->bytes));
	end->lost_bytes = tally->sums.lost_bytes;
	end->lost_calls = tally->sums.lost_calls;
	end->connections = map_count(&tally->conns);
	end->events = tally->seq - 1;
}

/* Counts a data event; true if it is one too many. */
static bool is_over(struct tally *tally)
{
	uint64_t count = ++tally->data_events;

	if (tally->limit.count && count == tally->limit.count)
		tally->limit.reached(tally->limit.ctx);
	return tally->limit.count && count > tally->limit.count;
}

static void tally_emit(struct sink *sink, struct event *event)
{
	struct tally *tally = (struct tally *)sink;
	uint64_t conn = conn_of(event);

	if (event->type == EVENT_DATA && is_over(tally))
		return;
	event->seq = ++tally->seq;
	if (conn)
		map_put(&tally->conns, conn, tally);
	if (event->type == EVENT_DATA) {
		tally->sums.bytes[event->data.layer][event->data.dir] += event_moved(event);
	} else if (event->type == EVENT_LOSS) {
		tally->sums.lost_bytes += event->loss.bytes;
		tally->sums.lost_calls += event->loss.calls;
	} else if (event->type == EVENT_END) {
		complete(tally, &event->end);
	}
	sink_emit(tally->next, event);
}

static int tally_finish(struct sink *sink)
{
	struct tally *tally = (struct tally *)sink;
	int result = sink_finish(tally->next);

	map_done(&tally->conns);
	free(tally);
	return result;
}

struct sink *tally_new(const struct tally_limit *limit, struct sink *next)
{
	struct tally *tally = own_zalloc(sizeof(*tally));

	tally->sink = (struct sink){ .emit = tally_emit, .finish = tally_finish };
	tally->next = next;
	tally->limit = *limit;
	return &tally->sink;
}
