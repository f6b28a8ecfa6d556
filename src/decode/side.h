/*
 * One direction of a channel: the bytes that were not consumed yet, and which events they came from.
 * While they lie in the caller's memory they are only borrowed; what is left when the call ends is
 * kept.
 */
#ifndef DECODE_SIDE_H
#define DECODE_SIDE_H

#include "event/message.h"

/* From `at` on, bytes are those of this event, up to the next mark. */
struct mark {
	uint64_t at; /* offset in the stream */
	uint64_t seq, time;
	struct origin *origin;
};

struct side {
	struct span window; /* not consumed */
	uint64_t offset;    /* of the window in the stream */
	struct buf held;    /* what the window points into, where it is not borrowed */
	struct mark *marks; /* those of the window, and at least the last one */
	size_t mark_count, mark_room;
	size_t shown;  /* bytes of the window that the decoder may see */
	size_t want;   /* it needs so many before it is asked again */
	bool ended;    /* no more comes */
	bool end_told; /* and the decoder knows */
};

void side_done(struct side *side);

/*
 * Appends borrowed bytes, not shown yet; side_keep before the caller's memory goes away. The origin is
 * the side's from here on where it is needed.
 */
void side_add(struct side *side, const struct event *event, struct origin *origin,
	      struct span bytes);
void side_keep(struct side *side);

/* Removes bytes from the window's beginning. */
void side_consume(struct side *side, size_t len);

/* Skips bytes that never come; the window must be empty. */
void side_skip(struct side *side, uint64_t len);

/* Seq of the event that the byte at offset `at` of the window came from, and how far that reaches. */
uint64_t side_seq(const struct side *side, size_t at, size_t *ret_len);

/* Puts `part`, which lies in the window, down to the message: its events, times, bytes and origin. */
void side_note(const struct side *side, struct message *message, struct span part);

#endif
