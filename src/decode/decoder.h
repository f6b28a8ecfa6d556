/*
 * What a decoder is: a row in decoders.c, and a file that knows one protocol. It is given bytes by
 * its channel (channel.h) and tells what they mean by the channel's functions.
 *
 * The law of cuts: what a decoder makes of its bytes must not depend on how they are cut. So sniff is
 * monotone (an answer other than SNIFF_MORE stays the same when more bytes come), and feed either
 * consumes a whole, or a part whose handling is the same in any pieces (a body).
 */
#ifndef DECODE_DECODER_H
#define DECODE_DECODER_H

#include "base/span.h"
#include "event/message.h"

#include <sys/types.h>

struct channel;

enum sniffed { SNIFF_NO, SNIFF_MORE, SNIFF_YES };

/* The first bytes of a conversation, or of a turn in the middle of one. */
struct sniff {
	struct span said[DIRS];
	bool fresh;    /* they are the connection's first */
	bool datagram; /* each is one datagram, whole */
};

struct decoder {
	const char *name; /* for --as */
	enum protocol protocol;

	/*
	 * True to its protocol? *ret_client is set with SNIFF_YES, where it is known by then. NULL: only
	 * reached by hand-over or --as.
	 */
	enum sniffed (*sniff)(const struct sniff *sniff, int *ret_client);

	/* Makes channel->state, a zeroed block of that size; done releases what is in it. */
	size_t state_size;
	void (*open)(struct channel *channel);
	void (*done)(struct channel *channel);

	/*
	 * Bytes of one direction from where the last call left off. Returns how many it has consumed: 0
	 * for "not enough", or "not before the other side has spoken"; then it is asked again when there
	 * is more of either. -EBADMSG: not this protocol (any more); channel_give_up says why.
	 */
	ssize_t (*feed)(struct channel *channel, enum event_dir dir, struct span bytes);

	/*
	 * len bytes (not 0) are missing. True where it knows what they were and goes on; otherwise it is
	 * closed, and another begins at the next turn. NULL: it never does.
	 */
	bool (*gap)(struct channel *channel, enum event_dir dir, uint64_t len);

	/* No more bytes will come in that direction. NULL: no matter. */
	void (*end)(struct channel *channel, enum event_dir dir);

	/* The last call before done: emits what is open, incomplete for that reason. */
	void (*close)(struct channel *channel, const char *why);
};

/* In the order in which they are asked; the last has no name. The first to say yes gets it. */
extern const struct decoder *const decoders[];

extern const struct decoder decoder_http1, decoder_http2, decoder_websocket, decoder_dns,
	decoder_tls, decoder_redis, decoder_postgres, decoder_mysql, decoder_smtp, decoder_data;

const struct decoder *decoder_find(const char *name);

/*
 * For sniff functions: asks about what each side said, as a client's and as a server's beginning. One
 * yes is enough; a function that is NULL is not asked, nor is one about a side that said nothing.
 */
enum sniffed sniff_sides(const struct sniff *sniff, enum sniffed (*as_client)(struct span said),
			 enum sniffed (*as_server)(struct span said), int *ret_client);

/* Compares with a fixed beginning: MORE while the bytes are a part of it. */
enum sniffed sniff_start(struct span said, struct span start);

#endif
