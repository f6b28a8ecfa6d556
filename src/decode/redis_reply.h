/*
 * A reply of Redis on its way into a message: one string or number becomes the body as it is, an
 * aggregate becomes JSON.
 */
#ifndef DECODE_REDIS_REPLY_H
#define DECODE_REDIS_REPLY_H

#include "decode/channel.h"
#include "decode/resp.h"

/* The beginning of a string that is coming in, and its whole length. */
struct redis_value {
	struct buf kept;
	uint64_t len;
};

void redis_value_begin(struct redis_value *value, uint64_t len);
void redis_value_add(struct redis_value *value, struct span bytes);
struct span redis_value_span(const struct redis_value *value);

struct redis_reply {
	struct channel *channel;
	struct message *message; /* NULL: none is open */
	struct resp resp;
	struct redis_value value;
	struct buf json;
	bool comma;           /* the next value of it needs one */
	bool cut;             /* not all of the reply is in it */
	unsigned int strings; /* that came so far */
	char push[16];        /* the first of them: "message" */
};

void redis_reply_done(struct redis_reply *reply);

/* As resp_feed, for the message that is open. */
ssize_t redis_reply_feed(struct redis_reply *reply, struct span bytes, bool *ret_done);

/* Completes the message and hands it to the caller. */
struct message *redis_reply_take(struct redis_reply *reply);

#endif
