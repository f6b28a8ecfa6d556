#include "probe/frame.h"

#include <string.h>

/* A function called from a probed one has its stack so near at most. */
#define DEPTH_MAX (1U << 20)

void frames_remove(struct frames *frames, const struct frame *frame)
{
	size_t at = (size_t)(frame - frames->frames);

	frames->count--;
	memmove(frames->frames + at, frames->frames + at + 1,
		(frames->count - at) * sizeof(frames->frames[0]));
}

struct frame *frames_push(struct frames *frames, uint64_t sp)
{
	struct frame *frame;

	for (size_t i = frames->count; i-- > 0;)
		if (frames->frames[i].sp == sp)
			frames_remove(frames, &frames->frames[i]);
	if (frames->count == FRAMES_MAX)
		frames_remove(frames, &frames->frames[0]);
	frame = &frames->frames[frames->count++];
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
	for (size_t i = frames->count; i-- > 0;)
		if (frames->frames[i].sp > sp && frames->frames[i].sp - sp < DEPTH_MAX)
			return &frames->frames[i];
	return NULL;
}
