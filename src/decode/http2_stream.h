/* HTTP/2's streams: header blocks and data become requests, responses and gRPC messages. */
#ifndef DECODE_HTTP2_STREAM_H
#define DECODE_HTTP2_STREAM_H

#include "base/map.h"
#include "decode/channel.h"
#include "decode/grpc.h"

struct stream {
	uint32_t id;
	struct exchange *exchange;
	struct message *request, *response; /* that are open; NULL: not begun, or over */
	bool request_done, response_done;
	bool grpc;
	struct grpc parts[DIRS]; /* by direction */
};

struct streams {
	struct map map;      /* by id; struct stream */
	uint32_t highest[2]; /* id of the streams that began, by who opens them: even, odd */
};

/* A header block while it comes in, as the attributes of a message that is yet to be named. */
struct block {
	struct message *message; /* NULL: none is open */
	uint32_t stream;
	bool end_stream, pushed;
	struct span scheme, authority; /* in the message's memory */
	bool unknown;                  /* it refers to headers from before our time */
};

void block_begin(struct channel *channel, struct block *block, enum event_dir dir, uint32_t stream);
/* For hpack_feed; ctx is the block. */
void block_add(void *ctx, struct span name, struct span value);

/* The block is whole: it begins or ends a message. */
void streams_headers(struct channel *channel, struct streams *streams, struct block *block);

/* The frame's header and padding, and its data; is_end with the last of them. */
void streams_frame(struct channel *channel, struct streams *streams, enum event_dir dir,
		   uint32_t id, struct span bytes);
void streams_data(struct channel *channel, struct streams *streams, enum event_dir dir, uint32_t id,
		  struct span data);
void streams_lost(struct channel *channel, struct streams *streams, enum event_dir dir, uint32_t id,
		  uint64_t len);
void streams_end(struct channel *channel, struct streams *streams, enum event_dir dir, uint32_t id);

void streams_reset(struct channel *channel, struct streams *streams, uint32_t id, uint32_t code);

/* Stream 1 of a connection that was HTTP/1 before: its request has been seen. */
void streams_upgraded(struct streams *streams, struct exchange *exchange);

void streams_close(struct channel *channel, struct streams *streams, const char *why);

/* "PROTOCOL_ERROR" (RFC 9113, 7). */
const char *http2_error_name(uint32_t code);

#endif
