#include "probe/frame.h"

#include "base/own.h"

#include <string.h>

#define FRAMES_MAX 4096

/* No stack is so small. */
#define SAME_STACK 2048

/* A function called from a probed one has its stack so near at most. */
#define DEPTH_MAX (1U << 20)

void frames_remove(struct frames *frames, const struct frame *frame)
{
	size_t at = (size_t)(frame - frames->frames);

	frames->count--;
	memmove(frames->frames + at, frames->frames + at + 1,
		(frames->count - at) * sizeof(frames->frames[0]));
}

static struct frame *add(struct frames *frames)
{
	if (frames->count == FRAMES_MAX)
		frames_remove(frames, &frames->frames[0]);
	if (frames->count == frames->cap) {
		frames->cap = frames->cap ? 2 * frames->cap : 8;
		frames->frames = own_realloc(frames->frames, frames->cap * sizeof(*frames->frames));
	}
	return &frames->frames[frames->count++];
}

struct frame *frames_push(struct frames *frames, uint64_t sp)
{
	struct frame *frame;

	for (size_t i = frames->count; i-- > 0;)
		if (sp - frames->frames[i].sp < SAME_STACK)
			frames_remove(frames, &frames->frames[i]);
	frame = add(frames);
	memset(frame, 0, sizeof(*frame));
	return frame;
}

struct frame *frames_find(struct frames *frames, const struct site *site, uint64_t sp)
{
	for (size_t i = frames->count; i-- > 0;)
		if (frames->frames[i].site == site && frames->frames[i].sp == sp)
			return &frames->frames[i];
	return NULL;
}

struct frame *frames_around(struct frames *frames, uint64_t sp)
{
	struct frame *nearest = NULL;

	for (size_t i = frames->count; i-- > 0;) {
		struct frame *frame = &frames->frames[i];

		if (frame->sp > sp && frame->sp - sp < DEPTH_MAX &&
		    (!nearest || frame->sp < nearest->sp))
			nearest = frame;
	}
	return nearest;
}

void frames_free(struct frames *frames)
{
	if (frames)
		free(frames->frames);
	free(frames);
}

void frames_copy(struct frames *to, const struct frames *from)
{
	free(to->frames);
	*to = (struct frames){ .count = from->count, .cap = from->count };
	if (from->count)
		to->frames = own_alloc(from->count * sizeof(*from->frames));
	if (from->count)
		memcpy(to->frames, from->frames, from->count * sizeof(*from->frames));
}
