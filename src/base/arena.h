/* Many small pieces of memory that are released together. They never move. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/span.h"

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *last;
	size_t used; /* bytes given out, all blocks together */
};

/* A zeroed struct arena is an empty one. */
void arena_done(struct arena *arena);

/* Aligned for any type, not zeroed. */
void *arena_alloc(struct arena *arena, size_t size);

/* A copy of the bytes, with a NUL behind. */
struct span arena_copy(struct arena *arena, struct span span);

#endif
