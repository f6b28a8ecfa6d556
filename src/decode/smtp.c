/*
 * SMTP (RFC 5321) and LMTP: commands and replies are lines. A mail is the body of the command that
 * brings it, DATA or BDAT. Behind DATA, AUTH and STARTTLS the client's bytes wait for the reply, as it
 * says what they are.
 */
#include "decode/http_head.h"
#include "decode/limits.h"
#include "decode/pending.h"

static const char bad_reply[] = "this is no SMTP reply";
static const char bad_line[] = "a line is longer than 64 KiB";

/* RFC 5321, 4.5.3.1.5: a reply's line, with its end. */
#define GREETING_MAX 512U

enum part { PART_COMMAND, PART_MAIL, PART_CHUNK, PART_AUTH };

struct smtp {
	enum part part;
	struct message *request; /* that is not complete: a mail, an AUTH; NULL: none */
	struct exchange *open;   /* of it; pending's */
	bool waits;              /* the client, for the reply to it */
	bool starts_tls;
	uint64_t left;            /* of a BDAT */
	bool line_start;          /* of the mail */
	struct message *response; /* whose last line is still to come; NULL: none */
	struct pending pending;
	bool greeted;
};

static enum sniffed sniff_greeting(struct span said)
{
	struct span line, rest = said;
	enum sniffed start = sniff_start(said, SPAN("220"));

	if (start != SNIFF_YES)
		return start;
	if (said.len > 3 && said.data[3] != ' ' && said.data[3] != '-')
		return SNIFF_NO;
	if (!http_take_line(&rest, &line))
		return said.len > GREETING_MAX ? SNIFF_NO : SNIFF_MORE;
	if (said.len - rest.len > GREETING_MAX + 1)
		return SNIFF_NO;
	line = span_cut(line, 4, line.len);
	return span_has_nocase(line, SPAN("SMTP")) || span_has_nocase(line, SPAN("LMTP"))
		       ? SNIFF_YES
		       : SNIFF_NO;
}

static enum sniffed sniff_client(struct span said)
{
	static const struct span starts[] = { { (const uint8_t *)"EHLO ", 5 },
					      { (const uint8_t *)"HELO ", 5 },
					      { (const uint8_t *)"LHLO ", 5 } };

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		struct span start = span_cut(starts[i], 0, said.len < 5 ? said.len : 5);

		if (span_starts_nocase(said, start))
			return said.len < 5 ? SNIFF_MORE : SNIFF_YES;
	}
	return SNIFF_NO;
}

static enum sniffed smtp_sniff(const struct sniff *sniff, int *ret_client)
{
	if (sniff->datagram)
		return SNIFF_NO;
	return sniff_sides(sniff, sniff_client, sniff_greeting, ret_client);
}

static void finish_request(struct channel *channel)
{
	struct smtp *smtp = channel->state;

	if (!smtp->request)
		return;
	channel_emit(channel, smtp->request);
	smtp->request = NULL;
	smtp->open = NULL;
	smtp->waits = false;
	smtp->part = PART_COMMAND;
}

/* "BDAT 1000 LAST" */
static bool is_chunk(struct span verb, struct span argument, uint64_t *ret_len)
{
	return span_equal_nocase(verb, SPAN("BDAT")) &&
	       span_number(span_split(&argument, ' '), 10, ret_len);
}

static void take_command(struct channel *channel, struct span line, struct span whole)
{
	struct smtp *smtp = channel->state;
	struct span argument = line, verb = span_split(&argument, ' ');
	struct message *request =
		channel_message(channel, MESSAGE_REQUEST, (enum event_dir)channel->client);
	struct exchange *exchange = channel_exchange(channel);

	channel_note(channel, request, whole);
	message_add(request, ATTR_COMMAND, verb);
	if (argument.len)
		message_add(request, ATTR_ARG, argument);
	channel_request(exchange, request);
	pending_add(channel, &smtp->pending, exchange);
	smtp->request = request;
	smtp->open = exchange;
	if (is_chunk(verb, argument, &smtp->left) && smtp->left) {
		smtp->part = PART_CHUNK;
		return;
	}
	smtp->starts_tls = span_equal_nocase(verb, SPAN("STARTTLS"));
	smtp->waits = smtp->starts_tls || span_equal_nocase(verb, SPAN("DATA")) ||
		      span_equal_nocase(verb, SPAN("AUTH"));
	if (!smtp->waits)
		finish_request(channel);
}

/* One line of a mail; the dot that protects a dot is taken off (RFC 5321, 4.5.2). */
static ssize_t feed_mail(struct channel *channel, struct span bytes)
{
	struct smtp *smtp = channel->state;
	const uint8_t *lf;
	size_t skip = 0, len;

	if (smtp->line_start && bytes.data[0] == '.') {
		if (bytes.len < 3)
			return 0;
		if (span_starts(bytes, SPAN(".\r\n")) || span_starts(bytes, SPAN(".\n"))) {
			len = bytes.data[1] == '\r' ? 3 : 2;
			channel_note(channel, smtp->request, span_cut(bytes, 0, len));
			finish_request(channel);
			return (ssize_t)len;
		}
		skip = 1;
	}
	lf = memchr(bytes.data, '\n', bytes.len);
	len = lf ? (size_t)(lf - bytes.data) + 1 : bytes.len;
	channel_note(channel, smtp->request, span_cut(bytes, 0, len));
	channel_content(channel, smtp->request, span_cut(bytes, skip, len - skip));
	smtp->line_start = lf != NULL;
	return (ssize_t)len;
}

static ssize_t feed_chunk(struct channel *channel, struct span bytes)
{
	struct smtp *smtp = channel->state;
	struct span part = span_cut(bytes, 0, smtp->left < bytes.len ? smtp->left : bytes.len);

	channel_body(channel, smtp->request, part);
	smtp->left -= part.len;
	if (!smtp->left)
		finish_request(channel);
	return (ssize_t)part.len;
}

static ssize_t feed_client(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct smtp *smtp = channel->state;
	struct span line, rest = bytes, whole;

	if (smtp->waits && !channel_is_pressed(channel, dir))
		return 0;
	if (smtp->part == PART_MAIL)
		return feed_mail(channel, bytes);
	if (smtp->part == PART_CHUNK)
		return feed_chunk(channel, bytes);
	if (!http_take_line(&rest, &line))
		return bytes.len > LINE_MAX ? channel_give_up(channel, dir, bad_line) : 0;
	whole = span_cut(bytes, 0, bytes.len - rest.len);
	if (smtp->part == PART_AUTH) {
		channel_note(channel, smtp->request, whole);
		message_add(smtp->request, ATTR_ARG, line);
		smtp->waits = true;
	} else {
		finish_request(channel);
		take_command(channel, line, whole);
	}
	return (ssize_t)whole.len;
}

/* 3xx: the command wants more before it is answered. */
static bool goes_on(struct channel *channel, uint64_t code)
{
	struct smtp *smtp = channel->state;
	struct exchange *first = pending_first(&smtp->pending);
	bool mail = code == 354;

	if (code / 100 != 3 || !first || first != smtp->open)
		return false;
	smtp->response->flags |= MESSAGE_INTERIM;
	smtp->response->exchange = first->number;
	channel_emit(channel, smtp->response);
	smtp->response = NULL;
	smtp->part = mail ? PART_MAIL : PART_AUTH;
	smtp->line_start = true;
	smtp->request->body.present = mail;
	smtp->waits = false;
	return true;
}

static void take_reply(struct channel *channel, uint64_t code)
{
	struct smtp *smtp = channel->state;
	struct message *response = smtp->response;
	struct exchange *exchange;
	bool is_open;

	if (goes_on(channel, code))
		return;
	smtp->response = NULL;
	exchange = pending_take(&smtp->pending);
	if (!exchange) {
		response->kind = MESSAGE_ONEWAY;
		channel_emit(channel, response);
		return;
	}
	is_open = exchange == smtp->open;
	if (is_open && smtp->starts_tls && code == 220)
		channel_switch(channel, &decoder_tls);
	if (is_open)
		finish_request(channel);
	channel_response(exchange, response);
	channel_emit(channel, response);
	channel_exchange_emit(channel, exchange);
}

static ssize_t feed_server(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct smtp *smtp = channel->state;
	struct span line, rest = bytes;
	uint64_t code;
	bool last;

	/* A reply whose command is still to be seen: calls of two threads that overlap. */
	if (channel->fresh && smtp->greeted && !smtp->pending.count && !smtp->response &&
	    !channel_is_pressed(channel, dir))
		return 0;
	if (!http_take_line(&rest, &line))
		return bytes.len > LINE_MAX ? channel_give_up(channel, dir, bad_line) : 0;
	if (!span_number(span_cut(line, 0, 3), 10, &code) || line.len < 3 ||
	    (line.len > 3 && line.data[3] != ' ' && line.data[3] != '-'))
		return channel_give_up(channel, dir, bad_reply);
	if (!smtp->response) {
		smtp->response = channel_message(channel, MESSAGE_RESPONSE, dir);
		message_add_number(smtp->response, ATTR_STATUS, code);
	}
	channel_note(channel, smtp->response, span_cut(bytes, 0, bytes.len - rest.len));
	message_add(smtp->response, ATTR_LINE, span_cut(line, 4, line.len));
	last = line.len == 3 || line.data[3] == ' ';
	smtp->greeted |= last;
	if (last)
		take_reply(channel, code);
	return (ssize_t)(bytes.len - rest.len);
}

static ssize_t smtp_feed(struct channel *channel, enum event_dir dir, struct span bytes)
{
	if (channel->client < 0) {
		enum sniffed greeting = sniff_greeting(bytes);

		if (greeting == SNIFF_MORE)
			return 0;
		channel->client = (int)(greeting == SNIFF_NO ? dir : !dir);
	}
	return (int)dir == channel->client ? feed_client(channel, dir, bytes)
					   : feed_server(channel, dir, bytes);
}

static bool smtp_gap(struct channel *channel, enum event_dir dir, uint64_t len)
{
	struct smtp *smtp = channel->state;

	if ((int)dir != channel->client || smtp->part != PART_CHUNK || !len || len > smtp->left)
		return false;
	channel_body_lost(channel, smtp->request, len);
	smtp->left -= len;
	if (!smtp->left)
		finish_request(channel);
	return true;
}

static void smtp_close(struct channel *channel, const char *why)
{
	struct smtp *smtp = channel->state;

	if (smtp->request && (smtp->part == PART_MAIL || smtp->part == PART_CHUNK))
		message_cut(smtp->request, why);
	finish_request(channel);
	if (smtp->response) {
		message_cut(smtp->response, why);
		take_reply(channel, 0);
	}
	pending_close(channel, &smtp->pending, why);
}

const struct decoder decoder_smtp = {
	.name = "smtp",
	.protocol = PROTOCOL_SMTP,
	.sniff = smtp_sniff,
	.state_size = sizeof(struct smtp),
	.feed = smtp_feed,
	.gap = smtp_gap,
	.close = smtp_close,
};
