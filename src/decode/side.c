#include "decode/side.h"

#include "base/own.h"
#include "decode/limits.h"

#include <string.h>

void side_done(struct side *side)
{
	for (size_t i = 0; i < side->mark_count; i++)
		origin_unref(side->marks[i].origin);
	free(side->marks);
	buf_done(&side->held);
	*side = (struct side){ 0 };
}

static void add_mark(struct side *side, const struct event *event, struct origin *origin)
{
	struct mark *last = side->mark_count ? &side->marks[side->mark_count - 1] : NULL;

	if (last && (last->seq == event->seq || side->mark_count == MARKS_MAX)) {
		origin_unref(origin);
		return;
	}
	if (side->mark_count == side->mark_room) {
		side->mark_room = side->mark_room ? side->mark_room * 2 : 4;
		side->marks = own_realloc(side->marks, side->mark_room * sizeof(*side->marks));
	}
	side->marks[side->mark_count++] = (struct mark){ .at = side->offset + side->window.len,
							 .seq = event->seq,
							 .time = event->time,
							 .origin = origin };
}

static bool is_held(const struct side *side)
{
	return side->window.len && side->held.data &&
	       side->window.data >= (const uint8_t *)side->held.data &&
	       side->window.data < (const uint8_t *)side->held.data + side->held.len;
}

/* Moves the window to the beginning of its buffer, so that it does not grow with what is consumed. */
static void hold(struct side *side)
{
	if (is_held(side)) {
		memmove(side->held.data, side->window.data, side->window.len);
		side->held.len = side->window.len;
	} else {
		side->held.len = 0;
		buf_add(&side->held, side->window.data, side->window.len);
	}
	side->window.data = (const uint8_t *)side->held.data;
}

void side_add(struct side *side, const struct event *event, struct origin *origin,
	      struct span bytes)
{
	size_t gone;

	add_mark(side, event, origin);
	if (!side->window.len) {
		side->window = bytes;
		return;
	}
	if (!is_held(side))
		hold(side);
	gone = (size_t)(side->window.data - (const uint8_t *)side->held.data);
	if (gone > side->held.len / 2) {
		hold(side);
		gone = 0;
	}
	buf_add(&side->held, bytes.data, bytes.len);
	side->window.data = (const uint8_t *)side->held.data + gone;
	side->window.len += bytes.len;
}

void side_keep(struct side *side)
{
	if (!side->window.len) {
		side->window.data = NULL;
		if (side->held.cap > LINE_MAX)
			buf_done(&side->held);
		side->held.len = 0;
	} else if (!is_held(side)) {
		hold(side);
	}
}

/* Forgets marks that only concern bytes before the window. */
static void drop_marks(struct side *side)
{
	size_t gone = 0;

	while (gone + 1 < side->mark_count && side->marks[gone + 1].at <= side->offset)
		origin_unref(side->marks[gone++].origin);
	if (!gone)
		return;
	side->mark_count -= gone;
	memmove(side->marks, side->marks + gone, side->mark_count * sizeof(*side->marks));
}

void side_consume(struct side *side, size_t len)
{
	side->window.data += len;
	side->window.len -= len;
	side->shown -= len;
	side->offset += len;
	drop_marks(side);
}

void side_skip(struct side *side, uint64_t len)
{
	side->offset += len;
	drop_marks(side);
}

/* The mark of the byte at that offset of the stream; there is one for each byte of the window. */
static size_t find_mark(const struct side *side, uint64_t offset)
{
	size_t low = 0, high = side->mark_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (side->marks[middle].at <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

uint64_t side_seq(const struct side *side, size_t at, size_t *ret_len)
{
	size_t index = find_mark(side, side->offset + at), len = side->window.len - at;

	if (index + 1 < side->mark_count) {
		uint64_t next = side->marks[index + 1].at - side->offset - at;

		len = next < len ? (size_t)next : len;
	}
	*ret_len = len;
	return side->marks[index].seq;
}

void side_note(const struct side *side, struct message *message, struct span part)
{
	uint64_t from = side->offset, to;

	/* An empty datagram has no byte to go by, but it has an event. */
	if (part.len)
		from += (uint64_t)(part.data - side->window.data);
	to = from + (part.len ? part.len : 1);
	message->bytes += part.len;
	for (size_t i = find_mark(side, from); i < side->mark_count; i++) {
		const struct mark *mark = &side->marks[i];

		if (mark->at >= to)
			break;
		if (!message->origin) {
			message->origin = origin_ref(mark->origin);
			message->first = mark->time;
		}
		message->last = mark->time > message->last ? mark->time : message->last;
		message_add_seq(message, mark->seq);
	}
}
