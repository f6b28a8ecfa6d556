#include "base/arena.h"

#include "base/own.h"

#include <stdalign.h>
#include <string.h>

#define BLOCK_MIN 512

struct arena_block {
	struct arena_block *before;
	size_t size, used;
	alignas(max_align_t) uint8_t room[];
};

void arena_done(struct arena *arena)
{
	struct arena_block *block = arena->last, *before;

	for (; block; block = before) {
		before = block->before;
		free(block);
	}
	*arena = (struct arena){ 0 };
}

static struct arena_block *add_block(struct arena *arena, size_t size)
{
	size_t room = arena->last ? arena->last->size * 2 : BLOCK_MIN;
	struct arena_block *block;

	if (room > BLOCK_MIN * 32)
		room = BLOCK_MIN * 32;
	if (room < size)
		room = size;
	block = own_alloc(sizeof(*block) + room);
	*block = (struct arena_block){ .before = arena->last, .size = room };
	arena->last = block;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->last;
	size_t align = alignof(max_align_t);
	void *start;

	size = (size + align - 1) / align * align;
	if (!block || size > block->size - block->used)
		block = add_block(arena, size);
	start = block->room + block->used;
	block->used += size;
	arena->used += size;
	return start;
}

struct span arena_copy(struct arena *arena, struct span span)
{
	uint8_t *copy = arena_alloc(arena, span.len + 1);

	if (span.len)
		memcpy(copy, span.data, span.len);
	copy[span.len] = '\0';
	return span_of(copy, span.len);
}
