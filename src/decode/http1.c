/*
 * HTTP/1.0 and 1.1 (RFC 9112). Requests and responses are read by two machines that meet in the queue
 * of exchanges: a response is the answer to the oldest request without one. Where a request may change
 * the protocol (Upgrade, CONNECT), the client's bytes behind it wait until the server has answered.
 */
#include "decode/http_head.h"
#include "decode/limits.h"
#include "decode/pending.h"

#include <errno.h>

static const char bad_request[] = "a request line was expected";
static const char bad_response[] = "a status line was expected";
static const char bad_chunk[] = "a chunk's size was expected";
static const char too_long[] = "a head is longer than 256 KiB";

enum part {
	PART_HEAD,
	PART_LENGTH,
	PART_SIZE,
	PART_CHUNK,
	PART_CHUNK_END,
	PART_TRAILERS,
	PART_END
};

/* What one direction is in the middle of. */
struct half {
	enum part part;
	struct message *message; /* NULL before its head */
	uint64_t left;           /* bytes of the body or chunk */
	size_t scanned;          /* of a head that is not whole */
};

struct http1 {
	struct half request, response;
	struct pending pending;
	struct exchange
		*open; /* of the request that is not complete; NULL: none. Pending's or ours */
	bool answered; /* ours: its response came before it was complete */
	struct exchange *waiting; /* after it another protocol may come; pending's */
};

/* A method of letters, and a line without controls that ends with the version. */
static enum sniffed sniff_request(struct span said)
{
	struct http_request_line request;
	struct span line, rest;
	size_t at = 0;

	while (said.len && (said.data[0] == '\r' || said.data[0] == '\n'))
		said = span_cut(said, 1, said.len);
	while (at < said.len && at < 24 && (said.data[at] | 0x20) >= 'a' &&
	       (said.data[at] | 0x20) <= 'z')
		at++;
	if (at == said.len)
		return SNIFF_MORE;
	if (!at || at == 24 || said.data[at] != ' ')
		return SNIFF_NO;
	rest = said;
	if (http_take_line(&rest, &line))
		return http_request_line(line, &request) ? SNIFF_YES : SNIFF_NO;
	for (; at < said.len; at++)
		if (said.data[at] < ' ' && said.data[at] != '\r')
			return SNIFF_NO;
	return SNIFF_MORE;
}

static enum sniffed sniff_response(struct span said)
{
	struct http_status_line status;
	enum sniffed start = sniff_start(said, SPAN("HTTP/1."));

	if (start != SNIFF_YES)
		return start;
	if (said.len < sizeof("HTTP/1.1 200"))
		return SNIFF_MORE;
	return http_status_line(span_cut(said, 0, 12), &status) ? SNIFF_YES : SNIFF_NO;
}

static enum sniffed http1_sniff(const struct sniff *sniff, int *ret_client)
{
	if (sniff->datagram)
		return SNIFF_NO;
	return sniff_sides(sniff, sniff_request, sniff_response, ret_client);
}

/* Only the first value counts; several that differ make the length unknown. */
static bool content_length(const struct message *message, uint64_t *ret_length)
{
	struct span value = message_header(message, "content-length");

	return span_number(span_trim(span_split(&value, ','), " \t"), 10, ret_length);
}

static bool is_chunked(const struct message *message)
{
	return http_header_has(message, "transfer-encoding", "chunked");
}

/* RFC 9112, 6.3, from where request and response are the same. False: there is no body. */
static bool begin_body(struct half *half, bool until_end)
{
	struct message *message = half->message;

	http_set_coding(message);
	if (is_chunked(message))
		half->part = PART_SIZE;
	else if (content_length(message, &half->left))
		half->part = PART_LENGTH;
	else if (until_end)
		half->part = PART_END;
	else
		return false;
	return half->part != PART_LENGTH || half->left;
}

static void emit_request(struct channel *channel)
{
	struct http1 *http1 = channel->state;
	struct half *half = &http1->request;

	channel_emit(channel, half->message);
	if (http1->answered)
		channel_exchange_emit(channel, http1->open);
	http1->open = NULL;
	http1->answered = false;
	*half = (struct half){ 0 };
}

/* The request is whole. */
static void finish_request(struct channel *channel)
{
	struct http1 *http1 = channel->state;
	const struct message *request = http1->request.message;
	bool may_change = span_equal(message_value(request, ATTR_METHOD), SPAN("CONNECT")) ||
			  message_header(request, "upgrade").len;

	if (may_change && !http1->answered)
		http1->waiting = http1->open;
	emit_request(channel);
}

/* The exchange that a response belongs to is over, its message emitted. */
static void end_exchange(struct channel *channel, struct exchange *exchange)
{
	struct http1 *http1 = channel->state;

	if (exchange == http1->waiting)
		http1->waiting = NULL;
	if (exchange == http1->open)
		http1->answered = true;
	else
		channel_exchange_emit(channel, exchange);
}

static void emit_response(struct channel *channel)
{
	struct http1 *http1 = channel->state;
	struct half *half = &http1->response;
	struct exchange *exchange = pending_take(&http1->pending);

	if (!exchange)
		exchange = channel_exchange(channel);
	channel_response(exchange, half->message);
	channel_emit(channel, half->message);
	*half = (struct half){ 0 };
	end_exchange(channel, exchange);
}

static void finish(struct channel *channel, enum event_dir dir)
{
	if (dir == (enum event_dir)channel->client)
		finish_request(channel);
	else
		emit_response(channel);
}

static void add_request(struct channel *channel, struct span head)
{
	struct http1 *http1 = channel->state;
	struct http_request_line line;
	struct span first, rest = head, target;
	struct message *request;

	http_take_line(&rest, &first);
	http_request_line(first, &line);
	request = channel_message(channel, MESSAGE_REQUEST, (enum event_dir)channel->client);
	channel_note(channel, request, head);
	message_add(request, ATTR_VERSION, span_cut(line.version, 5, 3));
	message_add(request, ATTR_METHOD, line.method);
	message_add(request, ATTR_TARGET, line.target);
	http_add_headers(request, ATTR_HEADER, rest);
	target = line.target;
	http_add_url(channel, request, message_header(request, "host"), (struct span){ 0 }, target);
	http1->request = (struct half){ .message = request };
	http1->open = channel_exchange(channel);
	channel_request(http1->open, request);
	pending_add(channel, &http1->pending, http1->open);
	if (!begin_body(&http1->request, false))
		finish_request(channel);
}

/* A 101 or a CONNECT's 2xx: the connection is another protocol's from here on. */
static void change_protocol(struct channel *channel)
{
	struct http1 *http1 = channel->state;
	struct message *response = http1->response.message;
	struct exchange *exchange = pending_first(&http1->pending);
	const struct decoder *next = NULL;

	if (http_header_has(response, "upgrade", "websocket"))
		next = &decoder_websocket;
	else if (http_header_has(response, "upgrade", "h2c"))
		next = &decoder_http2;
	if (exchange && next)
		channel->inherited = exchange_ref(exchange);
	channel_switch(channel, next);
	if (next != &decoder_http2 || !exchange) {
		emit_response(channel);
		return;
	}
	/* The answer itself comes in HTTP/2, on stream 1. */
	response->flags |= MESSAGE_INTERIM;
	response->exchange = exchange->number;
	channel_emit(channel, response);
	http1->response = (struct half){ 0 };
	exchange_unref(pending_take(&http1->pending));
}

static void emit_interim(struct channel *channel)
{
	struct http1 *http1 = channel->state;
	struct message *response = http1->response.message;
	const struct exchange *exchange = pending_first(&http1->pending);

	response->flags |= MESSAGE_INTERIM;
	if (exchange)
		response->exchange = exchange->number;
	channel_emit(channel, response);
	http1->response = (struct half){ 0 };
}

static struct span pending_method(const struct http1 *http1)
{
	const struct exchange *exchange = pending_first(&http1->pending);

	if (!exchange || !exchange->request)
		return (struct span){ 0 };
	return message_value(exchange->request, ATTR_METHOD);
}

static void route_response(struct channel *channel, uint64_t status)
{
	struct http1 *http1 = channel->state;
	struct span method = pending_method(http1);
	bool tunnel = span_equal(method, SPAN("CONNECT")) && status / 100 == 2;

	if (status == 101 || tunnel)
		change_protocol(channel);
	else if (status < 200)
		emit_interim(channel);
	else if (status == 204 || status == 304 || span_equal(method, SPAN("HEAD")) ||
		 !begin_body(&http1->response, true))
		emit_response(channel);
}

static void add_response(struct channel *channel, struct span head)
{
	struct http1 *http1 = channel->state;
	struct http_status_line line;
	struct span first, rest = head;
	struct message *response;

	http_take_line(&rest, &first);
	http_status_line(first, &line);
	response = channel_message(channel, MESSAGE_RESPONSE, (enum event_dir) !channel->client);
	channel_note(channel, response, head);
	message_add(response, ATTR_VERSION, span_cut(line.version, 5, 3));
	message_add_number(response, ATTR_STATUS, line.status);
	message_add(response, ATTR_REASON, line.reason);
	http_add_headers(response, ATTR_HEADER, rest);
	http1->response = (struct half){ .message = response };
	route_response(channel, line.status);
}

/* Empty lines before a start line are to be ignored (RFC 9112, 2.2). */
static size_t empty_lines(struct span bytes)
{
	size_t len = 0;

	while (len < bytes.len && (bytes.data[len] == '\r' || bytes.data[len] == '\n'))
		len++;
	return len;
}

static bool must_wait(struct channel *channel, bool is_request)
{
	struct http1 *http1 = channel->state;

	if (is_request)
		return http1->waiting &&
		       !channel_is_pressed(channel, (enum event_dir)channel->client);
	/* A response whose request is still to be seen: two threads, or two calls that overlap. */
	return channel->fresh && !http1->pending.count &&
	       !channel_is_pressed(channel, (enum event_dir) !channel->client);
}

static bool is_start(struct span line, bool is_request)
{
	struct http_request_line request;
	struct http_status_line status;

	return is_request ? http_request_line(line, &request) : http_status_line(line, &status);
}

static ssize_t feed_head(struct channel *channel, enum event_dir dir, struct half *half,
			 struct span bytes)
{
	struct http1 *http1 = channel->state;
	bool is_request = half == &http1->request;
	struct span rest = bytes, line;
	size_t len = empty_lines(bytes);

	if (must_wait(channel, is_request))
		return 0;
	if (len)
		return (ssize_t)len;
	if (http_take_line(&rest, &line) ? !is_start(line, is_request) : bytes.len > LINE_MAX)
		return channel_give_up(channel, dir, is_request ? bad_request : bad_response);
	len = http_head_length(bytes, &half->scanned);
	if (len > HEAD_MAX || (!len && bytes.len > HEAD_MAX))
		return channel_give_up(channel, dir, too_long);
	if (!len)
		return 0;
	if (is_request)
		add_request(channel, span_cut(bytes, 0, len));
	else
		add_response(channel, span_cut(bytes, 0, len));
	return (ssize_t)len;
}

/* Bytes of a body whose end is known. */
static ssize_t feed_counted(struct channel *channel, enum event_dir dir, struct half *half,
			    struct span bytes)
{
	struct span part = span_cut(bytes, 0, half->left < bytes.len ? half->left : bytes.len);

	channel_body(channel, half->message, part);
	half->left -= part.len;
	if (!half->left && half->part == PART_CHUNK)
		half->part = PART_CHUNK_END;
	else if (!half->left)
		finish(channel, dir);
	return (ssize_t)part.len;
}

static ssize_t feed_size(struct channel *channel, enum event_dir dir, struct half *half,
			 struct span bytes)
{
	struct span line, rest = bytes, size;

	if (!http_take_line(&rest, &line))
		return bytes.len > LINE_MAX ? channel_give_up(channel, dir, bad_chunk) : 0;
	size = line;
	/* What follows a semicolon are extensions. */
	size = span_trim(span_split(&size, ';'), " \t");
	if (!span_number(size, 16, &half->left))
		return channel_give_up(channel, dir, bad_chunk);
	half->message->body.present = true;
	half->part = half->left ? PART_CHUNK : PART_TRAILERS;
	half->scanned = 0;
	channel_note(channel, half->message, span_cut(bytes, 0, bytes.len - rest.len));
	return (ssize_t)(bytes.len - rest.len);
}

static ssize_t feed_chunk_end(struct channel *channel, enum event_dir dir, struct half *half,
			      struct span bytes)
{
	struct span line, rest = bytes;

	if (!http_take_line(&rest, &line))
		return bytes.len > 2 ? channel_give_up(channel, dir, bad_chunk) : 0;
	if (line.len)
		return channel_give_up(channel, dir, bad_chunk);
	half->part = PART_SIZE;
	channel_note(channel, half->message, span_cut(bytes, 0, bytes.len - rest.len));
	return (ssize_t)(bytes.len - rest.len);
}

static ssize_t feed_trailers(struct channel *channel, enum event_dir dir, struct half *half,
			     struct span bytes)
{
	struct span rest = bytes, line;
	size_t len;

	/* Mostly there are none: then the empty line comes at once. */
	if (http_take_line(&rest, &line) && !line.len)
		len = bytes.len - rest.len;
	else
		len = http_head_length(bytes, &half->scanned);
	if (!len)
		return bytes.len > HEAD_MAX ? channel_give_up(channel, dir, too_long) : 0;
	channel_note(channel, half->message, span_cut(bytes, 0, len));
	http_add_headers(half->message, ATTR_TRAILER, span_cut(bytes, 0, len));
	finish(channel, dir);
	return (ssize_t)len;
}

static ssize_t http1_feed(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct http1 *http1 = channel->state;
	struct half *half;

	if (channel->client < 0) {
		enum sniffed response = sniff_response(bytes);

		if (response == SNIFF_MORE)
			return 0;
		channel->client = (int)(response == SNIFF_NO ? dir : !dir);
	}
	half = dir == (enum event_dir)channel->client ? &http1->request : &http1->response;
	switch (half->part) {
	case PART_HEAD:
		return feed_head(channel, dir, half, bytes);
	case PART_LENGTH:
	case PART_CHUNK:
		return feed_counted(channel, dir, half, bytes);
	case PART_SIZE:
		return feed_size(channel, dir, half, bytes);
	case PART_CHUNK_END:
		return feed_chunk_end(channel, dir, half, bytes);
	case PART_TRAILERS:
		return feed_trailers(channel, dir, half, bytes);
	case PART_END:
		channel_body(channel, half->message, bytes);
		return (ssize_t)bytes.len;
	}
	return -EBADMSG;
}

static bool http1_gap(struct channel *channel, enum event_dir dir, uint64_t len)
{
	struct http1 *http1 = channel->state;
	struct half *half =
		dir == (enum event_dir)channel->client ? &http1->request : &http1->response;
	bool counted = half->part == PART_LENGTH || half->part == PART_CHUNK;

	if (half->part != PART_END && (!counted || len > half->left || !len))
		return false;
	channel_body_lost(channel, half->message, len);
	half->left -= counted ? len : 0;
	if (counted && !half->left && half->part == PART_CHUNK)
		half->part = PART_CHUNK_END;
	else if (counted && !half->left)
		finish(channel, dir);
	return true;
}

static void http1_end(struct channel *channel, enum event_dir dir)
{
	struct http1 *http1 = channel->state;
	struct half *half =
		dir == (enum event_dir)channel->client ? &http1->request : &http1->response;

	if (!half->message)
		return;
	if (half->part != PART_END)
		message_cut(half->message, "the connection ended before the body");
	finish(channel, dir);
}

static void http1_close(struct channel *channel, const char *why)
{
	struct http1 *http1 = channel->state;

	if (http1->response.message) {
		message_cut(http1->response.message, why);
		emit_response(channel);
	}
	if (http1->request.message) {
		message_cut(http1->request.message, why);
		emit_request(channel);
	}
	pending_close(channel, &http1->pending, why);
}

const struct decoder decoder_http1 = {
	.name = "http",
	.protocol = PROTOCOL_HTTP1,
	.sniff = http1_sniff,
	.state_size = sizeof(struct http1),
	.feed = http1_feed,
	.gap = http1_gap,
	.end = http1_end,
	.close = http1_close,
};
