/*
 * Calls of probed functions that are under way. C's are kept per thread, innermost last, and known by
 * their stack pointer; Go's per goroutine and function, as a goroutine can change its thread.
 */
#ifndef PROBE_FRAME_H
#define PROBE_FRAME_H

#include "base/map.h"
#include "probe/module.h"

struct frame {
	const struct site *site;
	uint64_t sp;      /* at the entry: where the return address is */
	uint64_t returns; /* the return address */
	uint64_t args[6]; /* C */
	uint64_t session, buffer, length;
	uint64_t before;                /* PLACE_USED: the field's value */
	uint64_t stack_low, stack_high; /* Go: of the goroutine's stack */
	uint64_t entered;
	bool begun_before; /* Go: it was under way when we came */
};

/* In the order in which they began. A thread can have many stacks (coroutines), with a call on each. */
struct frames {
	struct frame *frames;
	size_t count, cap;
};

void frames_free(struct frames *frames);
void frames_copy(struct frames *to, const struct frames *from);

/*
 * Pushes one for a call whose stack pointer at the entry is sp. Those that were there, or so little below
 * that it is the same stack, are not under way any more (longjmp, an exception). Others of that kind stay
 * until there are too many. Valid until the next one is pushed.
 */
struct frame *frames_push(struct frames *frames, uint64_t sp);

/* The innermost one of that function whose stack pointer at the entry was sp. NULL: none. */
struct frame *frames_find(struct frames *frames, const struct site *site, uint64_t sp);

void frames_remove(struct frames *frames, const struct frame *frame);

/* The nearest frame that a call with stack pointer sp can be inside of. NULL: none. */
struct frame *frames_around(struct frames *frames, uint64_t sp);

#endif
