/* Exchanges that wait for their answers, in the order of the requests. */
#ifndef DECODE_PENDING_H
#define DECODE_PENDING_H

#include "decode/channel.h"

struct pending {
	struct exchange **items; /* a ring */
	size_t head, count, room;
};

/* Takes the exchange. When there are too many, the oldest is emitted without its answer. */
void pending_add(struct channel *channel, struct pending *pending, struct exchange *exchange);

/* NULL where none waits. Taken, it is the caller's. */
struct exchange *pending_first(const struct pending *pending);
struct exchange *pending_take(struct pending *pending);

/* Emits all of them as they are, for that reason, and releases the table. */
void pending_close(struct channel *channel, struct pending *pending, const char *why);

#endif
