/*
 * Takes records out of rings, oldest first. What is read is written by the program's own process: lengths are
 * bounded, stamps checked, and what does not fit is a loss.
 */
#include "base/clock.h"
#include "tap/state.h"

#include <sched.h>
#include <stddef.h>
#include <string.h>

/* Nothing is published at the tail for so long: nobody will. */
#define STUCK_MAX 10000000000ULL

/* Consumed bytes are given back in such portions. */
#define GIVE_BACK (RING_SIZE / 16)

/*
 * After so many taken the processor is offered to others, where nobody waits for us: a long turn of ours
 * makes a server wait, and its clients for it.
 */
#define TURN_BYTES (32U << 10)

static bool is_sound(const struct ring_record *record, uint64_t room)
{
	return record->size >= sizeof(*record) && record->size % RING_ALIGN == 0 &&
	       record->size <= sizeof(*record) + RING_PIECE && record->size <= room &&
	       record->payload <= record->size - sizeof(*record) &&
	       record->addr_len <= sizeof(record->addr) && record->ret >= -RECORD_ERRNO_MAX &&
	       record->ret <= RECORD_MOVED_MAX;
}

static uint8_t *place(const struct ring *ring, uint64_t position)
{
	return ring->data + (position & (RING_SIZE - 1));
}

static bool is_published(const struct ring *ring, uint64_t position)
{
	const _Atomic uint64_t *stamp =
		(const _Atomic uint64_t *)(const void *)place(ring, position);

	return atomic_load_explicit(stamp, memory_order_acquire) == (position ^ RING_STAMP);
}

static void give_back(struct ring *ring, uint64_t *freed)
{
	if (!*freed)
		return;
	atomic_store_explicit(&ring->header->tail, ring->tail, memory_order_relaxed);
	atomic_fetch_add_explicit(&ring->header->credit, (int64_t)*freed, memory_order_release);
	*freed = 0;
}

/* A reservation that nobody fills hides what is behind it. True: the tail is at a record again. */
static bool skip_hole(struct tap *tap, struct ring *ring, uint64_t head, bool now, uint64_t *freed)
{
	uint64_t time = clock_monotonic(), at = ring->tail + RING_ALIGN;

	if (!ring->stuck)
		ring->stuck = time;
	if (!now && time - ring->stuck < STUCK_MAX)
		return false;
	while (at < head && !is_published(ring, at))
		at += RING_ALIGN;
	if (at >= head && !now)
		return false;
	record_lost(tap, 0, 1);
	*freed += at - ring->tail;
	ring->tail = at < head ? at : head;
	ring->stuck = 0;
	return true;
}

/* The program has written into the ring: what is in it can't be believed, and is given up. */
static void give_up(struct tap *tap, struct ring *ring, uint64_t head, uint64_t *freed)
{
	record_lost(tap, 0, 1);
	if (head - ring->tail <= RING_SIZE)
		*freed += head - ring->tail;
	ring->tail = head;
}

static void offer_turn(const struct tap *tap, uint64_t taken, uint64_t *turn)
{
	*turn += taken;
	if (!tap->unhurried || *turn < TURN_BYTES)
		return;
	*turn = 0;
	if (!tracer_has_stops(tap->tracer))
		sched_yield();
}

/* What is in the ring now. False: nothing. */
static bool look_into(struct tap *tap, struct ring *ring)
{
	uint64_t again = atomic_load_explicit(&ring->header->again, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&ring->header->head, memory_order_acquire);
	const uint64_t tail = ring->tail;

	tap->stats.again += again - ring->again;
	ring->again = again;
	ring->freed = 0;
	if (head % RING_ALIGN) {
		head = RING_ALIGN - head % RING_ALIGN;
		head += atomic_fetch_add(&ring->header->head, head);
		give_up(tap, ring, head, &ring->freed);
	} else if (head - ring->tail > RING_SIZE) {
		give_up(tap, ring, head, &ring->freed);
	}
	ring->upto = head;
	return tail != head;
}

/* The next record; it is read once, as the program can change it. False: there is none (yet). */
static bool has_next(struct tap *tap, struct ring *ring, bool ends)
{
	while (ring->tail != ring->upto && !is_published(ring, ring->tail))
		if (!skip_hole(tap, ring, ring->upto, ends, &ring->freed))
			return false;
	if (ring->tail == ring->upto)
		return false;
	ring->stuck = 0;
	memcpy(&ring->record, place(ring, ring->tail), sizeof(ring->record));
	if (is_sound(&ring->record, ring->upto - ring->tail))
		return true;
	give_up(tap, ring, ring->upto, &ring->freed);
	return false;
}

static void take_next(struct tap *tap, struct ring *ring, uint64_t *turn)
{
	const struct ring_record *record = &ring->record;

	record_take(tap, ring, record, place(ring, ring->tail) + sizeof(*record));
	ring->tail += record->size;
	ring->freed += record->size;
	if (ring->freed >= GIVE_BACK)
		give_back(ring, &ring->freed);
	offer_turn(tap, record->size, turn);
}

static void leave(struct ring *ring)
{
	give_back(ring, &ring->freed);
	atomic_store_explicit(&ring->header->tail, ring->tail, memory_order_relaxed);
}

void drain_ring(struct tap *tap, struct ring *ring, bool ends)
{
	uint64_t turn = 0;

	if (!look_into(tap, ring))
		return;
	record_look_at_clock(tap);
	while (has_next(tap, ring, ends))
		take_next(tap, ring, &turn);
	leave(ring);
}

/* The rings in which there is a record, linked by `busy`. */
static struct ring *find_busy(struct tap *tap)
{
	struct ring *first = NULL;

	for (struct ring *ring = tap->rings; ring; ring = ring->next) {
		/* Most often there is nothing. */
		if (!look_into(tap, ring))
			continue;
		if (!has_next(tap, ring, false)) {
			leave(ring);
			continue;
		}
		ring->busy = first;
		first = ring;
	}
	return first;
}

/* Where the ring with the oldest record is linked; *ret_until: when the oldest one of the others ended. */
static struct ring **find_oldest(struct ring **first, uint64_t *ret_until)
{
	struct ring **oldest = first;

	*ret_until = UINT64_MAX;
	for (struct ring **link = &(*first)->busy; *link; link = &(*link)->busy) {
		uint64_t ended = (*link)->record.ended;

		if (ended < (*oldest)->record.ended) {
			*ret_until = (*oldest)->record.ended;
			oldest = link;
		} else if (ended < *ret_until) {
			*ret_until = ended;
		}
	}
	return oldest;
}

void drain_all(struct tap *tap)
{
	struct ring *first = find_busy(tap), **oldest;
	uint64_t until, turn = 0;
	bool more;

	if (!first)
		return;
	/* All that was found ended before that. */
	record_look_at_clock(tap);
	while (first) {
		struct ring *ring = *(oldest = find_oldest(&first, &until));

		do {
			take_next(tap, ring, &turn);
			more = has_next(tap, ring, false);
		} while (more && ring->record.ended <= until);
		if (more)
			continue;
		leave(ring);
		*oldest = ring->busy;
	}
}

void drain_process(struct tap *tap, struct tapped *tapped)
{
	struct ring *ring = tapped->ring;
	struct ring_record record, *shared;
	uint64_t head, at;

	drain_ring(tap, ring, false);
	head = atomic_load_explicit(&ring->header->head, memory_order_acquire);
	if (head - ring->tail > RING_SIZE)
		return;
	for (at = ring->tail; at < head; at += record.size) {
		record.size = RING_ALIGN;
		if (!is_published(ring, at))
			continue;
		shared = (struct ring_record *)(void *)place(ring, at);
		record = *shared;
		if (!is_sound(&record, head - at))
			return;
		if (record.process != tapped->number || record.kind == RING_SKIP)
			continue;
		record_take(tap, ring, &record, (const uint8_t *)(shared + 1));
		shared->kind = RING_SKIP;
	}
}

void drain_fill_hole(struct ring *ring, uint64_t position, uint64_t size)
{
	struct ring_record *record =
		(struct ring_record *)(void *)(ring->data + (position & (RING_SIZE - 1)));
	uint64_t head = atomic_load(&ring->header->head);

	/* What the frame says of its place is the program's word. */
	if (position % RING_ALIGN || position - ring->tail >= RING_SIZE || size > head - position ||
	    size < sizeof(*record) || is_published(ring, position))
		return;
	/* What stood there before is the ring's last lap, or half a record. */
	memset(&record->size, 0, sizeof(*record) - offsetof(struct ring_record, size));
	record->size = (uint32_t)size;
	record->kind = RING_SKIP;
	__atomic_store_n(&record->stamp, position ^ RING_STAMP, __ATOMIC_RELEASE);
}

bool drain_was_published(const struct ring *ring, uint64_t position)
{
	/* What was taken out already was. */
	return (int64_t)(position - ring->tail) < 0 || is_published(ring, position);
}
