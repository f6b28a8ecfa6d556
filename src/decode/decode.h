/*
 * From the bytes of connections to messages. One struct decode for a run; one conversation for each
 * connection, fed with what either side said, in order; the messages come out at the other end.
 *
 * Protocols are recognised by their bytes. One that gives up says so once, by a message of kind note,
 * and what follows comes out as messages of kind data. Nothing here fails, and nothing is written or
 * logged: bytes are hostile, and whatever they are, memory stays within limits.h.
 *
 * Which messages come out depends on the bytes, their order and their events, never on how they were
 * cut into pieces.
 */
#ifndef DECODE_DECODE_H
#define DECODE_DECODE_H

#include "event/message_sink.h"

struct decode;
struct conversation;

/* --as PROTO:PORT */
struct decode_as {
	const char *protocol;
	uint16_t port; /* of either end */
};

struct decode_options {
	size_t body_max; /* bytes kept of each body, and decoded; 0: lengths only */
	const struct decode_as *as;
	size_t as_count;
};

/* What is known of a connection besides its bytes. */
struct conversation_facts {
	bool fresh;    /* seen from its first byte */
	bool datagram; /* each feed is one datagram, whole */
	int client; /* direction in which the connecting side speaks: enum event_dir; -1: unknown */
};

/* Borrows the sink; the options are copied, what they point to is not. */
struct decode *decode_new(const struct decode_options *options, struct message_sink *sink);
void decode_free(struct decode *decode);

/* True where there is a protocol of that name. */
bool decode_is_protocol(const char *name);

/* Messages, exchanges and notes so far. */
uint64_t decode_messages(const struct decode *decode);

/* The decode must outlive it. */
struct conversation *conversation_new(struct decode *decode,
				      const struct conversation_facts *facts);

/*
 * The next bytes of direction dir; the event tells their layer, their process and their time, and is
 * borrowed. Several calls for one event are one event.
 */
void conversation_feed(struct conversation *conversation, enum event_dir dir,
		       const struct event *event, const void *data, size_t len);

/* `len` bytes of that direction are missing; 0: nobody knows how many. */
void conversation_gap(struct conversation *conversation, enum event_layer layer, enum event_dir dir,
		      uint64_t len);

/* That direction has said all: a stream's end. */
void conversation_end(struct conversation *conversation, enum event_dir dir);

/* The connection is closed, or we stop: emits what is not complete, and releases. NULL is fine. */
void conversation_close(struct conversation *conversation);
void conversation_free(struct conversation *conversation);

#endif
