/*
 * One serialised event, member by member, whatever it is written in. What is read is hostile: each
 * function returns -EBADMSG where it is not what was asked for, -ENODATA where it ends too soon.
 */
#ifndef STORE_SOURCE_H
#define STORE_SOURCE_H

#include "base/buf.h"
#include "iotrace/addr.h"
#include "store/input.h"

struct source_number {
	bool negative; /* its value is then -1 - value */
	uint64_t value;
};

struct source_key {
	char text[32]; /* longer ones are none of ours */
	size_t len;
};

/* What is open: a map or a list. */
struct source_level {
	bool map, indefinite, first;
	uint64_t left;
};

#define SOURCE_LEVELS 4

struct source {
	const struct source_ops *ops;
	struct input *input;
	struct source_level levels[SOURCE_LEVELS];
	size_t depth;
};

struct source_ops {
	/* Goes into a map or a list. */
	int (*enter)(struct source *source, bool map);
	/* 1: another member; 0: none, and the map or list has been left. */
	int (*next)(struct source *source);
	int (*key)(struct source *source, struct source_key *ret_key);

	/* Values. */
	int (*number)(struct source *source, struct source_number *ret_number);
	/* Adds at most max bytes of a string to the buffer; its whole length in *ret_len. */
	int (*text)(struct source *source, struct buf *to, uint64_t max, uint64_t *ret_len);
	int (*bytes)(struct source *source, struct buf *to, uint64_t max, uint64_t *ret_len);
	int (*addr)(struct source *source, struct addr *ret_addr);
	int (*skip)(struct source *source);
};

extern const struct source_ops source_cbor;
extern const struct source_ops source_json;

#endif
