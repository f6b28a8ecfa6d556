#include "decode/http2_stream.h"

#include "base/own.h"
#include "decode/hpack.h"
#include "decode/http_head.h"
#include "decode/limits.h"

static const char before_us[] = "its beginning was before the recording";

static const char *const error_names[] = {
	"NO_ERROR",
	"PROTOCOL_ERROR",
	"INTERNAL_ERROR",
	"FLOW_CONTROL_ERROR",
	"SETTINGS_TIMEOUT",
	"STREAM_CLOSED",
	"FRAME_SIZE_ERROR",
	"REFUSED_STREAM",
	"CANCEL",
	"COMPRESSION_ERROR",
	"CONNECT_ERROR",
	"ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY",
	"HTTP_1_1_REQUIRED",
};

const char *http2_error_name(uint32_t code)
{
	return code < sizeof(error_names) / sizeof(error_names[0]) ? error_names[code]
								   : "an unknown error";
}

void block_begin(struct channel *channel, struct block *block, enum event_dir dir, uint32_t stream)
{
	struct message *message = channel_message(channel, MESSAGE_REQUEST, dir);

	message->stream = stream;
	*block = (struct block){ .message = message, .stream = stream };
}

void block_add(void *ctx, struct span name, struct span value)
{
	struct block *block = ctx;
	struct message *message = block->message;
	uint64_t status;

	if (span_equal(name, SPAN(HPACK_UNKNOWN)))
		block->unknown = true;
	else if (span_equal(name, SPAN(":method")))
		message_add(message, ATTR_METHOD, value);
	else if (span_equal(name, SPAN(":path")))
		message_add(message, ATTR_TARGET, value);
	else if (span_equal(name, SPAN(":scheme")) && value.len < HEAD_MAX)
		block->scheme = arena_copy(&message->arena, value);
	else if (span_equal(name, SPAN(":authority")) && value.len < HEAD_MAX)
		block->authority = arena_copy(&message->arena, value);
	else if (span_equal(name, SPAN(":status")) && span_number(value, 10, &status))
		message_add_number(message, ATTR_STATUS, status);
	else
		message_add_pair(message, ATTR_HEADER, name, value);
}

static void free_stream(struct streams *streams, struct stream *stream)
{
	map_take(&streams->map, stream->id);
	free(stream);
}

/* All of its body came: curl closes then, though an empty frame is still to say that this was the end. */
static bool is_whole(const struct message *message)
{
	uint64_t length;

	return span_number(message_header(message, "content-length"), 10, &length) &&
	       message->body.wire == length;
}

static void cut_open(struct message *message, const char *why)
{
	if (!is_whole(message))
		message_cut(message, why);
}

/* Emits what is open of it, incomplete for that reason, and forgets it. */
static void give_up(struct channel *channel, struct streams *streams, struct stream *stream,
		    const char *why)
{
	struct exchange *exchange = stream->exchange;

	grpc_close(channel, &stream->parts[DIR_OUT], why);
	grpc_close(channel, &stream->parts[DIR_IN], why);
	if (stream->request && stream->grpc) {
		message_unref(stream->request);
	} else if (stream->request) {
		cut_open(stream->request, why);
		channel_emit(channel, stream->request);
	}
	if (stream->response) {
		cut_open(stream->response, why);
		if (stream->grpc)
			grpc_add_status(stream->response);
		channel_emit(channel, stream->response);
	}
	if (!exchange->response)
		exchange->why = why;
	channel_exchange_emit(channel, exchange);
	free_stream(streams, stream);
}

/*
 * Makes it where it is not there. NULL for one that is over: frames may be under way when a stream is
 * reset. In mid-connection, a stream may have begun before us.
 */
static struct stream *find(struct channel *channel, struct streams *streams, uint32_t id)
{
	struct stream *stream = map_get(&streams->map, id);
	uint32_t *highest = &streams->highest[id & 1];

	if (stream)
		return stream;
	if (channel->fresh && id <= *highest)
		return NULL;
	*highest = id > *highest ? id : *highest;
	if (map_count(&streams->map) == HTTP2_STREAMS_MAX)
		give_up(channel, streams, map_value(map_first(&streams->map)),
			"too many streams at the same time");
	stream = own_zalloc(sizeof(*stream));
	stream->id = id;
	stream->exchange = channel_exchange(channel);
	map_put(&streams->map, id, stream);
	return stream;
}

static struct message *open_message(const struct stream *stream, enum event_dir dir)
{
	if (stream->request && stream->request->dir == dir)
		return stream->request;
	return stream->response && stream->response->dir == dir ? stream->response : NULL;
}

static void begin_request(struct channel *channel, struct stream *stream, const struct block *block,
			  struct message *request)
{
	struct span host = block->authority;

	channel->client = (int)(block->pushed ? !request->dir : request->dir);
	if (!host.len)
		host = message_header(request, "host");
	message_add_text(request, ATTR_VERSION, "2");
	http_add_url(channel, request, host, block->scheme, message_value(request, ATTR_TARGET));
	http_set_coding(request);
	if (block->pushed)
		request->flags |= MESSAGE_PUSHED;
	stream->request = request;
	channel_request(stream->exchange, request);
	stream->grpc = grpc_is(request);
	if (!stream->grpc)
		return;
	request->protocol = stream->exchange->protocol = PROTOCOL_GRPC;
	grpc_name(request, message_value(request, ATTR_TARGET));
	/* Its data are messages of their own, and may go on for ever. */
	channel_emit(channel, message_ref(request));
}

static void begin_response(struct channel *channel, struct stream *stream, struct message *response)
{
	channel->client = (int)!response->dir;
	response->kind = MESSAGE_RESPONSE;
	message_add_text(response, ATTR_VERSION, "2");
	http_set_coding(response);
	if (stream->grpc)
		response->protocol = PROTOCOL_GRPC;
	stream->response = response;
	channel_response(stream->exchange, response);
}

static bool is_done(const struct stream *stream, bool is_request)
{
	return is_request ? stream->request || stream->request_done
			  : stream->response || stream->response_done;
}

/* gRPC's requests are emitted before their data. */
static bool is_emitted(const struct message *message)
{
	return message->number;
}

/* A message whose beginning we have not seen; NULL where it has ended already. */
static struct message *begin_unknown(struct channel *channel, struct stream *stream,
				     enum event_dir dir)
{
	bool is_request = (int)dir == channel->client;
	struct message *message;

	if (is_done(stream, is_request))
		return NULL;
	message = channel_message(channel, is_request ? MESSAGE_REQUEST : MESSAGE_RESPONSE, dir);
	message->stream = stream->id;
	message_cut(message, before_us);
	if (is_request) {
		stream->request = message;
		channel_request(stream->exchange, message);
	} else {
		stream->response = message;
		channel_response(stream->exchange, message);
	}
	return message;
}

static void emit_interim(struct channel *channel, struct stream *stream, struct message *response)
{
	response->kind = MESSAGE_RESPONSE;
	response->flags |= MESSAGE_INTERIM;
	response->exchange = stream->exchange->number;
	message_add_text(response, ATTR_VERSION, "2");
	channel_emit(channel, response);
}

static void add_trailers(struct channel *channel, struct stream *stream, struct message *trailers)
{
	struct message *message = open_message(stream, trailers->dir);

	if (!message)
		message = begin_unknown(channel, stream, trailers->dir);
	if (message && is_emitted(message))
		message = NULL;
	if (message)
		message_absorb(message, trailers);
	for (size_t i = 0; message && i < trailers->attr_count; i++)
		if (trailers->attrs[i].key == ATTR_HEADER)
			message_add_pair(message, ATTR_TRAILER, trailers->attrs[i].name,
					 trailers->attrs[i].value);
	channel_drop(channel, trailers);
}

void streams_headers(struct channel *channel, struct streams *streams, struct block *block)
{
	struct message *message = block->message;
	struct stream *stream = find(channel, streams, block->stream);
	bool is_request = message_attr(message, ATTR_METHOD) || block->pushed;
	uint64_t status = message_number(message, ATTR_STATUS, 0);
	enum event_dir dir = message->dir;
	bool end = block->end_stream || block->pushed;

	block->message = NULL;
	if (!stream) {
		channel_drop(channel, message);
		return;
	}
	if (block->unknown)
		message_cut(message, "headers that were sent before the recording are not known");
	if (is_request && !is_done(stream, true))
		begin_request(channel, stream, block, message);
	else if (status / 100 == 1)
		emit_interim(channel, stream, message);
	else if (status && !is_done(stream, false))
		begin_response(channel, stream, message);
	else
		add_trailers(channel, stream, message);
	if (end)
		streams_end(channel, streams, dir, block->stream);
}

void streams_frame(struct channel *channel, struct streams *streams, enum event_dir dir,
		   uint32_t id, struct span bytes)
{
	struct stream *stream = find(channel, streams, id);
	struct message *message = stream ? open_message(stream, dir) : NULL;

	if (!stream)
		return;
	if (!message)
		message = begin_unknown(channel, stream, dir);
	if (message && !is_emitted(message))
		channel_note(channel, message, bytes);
}

void streams_data(struct channel *channel, struct streams *streams, enum event_dir dir, uint32_t id,
		  struct span data)
{
	struct stream *stream = map_get(&streams->map, id);
	struct message *message = stream ? open_message(stream, dir) : NULL;

	if (!message)
		return;
	if (!stream->grpc) {
		channel_body(channel, message, data);
		return;
	}
	/* The payload is the messages' within. */
	if (!is_emitted(message))
		channel_note(channel, message, data);
	grpc_data(channel, &stream->parts[dir], stream->exchange, message, data);
}

void streams_lost(struct channel *channel, struct streams *streams, enum event_dir dir, uint32_t id,
		  uint64_t len)
{
	struct stream *stream = map_get(&streams->map, id);
	struct message *message = stream ? open_message(stream, dir) : NULL;

	if (!message)
		return;
	if (stream->grpc)
		grpc_lost(channel, &stream->parts[dir], len);
	else
		channel_body_lost(channel, message, len);
}

void streams_end(struct channel *channel, struct streams *streams, enum event_dir dir, uint32_t id)
{
	struct stream *stream = map_get(&streams->map, id);
	struct message *message = stream ? open_message(stream, dir) : NULL;

	if (!message)
		return;
	if (stream->grpc)
		grpc_close(channel, &stream->parts[dir], "the call ended before the message");
	if (stream->grpc && message == stream->response)
		grpc_add_status(message);
	if (message == stream->request) {
		stream->request = NULL;
		stream->request_done = true;
	} else {
		stream->response = NULL;
		stream->response_done = true;
	}
	if (is_emitted(message))
		message_unref(message);
	else
		channel_emit(channel, message);
	/* Where the request was before our time, nobody will end it. */
	if (!stream->response_done || (!stream->request_done && stream->exchange->request))
		return;
	channel_exchange_emit(channel, stream->exchange);
	free_stream(streams, stream);
}

static const char *const reset_whys[] = {
	[0] = "the stream was reset",
	[1] = "the stream was reset: PROTOCOL_ERROR",
	[2] = "the stream was reset: INTERNAL_ERROR",
	[3] = "the stream was reset: FLOW_CONTROL_ERROR",
	[5] = "the stream was reset: STREAM_CLOSED",
	[7] = "the stream was reset: REFUSED_STREAM",
	[8] = "the stream was reset: CANCEL",
	[11] = "the stream was reset: ENHANCE_YOUR_CALM",
};

void streams_reset(struct channel *channel, struct streams *streams, uint32_t id, uint32_t code)
{
	struct stream *stream = map_get(&streams->map, id);
	const char *why = NULL;

	if (!stream)
		return;
	if (code < sizeof(reset_whys) / sizeof(reset_whys[0]))
		why = reset_whys[code];
	give_up(channel, streams, stream, why ? why : reset_whys[0]);
}

void streams_upgraded(struct streams *streams, struct exchange *exchange)
{
	struct stream *stream = own_zalloc(sizeof(*stream));

	stream->id = streams->highest[1] = 1;
	stream->request_done = true;
	stream->exchange = exchange_ref(exchange);
	map_put(&streams->map, 1, stream);
}

void streams_close(struct channel *channel, struct streams *streams, const char *why)
{
	struct map_node *node;

	while ((node = map_first(&streams->map)))
		give_up(channel, streams, map_value(node), why);
	map_done(&streams->map);
}
