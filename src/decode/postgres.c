/* PostgreSQL: framing, encryption requests, the steps that wait. */
#include "decode/postgres.h"

#include "base/own.h"
#include "decode/limits.h"

#include <errno.h>

static const char bad_message[] = "this is no PostgreSQL message";
static const char gss[] = "what follows is encrypted by GSSAPI";
static const char too_many[] = "too many requests without an answer";

enum {
	CODE_VERSION_3 = 3 << 16,
	CODE_CANCEL = 80877102,
	CODE_TLS = 80877103,
	CODE_GSS = 80877104,
};

/* Messages longer than PostgreSQL itself allows. */
#define LENGTH_MAX 0x3fffffffU

void postgres_push_step(struct channel *channel, struct step step)
{
	struct postgres *pg = channel->state;
	struct steps *steps = &pg->steps;

	if (steps->count == PENDING_MAX)
		postgres_end_step(channel, too_many);
	if (steps->count == steps->room) {
		size_t room = steps->room ? steps->room * 2 : 8;
		struct step *items = own_alloc(room * sizeof(*items));

		for (size_t i = 0; i < steps->count; i++)
			items[i] = steps->items[(steps->head + i) % steps->room];
		free(steps->items);
		*steps = (struct steps){ .items = items, .count = steps->count, .room = room };
	}
	steps->items[(steps->head + steps->count++) % steps->room] = step;
}

struct step *postgres_first_step(struct postgres *pg)
{
	return pg->steps.count ? &pg->steps.items[pg->steps.head] : NULL;
}

void postgres_end_step(struct channel *channel, const char *why)
{
	struct postgres *pg = channel->state;
	struct exchange *exchange = postgres_first_step(pg)->exchange;

	pg->steps.head = (pg->steps.head + 1) % pg->steps.room;
	pg->steps.count--;
	if (!exchange)
		return;
	if (!exchange->response)
		exchange->why = why;
	channel_exchange_emit(channel, exchange);
}

static enum sniffed sniff_startup(struct span said)
{
	struct reader reader = reader_of(said);
	uint32_t len = reader_u32(&reader), code = reader_u32(&reader);

	if (said.data[0] || (said.len > 1 && said.data[1]))
		return SNIFF_NO;
	if (said.len < 8)
		return SNIFF_MORE;
	if (code == CODE_TLS || code == CODE_GSS)
		return len == 8 ? SNIFF_YES : SNIFF_NO;
	if (code == CODE_CANCEL)
		return len == 16 ? SNIFF_YES : SNIFF_NO;
	return code >> 16 == CODE_VERSION_3 >> 16 && (code & 0xffff) < 16 && len >= 9 &&
			       len <= 10000
		       ? SNIFF_YES
		       : SNIFF_NO;
}

static bool is_sql_start(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '(' || c == '/' ||
	       c == '-' || c == ' ' || c == '\n' || c == '\t';
}

/* In the middle: a simple query, or a Parse with its statement's name and SQL. */
static enum sniffed sniff_query(struct span said)
{
	size_t at = 5;

	if ((said.data[0] != 'Q' && said.data[0] != 'P') || (said.len > 1 && said.data[1]))
		return SNIFF_NO;
	while (said.data[0] == 'P' && at < said.len && at < 5 + 64 && said.data[at] > ' ')
		at++;
	if (at >= said.len)
		return SNIFF_MORE;
	if (said.data[0] == 'P' && said.data[at++])
		return SNIFF_NO;
	for (size_t end = at + 4; at < end; at++) {
		if (at == said.len)
			return SNIFF_MORE;
		if (!is_sql_start(said.data[at]))
			return SNIFF_NO;
	}
	return SNIFF_YES;
}

static enum sniffed postgres_sniff(const struct sniff *sniff, int *ret_client)
{
	enum sniffed sniffed;

	if (sniff->datagram)
		return SNIFF_NO;
	sniffed = sniff_sides(sniff, sniff_startup, NULL, ret_client);
	if (sniffed == SNIFF_NO && !sniff->fresh)
		sniffed = sniff_sides(sniff, sniff_query, NULL, ret_client);
	return sniffed;
}

static struct exchange *begin_exchange(struct channel *channel, struct message *request)
{
	struct exchange *exchange = channel_exchange(channel);

	channel_request(exchange, request);
	channel_emit(channel, request);
	return exchange;
}

/* SSLRequest and GSSENCRequest; CancelRequest, which nobody answers. */
static void take_code(struct channel *channel, const struct pg_message *message, uint32_t code)
{
	struct postgres *pg = channel->state;
	struct message *request = channel_message(channel, MESSAGE_REQUEST, message->dir);

	channel_note(channel, request, message->whole);
	if (code == CODE_CANCEL) {
		request->kind = MESSAGE_ONEWAY;
		message_add_text(request, ATTR_COMMAND, "CancelRequest");
		channel_emit(channel, request);
		return;
	}
	message_add_text(request, ATTR_COMMAND, code == CODE_TLS ? "SSLRequest" : "GSSENCRequest");
	postgres_push_step(channel, (struct step){ .kind = STEP_STARTUP,
						   .exchange = begin_exchange(channel, request) });
	pg->asked_tls = true;
}

/* Messages before the first that has a type. */
static ssize_t feed_startup(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct postgres *pg = channel->state;
	struct reader reader = reader_of(bytes);
	uint32_t len = reader_u32(&reader), code = reader_u32(&reader);
	struct pg_message message = { .dir = dir };

	if (pg->asked_tls && !channel_is_pressed(channel, dir))
		return 0;
	if (bytes.len < 8)
		return 0;
	if (len < 8 || len > FRAME_KEPT)
		return channel_give_up(channel, dir, bad_message);
	if (bytes.len < len) {
		channel_want(channel, dir, len);
		return 0;
	}
	message.whole = span_cut(bytes, 0, len);
	message.payload = span_cut(message.whole, 8, len);
	message.full = message.payload.len;
	if (code == CODE_TLS || code == CODE_GSS || code == CODE_CANCEL)
		take_code(channel, &message, code);
	else if (code >> 16 != CODE_VERSION_3 >> 16 || !postgres_startup(channel, &message))
		return channel_give_up(channel, dir, bad_message);
	return (ssize_t)len;
}

static ssize_t feed_typed(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct postgres *pg = channel->state;
	struct pg_message message = { .dir = dir };
	struct reader reader = reader_of(bytes);
	uint32_t len, kept;

	message.type = (char)reader_u8(&reader);
	len = reader_u32(&reader);
	if (reader.bad)
		return 0;
	if (len < 4 || len > LENGTH_MAX)
		return channel_give_up(channel, dir, bad_message);
	kept = len < FRAME_KEPT ? len : FRAME_KEPT;
	if (bytes.len < 1 + kept) {
		channel_want(channel, dir, 1 + kept);
		return 0;
	}
	message.whole = span_cut(bytes, 0, 1 + kept);
	message.payload = span_cut(message.whole, 5, kept);
	message.full = len - 4;
	if ((int)dir == channel->client ? !postgres_client(channel, &message)
					: !postgres_server(channel, &message))
		return channel_give_up(channel, dir, bad_message);
	pg->skip[dir] = len - kept;
	return (ssize_t)(1 + kept);
}

/* The server's one byte: S for yes, G for yes to GSSAPI, N for no. */
static ssize_t feed_tls_answer(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct postgres *pg = channel->state;
	struct step *step = postgres_first_step(pg);
	struct message *response;
	uint8_t answer = bytes.data[0];

	/* An old server answers with an error message. */
	if (!step || (answer != 'S' && answer != 'G' && answer != 'N')) {
		ssize_t n = feed_typed(channel, dir, bytes);

		pg->asked_tls = !n;
		return n;
	}
	pg->asked_tls = false;
	response = channel_message(channel, MESSAGE_RESPONSE, dir);
	channel_note(channel, response, span_cut(bytes, 0, 1));
	message_add(response, ATTR_TYPE, span_cut(bytes, 0, 1));
	channel_response(step->exchange, response);
	channel_emit(channel, response);
	postgres_end_step(channel, NULL);
	if (answer == 'S')
		channel_switch(channel, &decoder_tls);
	if (answer == 'G')
		return channel_give_up(channel, dir, gss);
	return 1;
}

static ssize_t postgres_feed(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct postgres *pg = channel->state;
	bool client = (int)dir == channel->client;

	if (pg->skip[dir]) {
		size_t n = pg->skip[dir] < bytes.len ? (size_t)pg->skip[dir] : bytes.len;

		pg->skip[dir] -= n;
		return (ssize_t)n;
	}
	/* No type is NUL: a startup in mid-connection, behind a proxy's greeting. */
	if (client && (!pg->started || !bytes.data[0]))
		return feed_startup(channel, dir, bytes);
	if (client)
		return feed_typed(channel, dir, bytes);
	/* An answer whose question is still to be seen: calls of two threads that overlap. */
	if (channel->fresh && !pg->steps.count && !channel_is_pressed(channel, dir) &&
	    !strchr("NSA", bytes.data[0]))
		return 0;
	return pg->asked_tls ? feed_tls_answer(channel, dir, bytes)
			     : feed_typed(channel, dir, bytes);
}

static void postgres_open(struct channel *channel)
{
	struct postgres *pg = channel->state;

	/* In the middle, a length without a type before it does not come any more. */
	pg->started = !channel->fresh;
	if (channel->client < 0)
		channel->client = DIR_OUT;
}

static bool postgres_gap(struct channel *channel, enum event_dir dir, uint64_t len)
{
	struct postgres *pg = channel->state;

	if (!len || len > pg->skip[dir])
		return false;
	pg->skip[dir] -= len;
	return true;
}

static void postgres_close(struct channel *channel, const char *why)
{
	struct postgres *pg = channel->state;

	postgres_close_client(channel, why);
	postgres_end_response(channel, why);
	while (pg->steps.count)
		postgres_end_step(channel, why);
}

static void postgres_done(struct channel *channel)
{
	struct postgres *pg = channel->state;

	MAP_FOR_EACH(node, &pg->statements)
		free(map_value(node));
	map_done(&pg->statements);
	MAP_FOR_EACH(node, &pg->portals) {
		struct portal *portal = map_value(node);

		message_unref(portal->args);
		free(portal);
	}
	map_done(&pg->portals);
	free(pg->steps.items);
	channel_drop(channel, pg->described);
	buf_done(&pg->json);
}

const struct decoder decoder_postgres = {
	.name = "postgres",
	.protocol = PROTOCOL_POSTGRES,
	.sniff = postgres_sniff,
	.state_size = sizeof(struct postgres),
	.open = postgres_open,
	.done = postgres_done,
	.feed = postgres_feed,
	.gap = postgres_gap,
	.close = postgres_close,
};
