/*
 * HTTP/2 in clear (RFC 9113): frames. Streams and messages are http2_stream.c's. Data is handed on as it
 * comes in; frames with headers are taken whole. Flow control, priorities and settings are not our
 * affair. Where we came in the middle, headers that refer to what we have not seen are left out.
 */
#include "base/own.h"
#include "decode/hpack.h"
#include "decode/http2_stream.h"
#include "decode/limits.h"

#include <errno.h>

static const char bad_frame[] = "this is no HTTP/2 frame";
static const char bad_order[] = "a header block was expected to continue";
static const char too_long[] = "a frame with headers is longer than 256 KiB";
static const char bad_headers[] = "the headers cannot be decompressed";

#define PREFACE    SPAN("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
#define FRAME_HEAD 9

enum frame_type {
	FRAME_DATA,
	FRAME_HEADERS,
	FRAME_PRIORITY,
	FRAME_RST_STREAM,
	FRAME_SETTINGS,
	FRAME_PUSH_PROMISE,
	FRAME_PING,
	FRAME_GOAWAY,
	FRAME_WINDOW_UPDATE,
	FRAME_CONTINUATION,
	FRAME_TYPES,
};

enum frame_flag {
	FRAME_END_STREAM = 1,
	FRAME_END_HEADERS = 4,
	FRAME_PADDED = 8,
	FRAME_WITH_PRIORITY = 32,
};

struct frame {
	uint32_t len, stream;
	uint8_t type, flags;
};

/* One direction. */
struct half {
	struct frame frame; /* the one whose payload is coming in */
	bool in_payload;
	uint32_t data, rest; /* bytes of it that are data, and padding or of no interest behind */
	struct hpack *hpack;
	struct block block; /* that is not whole */
	uint32_t block_on;  /* the stream whose frames it is in */
};

struct http2 {
	struct half halves[DIRS];
	struct streams streams;
};

static struct frame read_head(struct span bytes)
{
	struct reader reader = reader_of(bytes);
	struct frame frame = { .len = (uint32_t)reader_be(&reader, 3) };

	frame.type = reader_u8(&reader);
	frame.flags = reader_u8(&reader);
	frame.stream = reader_u32(&reader) & 0x7fffffff;
	return frame;
}

/* What a frame of each type looks like (RFC 9113, 6). */
static const struct {
	uint8_t flags;      /* that it may have */
	bool on_stream;     /* its stream is not 0 */
	bool on_connection; /* its stream is 0 */
	uint32_t len;       /* 0: any */
} frame_forms[FRAME_TYPES] = {
	[FRAME_DATA] = { 0x09, true, false, 0 },
	[FRAME_HEADERS] = { 0x2d, true, false, 0 },
	[FRAME_PRIORITY] = { 0, true, false, 5 },
	[FRAME_RST_STREAM] = { 0, true, false, 4 },
	[FRAME_SETTINGS] = { 0x01, false, true, 0 },
	[FRAME_PUSH_PROMISE] = { 0x0c, true, false, 0 },
	[FRAME_PING] = { 0x01, false, true, 8 },
	[FRAME_GOAWAY] = { 0, false, true, 0 },
	[FRAME_WINDOW_UPDATE] = { 0, false, false, 4 },
	[FRAME_CONTINUATION] = { 0x04, true, false, 0 },
};

static bool is_plausible(struct span bytes)
{
	struct frame frame = read_head(bytes);

	if (frame.type >= FRAME_TYPES || (bytes.data[5] & 0x80) ||
	    (frame.flags & ~frame_forms[frame.type].flags) || frame.len > 16384)
		return false;
	if (frame_forms[frame.type].on_stream && !frame.stream)
		return false;
	if (frame_forms[frame.type].on_connection && frame.stream)
		return false;
	if (frame.type == FRAME_SETTINGS && (frame.len % 6 || ((frame.flags & 1) && frame.len)))
		return false;
	return !frame_forms[frame.type].len || frame_forms[frame.type].len == frame.len;
}

static enum sniffed sniff_client(struct span said)
{
	return sniff_start(said, PREFACE);
}

/* A server begins with its settings. */
static enum sniffed sniff_server(struct span said)
{
	if (said.data[0] || (said.len > 1 && said.data[1]) || (said.len > 3 && said.data[3] != 4))
		return SNIFF_NO;
	if (said.len < FRAME_HEAD)
		return SNIFF_MORE;
	return is_plausible(said) && said.data[3] == FRAME_SETTINGS && !said.data[4] ? SNIFF_YES
										     : SNIFF_NO;
}

/* In the middle: two frames, or one of a kind that is not taken for something else. */
static enum sniffed sniff_turn(struct span said)
{
	struct frame frame;

	if (said.data[0])
		return SNIFF_NO;
	if (said.len < FRAME_HEAD)
		return SNIFF_MORE;
	frame = read_head(said);
	if (!is_plausible(said))
		return SNIFF_NO;
	if (frame.type == FRAME_WINDOW_UPDATE || frame.type == FRAME_PING)
		return SNIFF_YES;
	if (said.len < FRAME_HEAD + frame.len)
		return SNIFF_MORE;
	if (frame.type == FRAME_HEADERS && (frame.flags & FRAME_END_HEADERS))
		return SNIFF_YES;
	if (said.len < 2 * FRAME_HEAD + frame.len)
		return SNIFF_MORE;
	return is_plausible(span_cut(said, FRAME_HEAD + frame.len, FRAME_HEAD)) ? SNIFF_YES
										: SNIFF_NO;
}

static enum sniffed http2_sniff(const struct sniff *sniff, int *ret_client)
{
	enum sniffed sniffed = SNIFF_NO;
	int unknown;

	if (sniff->datagram)
		return SNIFF_NO;
	sniffed = sniff_sides(sniff, sniff_client, sniff_server, ret_client);
	if (sniffed == SNIFF_NO && !sniff->fresh)
		sniffed = sniff_sides(sniff, sniff_turn, NULL, &unknown);
	return sniffed;
}

static void http2_open(struct channel *channel)
{
	struct http2 *http2 = channel->state;

	if (channel->inherited)
		streams_upgraded(&http2->streams, channel->inherited);
	for (int dir = 0; dir < DIRS; dir++)
		http2->halves[dir].hpack = hpack_new(channel->fresh);
}

static void http2_done(struct channel *channel)
{
	struct http2 *http2 = channel->state;

	for (int dir = 0; dir < DIRS; dir++)
		hpack_free(http2->halves[dir].hpack);
}

/* Takes padding and priority off a frame's payload. False where they do not fit. */
static bool strip(const struct frame *frame, struct span *payload)
{
	struct reader reader = reader_of(*payload);
	size_t padding = frame->flags & FRAME_PADDED ? reader_u8(&reader) : 0;

	if (frame->type == FRAME_HEADERS && (frame->flags & FRAME_WITH_PRIORITY))
		reader_take(&reader, 5);
	if (reader.bad || padding > reader_left(&reader))
		return false;
	*payload = span_of(reader.at, reader_left(&reader) - padding);
	return true;
}

static void feed_fragment(struct channel *channel, struct half *half, struct span fragment)
{
	struct http2 *http2 = channel->state;
	struct block *block = &half->block;
	bool last = half->frame.flags & FRAME_END_HEADERS;

	if (!hpack_feed(half->hpack, fragment, last, block_add, block))
		message_cut(block->message, bad_headers);
	if (last)
		streams_headers(channel, &http2->streams, block);
}

static bool begin_block(struct channel *channel, enum event_dir dir, struct half *half,
			struct span *payload)
{
	const struct frame *frame = &half->frame;
	uint32_t stream = frame->stream;
	bool pushed = frame->type == FRAME_PUSH_PROMISE;

	if (!strip(frame, payload) || (pushed && payload->len < 4))
		return false;
	if (pushed) {
		struct reader reader = reader_of(*payload);

		stream = reader_u32(&reader) & 0x7fffffff;
		*payload = span_cut(*payload, 4, payload->len);
	}
	block_begin(channel, &half->block, dir, stream);
	half->block.end_stream = !pushed && (frame->flags & FRAME_END_STREAM);
	half->block.pushed = pushed;
	half->block_on = frame->stream;
	return true;
}

/* HEADERS, PUSH_PROMISE and CONTINUATION. */
static ssize_t feed_headers(struct channel *channel, enum event_dir dir, struct half *half,
			    struct span bytes)
{
	const struct frame *frame = &half->frame;
	struct span payload = span_cut(bytes, FRAME_HEAD, frame->len);
	size_t len = FRAME_HEAD + frame->len;
	bool goes_on = frame->type == FRAME_CONTINUATION;

	if (frame->len > HEAD_MAX)
		return channel_give_up(channel, dir, too_long);
	if (bytes.len < len) {
		channel_want(channel, dir, len);
		return 0;
	}
	if (!goes_on && !begin_block(channel, dir, half, &payload))
		return channel_give_up(channel, dir, bad_frame);
	channel_note(channel, half->block.message, span_cut(bytes, 0, len));
	feed_fragment(channel, half, payload);
	return (ssize_t)len;
}

static ssize_t begin_data(struct channel *channel, enum event_dir dir, struct half *half,
			  struct span bytes)
{
	struct http2 *http2 = channel->state;
	const struct frame *frame = &half->frame;
	size_t head = FRAME_HEAD + (frame->flags & FRAME_PADDED ? 1U : 0U);

	if (bytes.len < head)
		return 0;
	half->rest = head > FRAME_HEAD ? bytes.data[FRAME_HEAD] : 0;
	if (frame->len < head - FRAME_HEAD + half->rest)
		return channel_give_up(channel, dir, bad_frame);
	half->data = frame->len - (uint32_t)(head - FRAME_HEAD) - half->rest;
	half->in_payload = half->data || half->rest;
	streams_frame(channel, &http2->streams, dir, frame->stream, span_cut(bytes, 0, head));
	if (!half->in_payload && (frame->flags & FRAME_END_STREAM))
		streams_end(channel, &http2->streams, dir, frame->stream);
	return (ssize_t)head;
}

static void tell_goaway(struct channel *channel, enum event_dir dir, struct span payload,
			struct span whole)
{
	struct reader reader = reader_of(payload);
	struct message *message;
	uint32_t code;

	reader_take(&reader, 4);
	code = reader_u32(&reader);
	if (!code)
		return;
	message = channel_message(channel, MESSAGE_ONEWAY, dir);
	channel_note(channel, message, whole);
	message_add_text(message, ATTR_COMMAND, "GOAWAY");
	message_add_text(message, ATTR_ERROR_CODE, http2_error_name(code));
	message_add(message, ATTR_ERROR, span_cut(reader_rest(&reader), 0, VALUE_MAX));
	channel_emit(channel, message);
}

/* Small frames that are looked at whole; GOAWAY's debug data are cut. */
static ssize_t feed_small(struct channel *channel, enum event_dir dir, struct half *half,
			  struct span bytes)
{
	struct http2 *http2 = channel->state;
	struct frame *frame = &half->frame;
	uint32_t len = frame->len < FRAME_KEPT ? frame->len : FRAME_KEPT;
	struct span payload = span_cut(bytes, FRAME_HEAD, len);

	if (payload.len < len) {
		channel_want(channel, dir, FRAME_HEAD + len);
		return 0;
	}
	if (frame->type == FRAME_RST_STREAM && len >= 4) {
		struct reader reader = reader_of(payload);

		streams_reset(channel, &http2->streams, frame->stream, reader_u32(&reader));
	} else if (frame->type == FRAME_GOAWAY) {
		tell_goaway(channel, dir, payload, span_cut(bytes, 0, FRAME_HEAD + len));
	}
	half->data = 0;
	half->rest = frame->len - len;
	half->in_payload = half->rest > 0;
	frame->flags = 0;
	return (ssize_t)(FRAME_HEAD + len);
}

/*
 * An answer on a stream that was never asked for: the request was written by another thread, whose call
 * has returned only after the answer was read. It is on its way.
 */
static bool is_early(const struct channel *channel, enum event_dir dir, const struct frame *frame)
{
	const struct http2 *http2 = channel->state;

	return frame->type == FRAME_HEADERS && channel->fresh && channel->client == (int)!dir &&
	       frame->stream & 1 && frame->stream > http2->streams.highest[1] &&
	       !channel_is_pressed(channel, dir) && !channel_is_ended(channel, !dir);
}

static ssize_t feed_frame(struct channel *channel, enum event_dir dir, struct half *half,
			  struct span bytes)
{
	enum sniffed preface = sniff_start(bytes, PREFACE);
	struct frame *frame = &half->frame;

	if (preface != SNIFF_NO)
		return preface == SNIFF_YES ? (ssize_t)PREFACE.len : 0;
	if (bytes.len < FRAME_HEAD)
		return 0;
	*frame = read_head(bytes);
	if (is_early(channel, dir, frame))
		return 0;
	if (half->block.message &&
	    (frame->type != FRAME_CONTINUATION || frame->stream != half->block_on))
		return channel_give_up(channel, dir, bad_order);
	if (frame->type < FRAME_TYPES && frame_forms[frame->type].on_stream && !frame->stream)
		return channel_give_up(channel, dir, bad_frame);
	if (frame->type < FRAME_TYPES && frame_forms[frame->type].on_connection && frame->stream)
		return channel_give_up(channel, dir, bad_frame);
	switch (frame->type) {
	case FRAME_DATA:
		return begin_data(channel, dir, half, bytes);
	case FRAME_CONTINUATION:
		if (!half->block.message)
			return channel_give_up(channel, dir, bad_frame);
		return feed_headers(channel, dir, half, bytes);
	case FRAME_HEADERS:
	case FRAME_PUSH_PROMISE:
		return feed_headers(channel, dir, half, bytes);
	default:
		return feed_small(channel, dir, half, bytes);
	}
}

/* The end of a frame's payload: of data, then of what is behind it. */
static ssize_t feed_payload(struct channel *channel, enum event_dir dir, struct half *half,
			    struct span bytes)
{
	struct http2 *http2 = channel->state;
	const struct frame *frame = &half->frame;
	bool is_data = half->data > 0;
	uint32_t *left = is_data ? &half->data : &half->rest;
	struct span part = span_cut(bytes, 0, *left);

	*left -= (uint32_t)part.len;
	if (is_data)
		streams_data(channel, &http2->streams, dir, frame->stream, part);
	half->in_payload = half->data || half->rest;
	if (!half->in_payload && frame->type == FRAME_DATA && (frame->flags & FRAME_END_STREAM))
		streams_end(channel, &http2->streams, dir, frame->stream);
	return (ssize_t)part.len;
}

static ssize_t http2_feed(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct http2 *http2 = channel->state;
	struct half *half = &http2->halves[dir];

	return half->in_payload ? feed_payload(channel, dir, half, bytes)
				: feed_frame(channel, dir, half, bytes);
}

static bool http2_gap(struct channel *channel, enum event_dir dir, uint64_t len)
{
	struct http2 *http2 = channel->state;
	struct half *half = &http2->halves[dir];
	const struct frame *frame = &half->frame;
	uint64_t data;

	if (!half->in_payload || !len || len > (uint64_t)half->data + half->rest)
		return false;
	data = len < half->data ? len : half->data;
	half->data -= (uint32_t)data;
	half->rest -= (uint32_t)(len - data);
	if (data)
		streams_lost(channel, &http2->streams, dir, frame->stream, data);
	half->in_payload = half->data || half->rest;
	if (!half->in_payload && frame->type == FRAME_DATA && (frame->flags & FRAME_END_STREAM))
		streams_end(channel, &http2->streams, dir, frame->stream);
	return true;
}

static void http2_close(struct channel *channel, const char *why)
{
	struct http2 *http2 = channel->state;

	for (int dir = 0; dir < DIRS; dir++) {
		struct block *block = &http2->halves[dir].block;

		channel_drop(channel, block->message);
		block->message = NULL;
	}
	streams_close(channel, &http2->streams, why);
}

const struct decoder decoder_http2 = {
	.name = "http2",
	.protocol = PROTOCOL_HTTP2,
	.sniff = http2_sniff,
	.state_size = sizeof(struct http2),
	.open = http2_open,
	.done = http2_done,
	.feed = http2_feed,
	.gap = http2_gap,
	.close = http2_close,
};
