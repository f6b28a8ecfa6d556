#include "stream/stream.h"

#include "base/addr.h"
#include "base/buf.h"
#include "base/own.h"
#include "unit.h"

#include <errno.h>

/* What is told, one word each: "1+" conn 1 opened, "1>3" bytes out, "1?out" a gap, … */
static struct buf told;

static void tell(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (told.len)
		buf_addc(&told, ' ');
	buf_addv(&told, format, args);
	va_end(args);
}

static void on_opened(void *ctx, struct stream *stream)
{
	assert_ptr_equal(ctx, &told);
	stream->user = &told;
	tell("%lu+", stream->conn);
}

static void on_paired(void *ctx, struct stream *stream)
{
	(void)ctx;
	assert_ptr_equal(stream->peer->peer, stream);
	tell("%lu=%lu", stream->conn, stream->peer->conn);
}

static void on_bytes(void *ctx, struct stream *stream, const struct event *event)
{
	const struct event_data *data = &event->data;

	(void)ctx;
	assert_ptr_equal(stream->user, &told);
	tell("%lu%s%lu@%lu%.*s", stream->conn, data->dir == DIR_OUT ? ">" : "<", data->captured,
	     stream->moved[data->layer][data->dir], data->layer == LAYER_PLAIN ? 1 : 0, "p");
}

static void on_gap(void *ctx, struct stream *stream, enum event_layer layer, enum event_dir dir,
		   uint64_t len, const struct event *event)
{
	(void)ctx;
	(void)event;
	if (layer == LAYER_WIRE)
		tell("%lu?%s%lu", stream->conn, dir == DIR_OUT ? ">" : "<", len);
}

static void on_ended(void *ctx, struct stream *stream, enum event_dir dir,
		     const struct event *event)
{
	(void)ctx;
	(void)event;
	tell("%lu%s|", stream->conn, dir == DIR_OUT ? ">" : "<");
}

static void on_closed(void *ctx, struct stream *stream, const struct event *event)
{
	(void)ctx;
	tell("%lu%s", stream->conn, event ? "-" : "~");
	if (stream->datagram)
		tell("%u", addr_port(&stream->remote));
}

static void on_forgotten(void *ctx, struct stream *stream)
{
	(void)ctx;
	assert_true(stream->closed);
	tell("%lu.", stream->conn);
}

static const struct stream_ops ops = {
	.opened = on_opened,
	.paired = on_paired,
	.bytes = on_bytes,
	.gap = on_gap,
	.ended = on_ended,
	.closed = on_closed,
	.forgotten = on_forgotten,
};

static struct addr addr_of(const char *text)
{
	struct addr addr = { 0 };

	if (text && *text)
		assert_true(addr_parse(&addr, text, strlen(text)));
	return addr;
}

struct fact {
	uint64_t conn;
	enum event_proto proto;
	const char *local, *remote;
};

static const struct fact client = { 1, PROTO_TCP, "127.0.0.1:40000", "127.0.0.1:80" };
static const struct fact server = { 2, PROTO_TCP, "127.0.0.1:80", "127.0.0.1:40000" };

static void add_socket(struct streams *streams, const struct fact *fact, enum socket_event what,
		       int error)
{
	struct event *event = event_new(EVENT_SOCKET, 0);

	event->pid = event->tid = 10;
	event->socket.what = what;
	event->socket.conn = fact->conn;
	event->socket.proto = fact->proto;
	event->socket.local = addr_of(fact->local);
	event->socket.remote = addr_of(fact->remote);
	event->socket.error = error;
	event->socket.how = what == SOCKET_SHUTDOWN ? SHUTDOWN_WRITE : SHUTDOWN_NONE;
	event->socket.has_cred = true;
	event->socket.cred.pid = 10;
	streams_add(streams, event);
	event_unref(event);
}

static void add_data(struct streams *streams, const struct fact *fact, enum event_dir dir,
		     size_t len, size_t captured, uint32_t flags)
{
	struct event *event = event_new(EVENT_DATA, captured);

	event->data.conn = fact->conn;
	event->data.proto = fact->proto;
	event->data.local = addr_of(fact->local);
	event->data.remote = addr_of(fact->remote);
	event->data.dir = dir;
	event->data.len = len;
	event->data.captured = captured;
	event->data.payload = event_room(event, captured);
	event->data.flags = flags;
	streams_add(streams, event);
	event_unref(event);
}

static void add_loss(struct streams *streams, uint64_t conn, const char *reason)
{
	struct event *event = event_new(EVENT_LOSS, 0);

	event->loss.conn = conn;
	event->loss.reason = reason;
	event->loss.bytes = 7;
	streams_add(streams, event);
	event_unref(event);
}

static struct streams *begin(void)
{
	told.len = 0;
	return streams_new(&ops, &told);
}

/* All that was told, up to the end of everything. */
static void expect(struct streams *streams, const char *expected)
{
	assert_string_equal(buf_cstr(&told), expected);
	streams_free(streams);
	buf_done(&told);
}

static void bytes_and_their_places(void **state)
{
	struct streams *streams = begin();

	(void)state;
	add_socket(streams, &client, SOCKET_OPEN, 0);
	add_socket(streams, &client, SOCKET_CONNECT, 0);
	add_data(streams, &client, DIR_OUT, 10, 10, 0);
	add_data(streams, &client, DIR_OUT, 5, 5, 0);
	add_data(streams, &client, DIR_IN, 3, 3, 0);
	add_data(streams, &client, DIR_IN, 0, 0, FLAG_EOF);
	add_data(streams, &client, DIR_IN, 0, 0, FLAG_EOF);
	add_socket(streams, &client, SOCKET_SHUTDOWN, 0);
	add_data(streams, &client, DIR_OUT, 1, 1, 0);
	expect(streams, "1+ 1>10@0 1>5@10 1<3@0 1<| 1>| 1>1@15");
}

static void what_is_no_byte(void **state)
{
	struct streams *streams = begin();

	(void)state;
	add_data(streams, &client, DIR_IN, 4, 4, FLAG_PEEK);
	add_data(streams, &client, DIR_IN, 4, 4, FLAG_ERRQUEUE);
	/* What TLS says over kernel TLS was not on the wire so. */
	add_data(streams, &client, DIR_IN, 4, 4, FLAG_KTLS);
	add_data(streams, &client, DIR_IN, 4, 4, FLAG_OOB);
	expect(streams, "1+ 1<4@0");
}

/* Less was kept than moved; and losses, of which a data event tells some itself. */
static void gaps(void **state)
{
	struct streams *streams = begin();

	(void)state;
	add_data(streams, &client, DIR_OUT, 10, 4, 0);
	add_loss(streams, 1, "unreadable");
	add_data(streams, &client, DIR_OUT, 2, 2, 0);
	add_data(streams, &client, DIR_IN, 9, 0, 0);
	add_loss(streams, 1, "unseen");
	add_loss(streams, 77, "unseen");
	expect(streams, "1+ 1>4@0 1?>6 1>2@10 1?<9 1?>0 1?<0");
}

/* A loss of nobody in particular is everybody's. */
static void loss_of_all(void **state)
{
	static const struct fact other = { 5, PROTO_TCP, "10.0.0.1:1000", "10.0.0.2:2000" };
	struct streams *streams = begin();

	(void)state;
	add_data(streams, &client, DIR_OUT, 1, 1, 0);
	add_data(streams, &other, DIR_OUT, 1, 1, 0);
	add_loss(streams, 0, "queue-full");
	expect(streams, "1+ 1>1@0 5+ 5>1@0 1?>0 1?<0 5?>0 5?<0");
}

static void both_ends(void **state)
{
	struct streams *streams = begin();

	(void)state;
	add_socket(streams, &client, SOCKET_CONNECT, EINPROGRESS);
	add_socket(streams, &client, SOCKET_CONNECT, 0);
	add_socket(streams, &server, SOCKET_ACCEPT, 0);
	add_socket(streams, &client, SOCKET_CLOSE, 0);
	add_socket(streams, &server, SOCKET_CLOSE, 0);
	expect(streams, "1+ 2+ 2=1 1- 1. 2- 2.");
	streams = begin();
	/* Calls can return in the other order. */
	add_socket(streams, &server, SOCKET_ACCEPT, 0);
	add_socket(streams, &client, SOCKET_CONNECT, 0);
	expect(streams, "2+ 1+ 1=2");
}

/* The connecting end was closed before anybody accepted it. */
static void a_late_accept(void **state)
{
	struct streams *streams = begin();

	(void)state;
	add_socket(streams, &client, SOCKET_CONNECT, 0);
	add_socket(streams, &client, SOCKET_CLOSE, 0);
	add_socket(streams, &server, SOCKET_ACCEPT, 0);
	expect(streams, "1+ 1- 2+ 2=1 1.");
}

static void no_pair(void **state)
{
	static const struct fact elsewhere = { 3, PROTO_TCP, "127.0.0.1:81", "127.0.0.1:40000" };
	struct streams *streams = begin();

	(void)state;
	add_socket(streams, &client, SOCKET_CONNECT, ECONNREFUSED);
	add_socket(streams, &server, SOCKET_ACCEPT, 0);
	add_socket(streams, &elsewhere, SOCKET_ACCEPT, 0);
	expect(streams, "1+ 2+ 3+");
}

/* A socket may connect again after a failure, or after it was disconnected. */
static void another_connection(void **state)
{
	static const struct fact again = { 1, PROTO_TCP, "127.0.0.1:40001", "127.0.0.1:80" };
	struct streams *streams = begin();

	(void)state;
	add_socket(streams, &client, SOCKET_CONNECT, 0);
	add_data(streams, &client, DIR_OUT, 10, 10, 0);
	add_socket(streams, &again, SOCKET_CONNECT, EINPROGRESS);
	add_data(streams, &again, DIR_OUT, 10, 10, 0);
	add_socket(streams, &again, SOCKET_CONNECT, 0);
	expect(streams, "1+ 1>10@0 1~ 1. 1+ 1>10@0");
}

/* Local sockets: by path and the process that connects, the oldest first. */
static void local_sockets(void **state)
{
	static const struct fact first = { 1, PROTO_UNIX_STREAM, "", "/run/x" };
	static const struct fact second = { 2, PROTO_UNIX_STREAM, "", "/run/x" };
	static const struct fact other = { 3, PROTO_UNIX_STREAM, "", "/run/y" };
	static const struct fact one = { 4, PROTO_UNIX_STREAM, "/run/x", "" };
	static const struct fact two = { 5, PROTO_UNIX_STREAM, "/run/x", "" };
	static const struct fact three = { 6, PROTO_UNIX_STREAM, "/run/x", "" };
	struct streams *streams = begin();

	(void)state;
	add_socket(streams, &other, SOCKET_CONNECT, 0);
	add_socket(streams, &first, SOCKET_CONNECT, 0);
	add_socket(streams, &second, SOCKET_CONNECT, 0);
	add_socket(streams, &one, SOCKET_ACCEPT, 0);
	add_socket(streams, &two, SOCKET_ACCEPT, 0);
	add_socket(streams, &three, SOCKET_ACCEPT, 0);
	expect(streams, "3+ 1+ 2+ 4+ 4=1 5+ 5=2 6+");
}

/* A datagram socket has a stream for each peer, and each message is one, empty ones too. */
static void datagrams(void **state)
{
	static const struct fact here = { 1, PROTO_UDP, "0.0.0.0:53", "" };
	static const struct fact one = { 1, PROTO_UDP, "0.0.0.0:53", "10.0.0.1:1000" };
	static const struct fact two = { 1, PROTO_UDP, "0.0.0.0:53", "10.0.0.2:1001" };
	struct streams *streams = begin();

	(void)state;
	add_socket(streams, &here, SOCKET_OPEN, 0);
	add_data(streams, &one, DIR_IN, 5, 5, 0);
	add_data(streams, &two, DIR_IN, 0, 0, 0);
	add_data(streams, &one, DIR_OUT, 6, 4, 0);
	add_socket(streams, &here, SOCKET_CLOSE, 0);
	expect(streams, "1+ 1<5@0 1+ 1<0@0 1>4@0 1?>2 1- 1000 1. 1- 1001 1.");
}

/* A server may not know which of the host's addresses a datagram came to. */
static void datagram_ends(void **state)
{
	static const struct fact asks = { 1, PROTO_UDP, "127.0.0.1:4000", "127.0.0.1:53" };
	static const struct fact answers = { 2, PROTO_UDP, "0.0.0.0:53", "127.0.0.1:4000" };
	struct streams *streams = begin();

	(void)state;
	add_data(streams, &asks, DIR_OUT, 5, 5, 0);
	add_data(streams, &answers, DIR_IN, 5, 5, 0);
	expect(streams, "1+ 1>5@0 2+ 2=1 2<5@0");
}

static enum stream_role last_role;
static bool last_fresh;

static void note_role(void *ctx, struct stream *stream, const struct event *event)
{
	(void)ctx;
	(void)event;
	last_role = stream->role;
	last_fresh = stream->fresh;
}

/* Who connects is seen, or guessed by the ports. */
static void roles(void **state)
{
	static const struct {
		enum socket_event what;
		const char *local, *remote;
		enum stream_role role;
		bool fresh;
	} cases[] = {
		{ SOCKET_CONNECT, "10.0.0.1:80", "10.0.0.2:4000", ROLE_CONNECTS, true },
		{ SOCKET_ACCEPT, "10.0.0.1:4000", "10.0.0.2:80", ROLE_ACCEPTS, true },
		{ SOCKET_FOUND, "10.0.0.1:40000", "10.0.0.2:443", ROLE_CONNECTS, false },
		{ SOCKET_FOUND, "10.0.0.2:443", "10.0.0.1:40000", ROLE_ACCEPTS, false },
		{ SOCKET_FOUND, "", "10.0.0.2:443", ROLE_UNKNOWN, false },
	};
	static const struct stream_ops role_ops = { .event = note_role };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct fact fact = { 1, PROTO_TCP, cases[i].local, cases[i].remote };
		struct streams *streams = streams_new(&role_ops, NULL);

		add_socket(streams, &fact, cases[i].what, 0);
		CHECK(last_role == cases[i].role && last_fresh == cases[i].fresh, "case %zu", i);
		streams_free(streams);
	}
}

/* More streams than are kept: the one that was silent longest is closed. */
static void too_many(void **state)
{
	struct streams *streams = begin();
	struct fact fact = client;

	(void)state;
	for (uint64_t conn = 1; conn <= STREAMS_MAX; conn++) {
		fact.conn = conn;
		add_data(streams, &fact, DIR_OUT, 1, 1, 0);
	}
	fact.conn = 1;
	add_data(streams, &fact, DIR_OUT, 1, 1, 0);
	told.len = 0;
	fact.conn = STREAMS_MAX + 1;
	add_data(streams, &fact, DIR_OUT, 1, 1, 0);
	assert_string_equal(buf_cstr(&told), "2~ 2. 16385+ 16385>1@0");
	streams_free(streams);
	buf_done(&told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_and_their_places),
		cmocka_unit_test(what_is_no_byte),
		cmocka_unit_test(gaps),
		cmocka_unit_test(loss_of_all),
		cmocka_unit_test(both_ends),
		cmocka_unit_test(a_late_accept),
		cmocka_unit_test(no_pair),
		cmocka_unit_test(another_connection),
		cmocka_unit_test(local_sockets),
		cmocka_unit_test(datagrams),
		cmocka_unit_test(datagram_ends),
		cmocka_unit_test(roles),
		cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
