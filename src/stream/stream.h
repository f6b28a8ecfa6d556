/*
 * From events to connections: each socket's bytes in order, by direction and layer, with what is
 * missing told as gaps. Both ends of one connection are brought together where both are traced.
 *
 * A stream is one end of a connection, as its program sees it: DIR_OUT is what that program sends. A
 * datagram socket has one for each peer. It begins with its first event (opened), is fed (event,
 * bytes, gap, ended), and ends with the socket's last close (closed); forgotten is the last that is
 * heard of it. Events are borrowed. Memory is bounded by STREAMS_MAX: beyond it the stream that was
 * silent longest is closed.
 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include "iotrace/event.h"

#define STREAMS_MAX 16384

enum stream_role {
	ROLE_UNKNOWN,
	ROLE_CONNECTS, /* by what was seen; else, in ports, by who has the lower one */
	ROLE_ACCEPTS,
};

struct stream {
	uint64_t conn;
	enum event_proto proto;
	struct addr local, remote;
	enum stream_role role;
	bool role_seen; /* a connect or accept was, and is no guess */
	bool fresh;     /* seen from its first byte */
	bool datagram;  /* each bytes() is one message, whole unless a gap follows */
	bool closed;
	struct stream *peer; /* the connection's other end, if it is traced; NULL */
	/* Bytes so far, with known gaps; in bytes() and gap() those before it. */
	uint64_t moved[LAYERS][DIRS];
	void *user; /* the owner's of the ops */
};

/* Each may be NULL. */
struct stream_ops {
	void (*opened)(void *ctx, struct stream *stream);
	/* Every event of the stream, before what follows from it: sockets, data, errors. */
	void (*event)(void *ctx, struct stream *stream, const struct event *event);
	/* stream->peer has become known; called once, for one of the two. */
	void (*paired)(void *ctx, struct stream *stream);
	/* The event's payload; what was only peeked at is none. */
	void (*bytes)(void *ctx, struct stream *stream, const struct event *event);
	/* `len` bytes are missing; 0: nobody knows how many. */
	void (*gap)(void *ctx, struct stream *stream, enum event_layer layer, enum event_dir dir,
		    uint64_t len, const struct event *event);
	/* No more comes in that direction. */
	void (*ended)(void *ctx, struct stream *stream, enum event_dir dir,
		      const struct event *event);
	/* event NULL: nothing is known of its end. */
	void (*closed)(void *ctx, struct stream *stream, const struct event *event);
	/* May come later than closed: one end can be closed before the other's first event. */
	void (*forgotten)(void *ctx, struct stream *stream);
};

struct streams;

struct streams *streams_new(const struct stream_ops *ops, void *ctx);

/* Any event; those that are of no connection are ignored. */
void streams_add(struct streams *streams, const struct event *event);

/* Closes and forgets all. */
void streams_free(struct streams *streams);

#endif
