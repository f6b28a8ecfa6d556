/*
 * What fuzzers say in turns: pieces, of which each has two bytes in front, for its direction, kind and length.
 * tests/fuzz/seeds.py writes them.
 */
#ifndef UNIT_PIECE_H
#define UNIT_PIECE_H

#include "base/span.h"

#include <stdbool.h>

enum piece_kind { PIECE_WIRE, PIECE_PLAIN = 13, PIECE_END, PIECE_GAP };

struct piece {
	bool in;           /* else out */
	unsigned int kind; /* others than those named are as PIECE_WIRE */
	size_t len;        /* as it says: of a gap that is all */
	struct span bytes; /* of those that are there; empty for ends and gaps */
};

/* Goes on behind it. False where there is none any more. */
static inline bool piece_next(struct span *script, struct piece *ret_piece)
{
	const uint8_t *head = script->data;

	if (script->len < 2)
		return false;
	*ret_piece = (struct piece){ .in = head[0] & 1,
				     .kind = head[0] >> 1 & 15,
				     .len = (size_t)(head[0] >> 5) << 8 | head[1] };
	*script = span_cut(*script, 2, script->len);
	if (ret_piece->kind >= PIECE_END)
		return true;
	ret_piece->bytes = span_cut(*script, 0, ret_piece->len);
	*script = span_cut(*script, ret_piece->bytes.len, script->len);
	return true;
}

#endif
