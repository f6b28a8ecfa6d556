/*
 * One layer of a connection (the wire, or the plaintext above TLS) and the decoder that has it. This
 * is what a decoder sees of the world: where it is, and how it tells what it has found out.
 *
 * A message's life in a decoder: channel_message, channel_note for each part of it that is consumed,
 * attributes, channel_body for its payload, channel_emit. An exchange's: channel_exchange with the
 * request's first bytes, its two messages put into it as they are made, channel_exchange_emit.
 */
#ifndef DECODE_CHANNEL_H
#define DECODE_CHANNEL_H

#include "decode/decode.h"
#include "decode/decoder.h"
#include "decode/side.h"

struct channel {
	struct conversation *conversation;
	const struct decoder *decoder; /* NULL: being recognised */
	void *state;                   /* the decoder's */
	int client;                    /* direction of the one who asks; -1: not known */
	bool fresh;                    /* the decoder was there from the protocol's first byte */
	bool datagram;
	/* Handed over with an HTTP upgrade, valid during open: the exchange that led to it. */
	struct exchange *inherited;

	enum event_layer layer;
	struct side sides[DIRS];
	enum event_dir turn; /* who spoke last */
	bool started;        /* somebody did */
	bool met;            /* its first event was seen */
	bool in_turn;        /* recognised by a turn's bytes, not by both sides' first ones */
	bool gave_up;
	bool closing;                 /* nobody will say any more */
	const struct decoder *forced; /* by --as; NULL: none */
	const struct decoder *next;   /* to take over when feed returns */
	bool switching;
	const char *why; /* the decoder's, when it gives up */
	size_t kept;     /* bytes in bodies of messages that are not emitted */
};

/*** For decoders ***/

/* A new message of the decoder's protocol; the caller's until it is emitted. */
struct message *channel_message(struct channel *channel, enum message_kind kind,
				enum event_dir dir);

/* Puts a part of the bytes that feed was given down to the message (same direction). */
void channel_note(struct channel *channel, struct message *message, struct span part);

/* The same, and they are payload. */
void channel_body(struct channel *channel, struct message *message, struct span part);

/* Payload that does not lie in the stream as it is (unmasked, unstuffed). */
void channel_content(struct channel *channel, struct message *message, struct span content);

/* Bytes that were lost belonged to the message's payload. */
void channel_body_lost(struct channel *channel, struct message *message, uint64_t len);

/* Undoes the body's content-coding; for a decoder that looks at the content before it emits. */
void channel_settle(struct channel *channel, struct message *message);

/* Settles and numbers it and hands it on; the reference goes with it. */
void channel_emit(struct channel *channel, struct message *message);

/* Drops a message that turned out to be none. */
void channel_drop(struct channel *channel, struct message *message);

/* A numbered exchange; the caller's until it is emitted. */
struct exchange *channel_exchange(struct channel *channel);
/* These keep a reference in the exchange and note its number in the message. */
void channel_request(struct exchange *exchange, struct message *request);
void channel_response(struct exchange *exchange, struct message *response);
/* The reference goes with it. */
void channel_exchange_emit(struct channel *channel, struct exchange *exchange);

/* Bytes beyond body_max need not be made; 0: nothing of bodies is kept. */
size_t channel_body_max(const struct channel *channel);

/* The direction is not to be asked again before it has so many bytes. */
void channel_want(struct channel *channel, enum event_dir dir, size_t len);

/* So much is waiting in that direction that the decoder must not wait for the other side any more. */
bool channel_is_pressed(const struct channel *channel, enum event_dir dir);

/* True if no more bytes come in that direction. */
bool channel_is_ended(const struct channel *channel, enum event_dir dir);

/* When feed returns, the rest is another decoder's; NULL: it is to be recognised. */
void channel_switch(struct channel *channel, const struct decoder *next);

/* Says why the decoder cannot go on (a constant text); returns -EBADMSG for feed to return. */
ssize_t channel_give_up(struct channel *channel, enum event_dir dir, const char *why);

/* A word to the user, as a message of kind note. */
void channel_tell(struct channel *channel, enum event_dir dir, const char *text);

/*** For the conversation ***/

void channel_init(struct channel *channel, struct conversation *conversation,
		  enum event_layer layer, const struct conversation_facts *facts);
void channel_feed(struct channel *channel, enum event_dir dir, const struct event *event,
		  struct origin *origin, struct span bytes);
void channel_gap(struct channel *channel, enum event_dir dir, uint64_t len);
void channel_end(struct channel *channel, enum event_dir dir);
/* Emits what is not complete, for that reason, and releases what it holds. */
void channel_done(struct channel *channel, const char *why);

#endif
