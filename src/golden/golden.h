/*
 * The golden file (docs/golden.md): text for git, one fact a line, UTF-8.
 *
 *	#iotrace-golden 1
 *	level full
 *	rules builtin 2
 *	ended exit 0
 *
 *	peer localhost:<port#1> http by curl
 *
 *	connection
 *	exchange GET /items
 *	  > host: localhost:<port#1>
 *	  < 200 OK
 */
#ifndef GOLDEN_GOLDEN_H
#define GOLDEN_GOLDEN_H

#include "golden/model.h"

/* A golden that is longer is refused. */
#define GOLDEN_MAX (256U << 20)

/* Whether the bytes claim to be a golden. */
bool golden_is(struct span text);

/* The model as text; its units are in the order in which they are to be written. */
void golden_write(struct buf *out, const struct model *model);

/* Lines of a unit as they are written, each with its end. */
void golden_add_unit(struct buf *out, const struct model *model, const struct unit *unit);

struct golden_error {
	uint32_t line; /* 0: of the whole file */
	char text[160];
};

/*
 * The caller's model, or NULL and *ret_error. The text is borrowed for the model's life. Whatever the
 * bytes are, memory is bounded by a multiple of their number.
 */
struct model *golden_parse(struct span text, struct golden_error *ret_error);

#endif
