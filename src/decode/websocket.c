/*
 * WebSocket (RFC 6455) with permessage-deflate (RFC 7692), behind an HTTP upgrade. A message may come
 * in fragments, with control frames in between. A compressed one is kept as it is until it is whole.
 */
#include "base/own.h"
#include "decode/channel.h"
#include "decode/coding.h"
#include "decode/http_head.h"
#include "decode/limits.h"

#include <errno.h>

static const char bad_frame[] = "this is no WebSocket frame";
static const char packed_too_long[] = "a compressed message longer than 1 MiB is not decoded";
static const char lost[] = "bytes were lost";
static const char window_lost[] = "the compression's window was lost with an earlier message";

enum opcode { OP_CONTINUE, OP_TEXT, OP_BINARY, OP_CLOSE = 8, OP_PING, OP_PONG };

static const char *const opcode_names[16] = {
	[OP_TEXT] = "text", [OP_BINARY] = "binary", [OP_CLOSE] = "close",
	[OP_PING] = "ping", [OP_PONG] = "pong",
};

struct frame {
	enum opcode opcode;
	bool fin, compressed, masked;
	uint8_t mask[4];
	uint64_t len;
	size_t head; /* length of the frame's header */
};

/* One direction. */
struct half {
	struct message *message; /* NULL: none is open */
	bool compressed;         /* it is */
	struct buf packed;       /* its bytes, then */
	const char *missing;     /* why not all of them are there; NULL: they are */
	struct frame frame;      /* the one whose payload is coming in */
	uint64_t left, at;       /* of its payload */
	bool in_payload;
	struct inflater *inflater;
	bool forgets; /* the sender starts each message with an empty window */
	bool broken;
};

struct websocket {
	struct half halves[DIRS];
	uint64_t exchange; /* the upgrade */
	bool deflate;
};

/* One, with its parameters: only this one's count. */
static void take_extension(struct websocket *ws, int client, struct span extension)
{
	struct span item = span_trim(span_split(&extension, ';'), " \t");

	if (!span_equal_nocase(item, SPAN("permessage-deflate")))
		return;
	ws->deflate = true;
	while (extension.len) {
		item = span_trim(span_split(&extension, ';'), " \t");
		if (span_equal_nocase(item, SPAN("client_no_context_takeover")))
			ws->halves[client].forgets = true;
		else if (span_equal_nocase(item, SPAN("server_no_context_takeover")))
			ws->halves[!client].forgets = true;
	}
}

static void websocket_open(struct channel *channel)
{
	struct websocket *ws = channel->state;
	const struct exchange *exchange = channel->inherited;
	const struct message *response = exchange ? exchange->response : NULL;

	if (!response || channel->client < 0)
		return;
	ws->exchange = exchange->number;
	/* There can be several headers, each with several of them (RFC 6455, 9.1). */
	for (size_t i = 0; i < response->attr_count; i++) {
		struct span extensions = response->attrs[i].value;

		if (response->attrs[i].key != ATTR_HEADER ||
		    !span_equal_nocase(response->attrs[i].name, SPAN("sec-websocket-extensions")))
			continue;
		while (extensions.len)
			take_extension(ws, channel->client, span_split(&extensions, ','));
	}
}

/* 1: ret_frame is set; 0: not enough bytes; -EBADMSG. */
static int read_frame(const struct websocket *ws, struct span bytes, struct frame *ret_frame)
{
	struct reader reader = reader_of(bytes);
	uint8_t first = reader_u8(&reader), second = reader_u8(&reader);
	struct frame frame = { .opcode = first & 15,
			       .fin = first & 0x80,
			       .compressed = first & 0x40,
			       .masked = second & 0x80,
			       .len = second & 0x7f };
	bool control = frame.opcode >= OP_CLOSE;
	struct span mask = { 0 };

	if (!reader.bad && (!(opcode_names[frame.opcode] || !frame.opcode) || (first & 0x30) ||
			    (frame.compressed && (!ws->deflate || control || !frame.opcode)) ||
			    (control && (!frame.fin || frame.len > 125))))
		return -EBADMSG;
	if (frame.len == 126)
		frame.len = reader_u16(&reader);
	else if (frame.len == 127)
		frame.len = reader_be(&reader, 8);
	if (frame.masked)
		mask = reader_take(&reader, sizeof(frame.mask));
	if (reader.bad)
		return 0;
	if (frame.masked)
		memcpy(frame.mask, mask.data, sizeof(frame.mask));
	frame.head = bytes.len - reader_left(&reader);
	*ret_frame = frame;
	return frame.len >> 63 ? -EBADMSG : 1;
}

/* Takes a part of the frame's payload, unmasked, to the message or to what is to be inflated. */
static void take_payload(struct channel *channel, struct half *half, struct message *message,
			 struct span part)
{
	const struct frame *frame = &half->frame;
	bool pack = half->compressed && frame->opcode < OP_CLOSE;
	uint8_t piece[4096];

	channel_note(channel, message, part);
	for (size_t at = 0; at < part.len;) {
		size_t n = part.len - at < sizeof(piece) ? part.len - at : sizeof(piece);

		for (size_t i = 0; i < n; i++, half->at++)
			piece[i] = part.data[at + i] ^ frame->mask[half->at & 3];
		if (!pack)
			channel_content(channel, message, span_of(piece, n));
		else if (channel_body_max(channel) && half->packed.len + n <= HELD_MAX &&
			 !half->missing)
			buf_add(&half->packed, piece, n);
		else if (!half->missing)
			half->missing = packed_too_long;
		at += n;
	}
	if (pack)
		message->body.wire += part.len;
	half->left -= part.len;
}

static void inflate_message(struct channel *channel, struct half *half)
{
	struct body *body = &half->message->body;

	body->coding = "permessage-deflate";
	body->present = true;
	body->cut = true;
	if (half->forgets)
		half->broken = false;
	body->why = half->missing ? half->missing : half->broken ? window_lost : NULL;
	half->broken |= half->missing != NULL;
	if (half->broken)
		return;
	if (!half->inflater)
		half->inflater = inflater_new();
	if (half->forgets)
		inflater_reset(half->inflater);
	/* The sender has taken it off (RFC 7692, 7.2.1). */
	buf_add(&half->packed, "\0\0\xff\xff", 4);
	half->broken = !inflater_feed(half->inflater, span_of(half->packed.data, half->packed.len),
				      channel_body_max(channel), &body->kept, &body->len);
	body->why = half->broken ? coding_corrupt : NULL;
	body->cut = half->broken || body->kept.len < body->len;
	body->decoded = true;
}

static void finish_message(struct channel *channel, struct half *half)
{
	struct message *message = half->message;
	struct body *body = &message->body;
	uint64_t len;

	if (half->compressed && channel_body_max(channel)) {
		inflate_message(channel, half);
		/* What was inflated is not the channel's account. */
		len = body->decoded ? body->len : body->wire;
		body->settled = true;
		body->len = len;
	}
	channel_emit(channel, message);
	buf_done(&half->packed);
	half->message = NULL;
	half->compressed = false;
	half->missing = NULL;
}

static struct message *new_message(struct channel *channel, enum event_dir dir, enum opcode opcode)
{
	struct websocket *ws = channel->state;
	struct message *message = channel_message(channel, MESSAGE_ONEWAY, dir);

	message->exchange = ws->exchange;
	message_add_text(message, ATTR_OPCODE, opcode_names[opcode]);
	return message;
}

/* They are short, and looked at whole. */
static ssize_t feed_control(struct channel *channel, enum event_dir dir, const struct frame *frame,
			    struct span bytes)
{
	struct span payload = span_cut(bytes, frame->head, (size_t)frame->len);
	struct message *message;
	uint8_t plain[125];

	if (payload.len < frame->len)
		return 0;
	message = new_message(channel, dir, frame->opcode);
	for (size_t i = 0; i < payload.len; i++)
		plain[i] = payload.data[i] ^ frame->mask[i & 3];
	channel_note(channel, message, span_cut(bytes, 0, frame->head + payload.len));
	if (payload.len && frame->opcode != OP_CLOSE)
		channel_content(channel, message, span_of(plain, payload.len));
	if (frame->opcode == OP_CLOSE && payload.len >= 2) {
		message_add_number(message, ATTR_CODE, (uint64_t)(plain[0] << 8 | plain[1]));
		message_add(message, ATTR_REASON, span_of(plain + 2, payload.len - 2));
	}
	channel_emit(channel, message);
	return (ssize_t)(frame->head + payload.len);
}

static ssize_t feed_header(struct channel *channel, enum event_dir dir, struct half *half,
			   struct span bytes)
{
	struct frame *frame = &half->frame;
	int result = read_frame(channel->state, bytes, frame);

	if (result < 0 || (result && frame->opcode < OP_CLOSE && !frame->opcode != !!half->message))
		return channel_give_up(channel, dir, bad_frame);
	if (!result)
		return 0;
	if (frame->opcode >= OP_CLOSE)
		return feed_control(channel, dir, frame, bytes);
	if (!half->message) {
		half->message = new_message(channel, dir, frame->opcode);
		half->compressed = frame->compressed;
		half->message->body.present = true;
	}
	channel_note(channel, half->message, span_cut(bytes, 0, frame->head));
	half->left = frame->len;
	half->at = 0;
	half->in_payload = frame->len > 0;
	if (!frame->len && frame->fin)
		finish_message(channel, half);
	return (ssize_t)frame->head;
}

static void end_of_payload(struct channel *channel, struct half *half)
{
	if (half->left)
		return;
	half->in_payload = false;
	if (half->frame.fin)
		finish_message(channel, half);
}

static ssize_t websocket_feed(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct websocket *ws = channel->state;
	struct half *half = &ws->halves[dir];
	struct span part;

	if (!half->in_payload)
		return feed_header(channel, dir, half, bytes);
	part = span_cut(bytes, 0, half->left < bytes.len ? (size_t)half->left : bytes.len);
	take_payload(channel, half, half->message, part);
	end_of_payload(channel, half);
	return (ssize_t)part.len;
}

static bool websocket_gap(struct channel *channel, enum event_dir dir, uint64_t len)
{
	struct websocket *ws = channel->state;
	struct half *half = &ws->halves[dir];

	if (!half->in_payload || !len || len > half->left)
		return false;
	channel_body_lost(channel, half->message, len);
	half->left -= len;
	half->at += len;
	half->missing = lost;
	end_of_payload(channel, half);
	return true;
}

static void websocket_close(struct channel *channel, const char *why)
{
	struct websocket *ws = channel->state;

	for (int dir = 0; dir < DIRS; dir++) {
		if (!ws->halves[dir].message)
			continue;
		message_cut(ws->halves[dir].message, why);
		finish_message(channel, &ws->halves[dir]);
	}
}

static void websocket_done(struct channel *channel)
{
	struct websocket *ws = channel->state;

	for (int dir = 0; dir < DIRS; dir++) {
		inflater_free(ws->halves[dir].inflater);
		buf_done(&ws->halves[dir].packed);
	}
}

const struct decoder decoder_websocket = {
	.name = "websocket",
	.protocol = PROTOCOL_WEBSOCKET,
	.state_size = sizeof(struct websocket),
	.open = websocket_open,
	.done = websocket_done,
	.feed = websocket_feed,
	.gap = websocket_gap,
	.close = websocket_close,
};
