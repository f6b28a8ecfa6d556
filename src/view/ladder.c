/*
 * The live view: a line for each exchange when it is complete, and one for each connection that was not
 * understood; with more -v headers and bodies below them. On a terminal results stand in a column.
 */
#include "base/addr.h"
#include "base/own.h"
#include "base/utf8.h"
#include "sink/hexdump.h"
#include "sink/line.h"
#include "view/detail.h"
#include "view/phrase.h"
#include "view/view.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Columns of the process and of the other end, on a terminal. */
#define WHO_COLUMNS  16
#define PEER_COLUMNS 21

/* Of a body, with -vv. */
#define BODY_SHOWN 2048U

struct ladder {
	struct message_sink sink;
	struct line line;
	int level;
	unsigned int columns; /* of the terminal; 0: none */
	uint64_t exchanges;
};

static struct ladder *ladder_of(struct message_sink *sink)
{
	return (struct ladder *)sink;
}

/* Columns that a text takes on a terminal; escapes for colours are none of it. */
static size_t width_of(const char *text, size_t len)
{
	size_t width = 0, n;
	uint32_t code;

	for (size_t at = 0; at < len; at += n) {
		n = utf8_decode(text + at, len - at, &code);
		width += n ? (size_t)utf8_width(code) : 1;
		n = n ? n : 1;
	}
	return width;
}

static void pad(struct ladder *ladder, size_t width, size_t wanted)
{
	for (; ladder->columns && width < wanted; width++)
		buf_addc(out_buf(ladder->line.out), ' ');
}

static void add_name(struct buf *buf, const struct origin *origin)
{
	payload_add_line(buf, origin->comm, strlen(origin->comm));
	buf_addf(buf, "[%d]", origin->pid);
}

/* The time of what is told, our end, which way the asking went, and the other end. */
static void add_head(struct ladder *ladder, uint64_t time, const struct origin *origin,
		     const struct origin *peer, bool asks)
{
	struct buf *out = out_buf(ladder->line.out);
	struct buf text auto_buf = { 0 };
	char remote[ADDR_TEXT_MAX];

	line_time(&ladder->line, time);
	add_name(&text, origin);
	line_paint(&ladder->line, COLOR_NAME, "%s", buf_cstr(&text));
	pad(ladder, width_of(text.data, text.len), WHO_COLUMNS);
	buf_addc(out, ' ');
	line_paint(&ladder->line, asks ? COLOR_OUT : COLOR_IN, asks ? "->" : "<-");
	text.len = 0;
	if (peer)
		add_name(&text, peer);
	else
		buf_adds(&text, addr_format(&origin->remote, remote));
	if (text.len || ladder->columns) {
		buf_addc(out, ' ');
		line_paint(&ladder->line, peer ? COLOR_NAME : COLOR_DIM, "%s", buf_cstr(&text));
	}
	pad(ladder, width_of(text.data, text.len), PEER_COLUMNS);
	buf_addc(out, ' ');
}

static size_t prefix_columns(const struct ladder *ladder)
{
	return (ladder->line.relative ? 12 : 16) + WHO_COLUMNS + 4 + PEER_COLUMNS + 1;
}

/* What was asked, and on a terminal so many blanks that the answer ends at the edge. */
static void add_what(struct ladder *ladder, struct buf *what, const struct buf *result)
{
	size_t width = width_of(what->data, what->len) + width_of(result->data, result->len) + 4;

	buf_add(out_buf(ladder->line.out), what->data, what->len);
	pad(ladder, prefix_columns(ladder) + width, ladder->columns);
}

/* Where the body is our own way to write a reply its length says nothing. */
static bool is_rewritten(const struct message *message)
{
	return message->protocol == PROTOCOL_REDIS || message->protocol == PROTOCOL_POSTGRES ||
	       message->protocol == PROTOCOL_MYSQL;
}

static void add_numbers(struct buf *buf, const struct exchange *exchange)
{
	const struct message *response = exchange->response;
	struct buf shown auto_buf = { 0 };

	if (response && response->body.present && !phrase_add_content(&shown, response)) {
		buf_adds(buf, ", ");
		if (is_rewritten(response))
			phrase_add_size(buf, response->bytes);
		else
			phrase_add_body(buf, &response->body);
	}
	if (exchange->request && response) {
		buf_adds(buf, ", ");
		phrase_add_time(buf, exchange_duration(exchange));
	}
}

/* What is not as it should be: a message that is not whole, a body that could not be decoded. */
static void add_why(struct ladder *ladder, const struct message *message)
{
	if (!message)
		return;
	if (message->flags & MESSAGE_CUT)
		line_paint(&ladder->line, COLOR_BAD, " (%s)",
			   message->why ? message->why : "not complete");
	if (message->body.why && ladder->level < LEVEL_BODIES)
		line_paint(&ladder->line, COLOR_BAD, " (%s)", message->body.why);
}

static bool is_asked_by_us(const struct exchange *exchange)
{
	return exchange->request ? exchange->request->dir == DIR_OUT
				 : exchange->response->dir == DIR_IN;
}

static uint64_t end_of(const struct exchange *exchange)
{
	uint64_t request = exchange->request ? exchange->request->last : 0;
	uint64_t response = exchange->response ? exchange->response->last : 0;

	return request > response ? request : response;
}

static void add_line(struct ladder *ladder, const struct exchange *exchange)
{
	const struct message *request = exchange->request;
	const struct message *any = request ? request : exchange->response;
	struct buf what auto_buf = { 0 }, result auto_buf = { 0 };

	add_head(ladder, end_of(exchange), any->origin, exchange->peer, is_asked_by_us(exchange));
	if (request)
		phrase_message(&what, request);
	else
		buf_addf(&what, "%s request not seen", phrase_protocols[exchange->protocol]);
	if (request && request->body.present) {
		buf_addc(&what, ' ');
		phrase_add_body(&what, &request->body);
	}
	phrase_result(&result, exchange);
	add_numbers(&result, exchange);
	add_what(ladder, &what, &result);
	buf_adds(out_buf(ladder->line.out), " -> ");
	if (phrase_is_failure(exchange))
		line_paint(&ladder->line, COLOR_BAD, "%s", buf_cstr(&result));
	else
		buf_add(out_buf(ladder->line.out), result.data, result.len);
	add_why(ladder, request);
	if (!request || !exchange->response || request->why != exchange->response->why)
		add_why(ladder, exchange->response);
	buf_addc(out_buf(ladder->line.out), '\n');
}

static void add_details(struct ladder *ladder, const struct message *message)
{
	if (!message)
		return;
	if (ladder->level >= LEVEL_HEADERS)
		detail_add_fields(&ladder->line, message);
	/* A gRPC message's content is among its fields. */
	if (ladder->level >= LEVEL_BODIES && !message_attr(message, ATTR_PROTOBUF))
		detail_add_body(&ladder->line, message,
				ladder->level == LEVEL_BODIES ? BODY_SHOWN : SIZE_MAX);
}

/* Which connection it was, so that lines can be told apart. */
static void add_place(struct ladder *ladder, const struct exchange *exchange)
{
	const struct message *any = exchange->request ? exchange->request : exchange->response;
	const struct origin *origin = any->origin;
	char local[ADDR_TEXT_MAX], remote[ADDR_TEXT_MAX];

	line_paint(&ladder->line, COLOR_DIM, "    #%lu %s %s %s %s%s\n", origin->conn,
		   event_proto_names[origin->proto] ? event_proto_names[origin->proto] : "socket",
		   addr_format(&origin->local, local), is_asked_by_us(exchange) ? "->" : "<-",
		   addr_format(&origin->remote, remote),
		   origin->layer == LAYER_PLAIN ? ", plaintext" : "");
}

static void ladder_exchange(struct message_sink *sink, struct exchange *exchange)
{
	struct ladder *ladder = ladder_of(sink);
	const struct message *any = exchange->request ? exchange->request : exchange->response;
	bool handshake = exchange->protocol == PROTOCOL_TLS;

	ladder->exchanges += !handshake;
	/* A handshake is told of with its connection, where that is all there is to tell. */
	if (ladder->level < LEVEL_LINES || !any || !any->origin ||
	    (handshake && ladder->level < LEVEL_HEADERS))
		return;
	add_line(ladder, exchange);
	if (ladder->level >= LEVEL_HEADERS)
		add_place(ladder, exchange);
	add_details(ladder, exchange->request);
	add_details(ladder, exchange->response);
	out_end_record(ladder->line.out);
}

static bool is_shown(const struct ladder *ladder, const struct message *message)
{
	switch (message->kind) {
	case MESSAGE_ONEWAY:
		/* Greetings and good-byes. */
		if (message->protocol == PROTOCOL_MYSQL || message->protocol == PROTOCOL_SMTP)
			return ladder->level >= LEVEL_HEADERS;
		return !message->exchange || message->protocol == PROTOCOL_WEBSOCKET ||
		       ladder->level >= LEVEL_BODIES;
	case MESSAGE_NOTE:
		return message->protocol != PROTOCOL_TLS;
	case MESSAGE_DATA:
		return ladder->level >= LEVEL_BODIES;
	default:
		return message->flags & MESSAGE_INTERIM && ladder->level >= LEVEL_HEADERS;
	}
}

static void ladder_message(struct message_sink *sink, struct message *message)
{
	struct ladder *ladder = ladder_of(sink);
	struct buf *buf = out_buf(ladder->line.out);

	if (ladder->level < LEVEL_LINES || !message->origin || !is_shown(ladder, message))
		return;
	add_head(ladder, message->last, message->origin, NULL, message->dir == DIR_OUT);
	if (message->kind == MESSAGE_NOTE) {
		line_paint(&ladder->line, COLOR_BAD,
			   "not %s any more: ", phrase_protocols[message->protocol]);
		phrase_add_value(buf, message_value(message, ATTR_NOTE), SIZE_MAX);
	} else {
		phrase_message(buf, message);
	}
	if (message->body.present) {
		buf_addc(buf, ' ');
		phrase_add_body(buf, &message->body);
	}
	add_why(ladder, message);
	buf_addc(buf, '\n');
	if (message->kind != MESSAGE_NOTE)
		add_details(ladder, message);
	out_end_record(ladder->line.out);
}

static uint64_t moved(const struct connection *connection, enum event_dir dir)
{
	return connection->bytes[LAYER_WIRE][dir] ? connection->bytes[LAYER_WIRE][dir]
						  : connection->bytes[LAYER_PLAIN][dir];
}

static void add_tls(struct buf *buf, const struct connection *connection)
{
	const struct message *client = connection->hellos[0], *server = connection->hellos[1];
	struct span name;

	buf_adds(buf, "TLS");
	if (server && message_attr(server, ATTR_VERSION)) {
		buf_addc(buf, ' ');
		phrase_add_value(buf, message_value(server, ATTR_VERSION), 16);
	}
	name = client ? message_value(client, ATTR_SNI) : (struct span){ 0 };
	if (name.len) {
		buf_addc(buf, ' ');
		phrase_add_value(buf, name, 256);
	}
	if (server && message_attr(server, ATTR_ALPN)) {
		buf_addc(buf, ' ');
		phrase_add_value(buf, message_value(server, ATTR_ALPN), 32);
	}
}

static void add_moved(struct buf *buf, uint64_t out, uint64_t in)
{
	phrase_add_size(buf, out);
	buf_adds(buf, " out, ");
	phrase_add_size(buf, in);
	buf_adds(buf, " in");
}

/* Why the connection is worth a line; false: it is not. */
static bool describe(struct buf *buf, const struct connection *connection)
{
	uint64_t out = moved(connection, DIR_OUT), in = moved(connection, DIR_IN);
	const struct message *server = connection->hellos[1];
	const char *proto = event_proto_names[connection->origin->proto];
	bool plain =
		connection->bytes[LAYER_PLAIN][DIR_OUT] || connection->bytes[LAYER_PLAIN][DIR_IN];

	if (connection->error && !in && (out || !connection->datagram)) {
		buf_addf(buf, "%s: %s", proto ? proto : "socket",
			 strerrorname_np(connection->error) ? strerrorname_np(connection->error)
							    : "unknown error");
	} else if (connection->protocols & 1U << PROTOCOL_TLS && !plain) {
		add_tls(buf, connection);
		buf_adds(buf, ", ");
		add_moved(buf, out, in);
		if (server && message_attr(server, ATTR_ERROR)) {
			buf_adds(buf, ": handshake failed, alert ");
			phrase_add_value(buf, message_value(server, ATTR_ERROR), 64);
		} else if (connection->hellos[0] && !server) {
			buf_adds(buf, ": the handshake was not completed");
		} else {
			buf_adds(buf, ": encrypted, no plaintext was seen");
		}
	} else if (connection->undecoded[DIR_OUT] || connection->undecoded[DIR_IN]) {
		buf_addf(buf, "%s, ", proto ? proto : "socket");
		add_moved(buf, connection->undecoded[DIR_OUT], connection->undecoded[DIR_IN]);
		buf_adds(buf, ": not decoded, ");
		if (connection->note && !connection->why)
			phrase_add_value(buf, message_value(connection->note, ATTR_NOTE), 256);
		else
			buf_adds(buf,
				 connection->why ? connection->why : "no protocol was recognised");
	} else if (!connection->lost) {
		return false;
	} else {
		buf_addf(buf, "%s", proto ? proto : "socket");
	}
	if (connection->lost)
		buf_addf(buf, ", %lu bytes lost", connection->lost);
	return true;
}

static void ladder_connection(struct message_sink *sink, const struct connection *connection)
{
	struct ladder *ladder = ladder_of(sink);
	struct buf text auto_buf = { 0 };

	if (ladder->level < LEVEL_LINES || !describe(&text, connection))
		return;
	add_head(ladder, connection->last, connection->origin, connection->peer,
		 !connection->accepted);
	if (connection->error)
		line_paint(&ladder->line, COLOR_BAD, "%s", buf_cstr(&text));
	else
		buf_add(out_buf(ladder->line.out), text.data, text.len);
	buf_addc(out_buf(ladder->line.out), '\n');
	out_end_record(ladder->line.out);
}

static void add_event_head(struct ladder *ladder, const struct event *event)
{
	line_time(&ladder->line, event->time);
	if (event->pid)
		line_who(&ladder->line, event->comm, event->pid, event->pid);
	else
		buf_adds(out_buf(ladder->line.out), "iotrace:");
	buf_addc(out_buf(ladder->line.out), ' ');
}

static void add_loss(struct ladder *ladder, const struct event_loss *loss)
{
	line_paint(&ladder->line, COLOR_BAD, "LOSS ");
	line_clean(&ladder->line, loss->reason);
	buf_addf(out_buf(ladder->line.out), ": %lu bytes in %lu calls", loss->bytes, loss->calls);
	if (loss->conn)
		buf_addf(out_buf(ladder->line.out), " on #%lu", loss->conn);
}

static void add_end(struct ladder *ladder, const struct event_end *end)
{
	struct buf *buf = out_buf(ladder->line.out);

	buf_addf(buf, "%lu exchange%s, %lu connection%s, ", ladder->exchanges,
		 ladder->exchanges == 1 ? "" : "s", end->connections,
		 end->connections == 1 ? "" : "s");
	add_moved(buf, end->bytes[LAYER_WIRE][DIR_OUT], end->bytes[LAYER_WIRE][DIR_IN]);
	if (end->lost_bytes || end->lost_calls)
		line_paint(&ladder->line, COLOR_BAD, ", %lu bytes in %lu calls LOST",
			   end->lost_bytes, end->lost_calls);
	buf_addf(buf, ", %.3f s", (double)end->wall / 1e9);
}

static bool is_told(const struct event *event)
{
	return event->type == EVENT_LOSS || event->type == EVENT_NOTE || event->type == EVENT_END ||
	       (event->type == EVENT_PROCESS && event->process.signal);
}

static void ladder_event(struct message_sink *sink, struct event *event)
{
	struct ladder *ladder = ladder_of(sink);

	if (!ladder->line.first)
		ladder->line.first = event->time;
	if (!is_told(event))
		return;
	add_event_head(ladder, event);
	if (event->type == EVENT_LOSS) {
		add_loss(ladder, &event->loss);
	} else if (event->type == EVENT_NOTE) {
		line_paint(&ladder->line, COLOR_BAD, "note: ");
		line_clean(&ladder->line, event->note.text);
	} else if (event->type == EVENT_END) {
		add_end(ladder, &event->end);
	} else {
		const char *name = sigabbrev_np(event->process.signal);

		line_paint(&ladder->line, COLOR_BAD, name ? "killed by SIG%s" : "killed by %s",
			   name ? name : "a signal");
	}
	buf_addc(out_buf(ladder->line.out), '\n');
	out_end_record(ladder->line.out);
}

static int ladder_finish(struct message_sink *sink)
{
	struct ladder *ladder = ladder_of(sink);
	int result = out_close(ladder->line.out);

	free(ladder);
	return result;
}

struct message_sink *ladder_new(struct out *out, const struct format_options *options)
{
	struct ladder *ladder = own_zalloc(sizeof(*ladder));

	ladder->sink = (struct message_sink){
		.event = ladder_event,
		.message = ladder_message,
		.exchange = ladder_exchange,
		.connection = ladder_connection,
		.finish = ladder_finish,
	};
	ladder->line =
		(struct line){ .out = out, .color = options->color, .relative = options->relative };
	ladder->level = options->level;
	ladder->columns = options->columns;
	return &ladder->sink;
}
