/* RESP2 and RESP3, Redis' serialisation, token by token: values of any size, nested up to a bound. */
#ifndef DECODE_RESP_H
#define DECODE_RESP_H

#include "base/buf.h"
#include "base/span.h"
#include "decode/limits.h"

#include <stdbool.h>
#include <sys/types.h>

struct resp_level {
	char type;
	int64_t left;    /* values still to come; -1: until an end mark */
	uint64_t values; /* that came */
};

/* One direction. A zeroed one is at the beginning of a value. */
struct resp {
	struct resp_level levels[NESTING_MAX];
	unsigned int depth;
	uint64_t bulk_left; /* of a string that is coming in, with its line end */
	bool in_bulk;
	char bulk_type;
	size_t scanned; /* of a line that is not whole */
};

/* What is told of a value; every function is set. */
struct resp_ops {
	/* A value that is a line: + - : _ , # ( */
	void (*line)(void *ctx, char type, struct span text);
	/* A string: $ ! = or a piece of one (;), with its length; its bytes; its end. */
	void (*bulk)(void *ctx, char type, uint64_t len);
	void (*bytes)(void *ctx, struct span bytes);
	void (*bulk_end)(void *ctx);
	/* An aggregate: * ~ % > | with the number of values in it (-1: not known), and its end. */
	void (*open)(void *ctx, char type, int64_t count);
	void (*close)(void *ctx, char type);
};

/*
 * Takes one token off the bytes. Returns its length, 0 where it is not whole, -EBADMSG where it is none;
 * *ret_done if a value is complete with it.
 */
ssize_t resp_feed(struct resp *resp, struct span bytes, const struct resp_ops *ops, void *ctx,
		  bool *ret_done);

/* Bytes of a string that are lost; false where there are not so many to come. */
bool resp_gap(struct resp *resp, uint64_t len);

#endif
