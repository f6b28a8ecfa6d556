/*
 * Takes records out of a ring, and makes those that an agent could not finish. What is read is written
 * by the program's own process: lengths are bounded, stamps checked, and what does not fit is a loss.
 */
#include "base/clock.h"
#include "base/own.h"
#include "tap/state.h"
#include "tracer/mem.h"

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

#define PIECES_MAX 64

/* No call moves more (MAX_RW_COUNT, linux/fs.h), and no error has a higher number (linux/err.h). */
#define MOVED_MAX 0x7ffff000
#define ERRNO_MAX 4095

/* A call whose payload comes in several records. */
struct partial {
	struct ring_record record;
	uint8_t *bytes;
	size_t len, room;
};

static void lost(struct tap *tap, uint64_t bytes, uint64_t calls)
{
	tap->ops->lost(tap->ctx, bytes, calls);
}

/* Ticks of the near past as nanoseconds before now; no record is older than the tap. */
static uint64_t ticks_ago(const struct tap *tap, uint64_t ticks)
{
	if (ticks < tap->base_tsc)
		ticks = tap->base_tsc;
	return ticks < tap->now_tsc ? (uint64_t)((double)(tap->now_tsc - ticks) * tap->ns_per_tick)
				    : 0;
}

static uint64_t ticks_between(const struct tap *tap, uint64_t begun, uint64_t ended)
{
	if (begun < tap->base_tsc || ended < begun)
		return 0;
	return (uint64_t)((double)(ended - begun) * tap->ns_per_tick);
}

static void look_at_clock(struct tap *tap)
{
	uint64_t raw = clock_read(CLOCK_MONOTONIC_RAW), ticks;

	tap->now_tsc = tap_ticks();
	tap->now_ns = clock_realtime();
	ticks = tap->now_tsc - tap->base_tsc;
	tap->ns_per_tick = (double)(raw - tap->base_ns) / (double)ticks;
}

static void deliver(struct tap *tap, struct task *task, const struct ring_record *record,
		    const uint8_t *payload)
{
	const struct sys_row *row = abi_row(tap->abi, record->nr);
	struct tap_call call = { .row = row, .record = *record, .payload = payload };

	if (!row || (row->op != OP_DATA && row->op != OP_SHUTDOWN)) {
		lost(tap, record->payload, 1);
		return;
	}
	call.time = tap->now_ns - ticks_ago(tap, record->ended);
	call.dur = ticks_between(tap, record->begun, record->ended);
	tap->ops->call(tap->ctx, task, &call);
	tap->stats.calls++;
}

/* The record says what the agent would have written: of this process, and no more than there was. */
static bool is_hooked_call(const struct tap *tap, const struct tapped *tapped,
			   const struct ring_record *record)
{
	uint64_t kept = record->asked;

	if (record->nr >= tap->function_count || !map_get(&tapped->numbers, record->nr + 1UL))
		return false;
	if (record->kind == RING_ENTER)
		return record->payload == HOOK_WORDS * sizeof(uint64_t);
	if (tap->options.max_bytes && kept > tap->options.max_bytes)
		kept = tap->options.max_bytes;
	return record->marks & RING_CUT ? record->payload < kept && kept <= HOOK_PAYLOAD_MAX
					: record->payload == kept;
}

/* A probed function was called, or has returned. */
static void deliver_hooked(struct tap *tap, const struct tapped *tapped, struct task *task,
			   const struct ring_record *record, const uint8_t *payload)
{
	struct tap_hooked call = {
		.sp = record->sp,
		.g = record->g,
		.there = record->payload,
		.len = record->asked,
		.payload = payload,
		.time = tap->now_ns - ticks_ago(tap, record->ended),
		.dur = ticks_between(tap, record->begun, record->ended),
	};
	uint64_t words[HOOK_WORDS];

	if (!is_hooked_call(tap, tapped, record)) {
		lost(tap, record->payload, 1);
		return;
	}
	call.arg = tap->functions[record->nr];
	if (record->kind == RING_LEAVE) {
		tap->ops->left(tap->ctx, task, &call);
		return;
	}
	memcpy(words, payload, sizeof(words));
	call.words = words;
	tap->ops->entered(tap->ctx, task, &call);
}

static void partial_add(struct partial *partial, const uint8_t *bytes, size_t len)
{
	/* A piece that was cut ends it: what comes behind has another place in the stream. */
	if (partial->record.marks & RING_CUT || !len || len > MOVED_MAX - partial->len)
		return;
	if (partial->room - partial->len < len) {
		partial->room = (partial->len + len) * 2;
		partial->bytes = own_realloc(partial->bytes, partial->room);
	}
	if (len)
		memcpy(partial->bytes + partial->len, bytes, len);
	partial->len += len;
}

static void partial_end(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t thread)
{
	struct partial *partial = map_take(&tapped->partials, thread);

	if (!partial)
		return;
	partial->record.payload = (uint32_t)partial->len;
	deliver(tap, task, &partial->record, partial->bytes);
	free(partial->bytes);
	free(partial);
}

static void partial_begin(struct tapped *tapped, const struct ring_record *record,
			  const uint8_t *payload)
{
	struct partial *partial = own_zalloc(sizeof(*partial));

	partial->record = *record;
	partial->record.marks = 0;
	partial_add(partial, payload, record->payload);
	partial->record.marks = record->marks & RING_CUT;
	map_put(&tapped->partials, record->thread, partial);
}

static void take_call(struct tap *tap, struct tapped *tapped, struct task *task,
		      const struct ring_record *record, const uint8_t *payload)
{
	/* The end of the one before was never written. */
	partial_end(tap, tapped, task, record->thread);
	if (record->marks & RING_CONTINUES)
		partial_begin(tapped, record, payload);
	else
		deliver(tap, task, record, payload);
}

static void take_more(struct tap *tap, struct tapped *tapped, struct task *task,
		      const struct ring_record *record, const uint8_t *payload)
{
	struct partial *partial = map_get(&tapped->partials, record->thread);

	if (!partial) {
		lost(tap, record->payload, 0);
		return;
	}
	partial_add(partial, payload, record->payload);
	partial->record.marks |= record->marks & RING_CUT;
	partial->record.ended = record->ended;
	if (!(record->marks & RING_CONTINUES))
		partial_end(tap, tapped, task, record->thread);
}

static void take_record(struct tap *tap, const struct ring *ring, const struct ring_record *record,
			const uint8_t *payload)
{
	struct tapped *tapped = map_get(&tap->numbers, record->process);
	struct task *task = tapped ? map_get(&tapped->threads, record->thread) : NULL;

	if (record->kind == RING_SKIP)
		return;
	if (!task || tapped->ring != ring || record->kind > RING_LEAVE)
		lost(tap, record->payload, record->kind != RING_MORE);
	else if (record->kind >= RING_ENTER)
		deliver_hooked(tap, tapped, task, record, payload);
	else if (record->kind == RING_CALL)
		take_call(tap, tapped, task, record, payload);
	else
		take_more(tap, tapped, task, record, payload);
}

static bool is_sound(const struct ring_record *record, uint64_t room)
{
	return record->size >= sizeof(*record) && record->size % RING_ALIGN == 0 &&
	       record->size <= sizeof(*record) + RING_PIECE && record->size <= room &&
	       record->payload <= record->size - sizeof(*record) &&
	       record->addr_len <= sizeof(record->addr) && record->ret >= -ERRNO_MAX &&
	       record->ret <= MOVED_MAX;
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
	lost(tap, 0, 1);
	*freed += at - ring->tail;
	ring->tail = at < head ? at : head;
	ring->stuck = 0;
	return true;
}

/* The program has written into the ring: what is in it can't be believed, and is given up. */
static void give_up(struct tap *tap, struct ring *ring, uint64_t head, uint64_t *freed)
{
	lost(tap, 0, 1);
	if (head - ring->tail <= RING_SIZE)
		*freed += head - ring->tail;
	ring->tail = head;
}

static void offer_turn(const struct tap *tap, const struct ring *ring, uint64_t *turn)
{
	if (!tap->unhurried || ring->tail - *turn < TURN_BYTES)
		return;
	*turn = ring->tail;
	if (!tracer_has_stops(tap->tracer))
		sched_yield();
}

static void take_all(struct tap *tap, struct ring *ring, bool ends)
{
	uint64_t head = atomic_load_explicit(&ring->header->head, memory_order_acquire), freed = 0;
	struct ring_record record;
	uint64_t turn = ring->tail;

	if (head % RING_ALIGN) {
		head = RING_ALIGN - head % RING_ALIGN;
		head += atomic_fetch_add(&ring->header->head, head);
		give_up(tap, ring, head, &freed);
	} else if (head - ring->tail > RING_SIZE) {
		give_up(tap, ring, head, &freed);
	}
	while (ring->tail != head) {
		if (!is_published(ring, ring->tail)) {
			if (skip_hole(tap, ring, head, ends, &freed))
				continue;
			break;
		}
		ring->stuck = 0;
		memcpy(&record, place(ring, ring->tail), sizeof(record));
		if (!is_sound(&record, head - ring->tail)) {
			give_up(tap, ring, head, &freed);
			break;
		}
		take_record(tap, ring, &record, place(ring, ring->tail) + sizeof(record));
		ring->tail += record.size;
		freed += record.size;
		if (freed >= GIVE_BACK)
			give_back(ring, &freed);
		offer_turn(tap, ring, &turn);
	}
	give_back(ring, &freed);
	atomic_store_explicit(&ring->header->tail, ring->tail, memory_order_relaxed);
}

void drain_ring(struct tap *tap, struct ring *ring, bool ends)
{
	uint64_t again = atomic_load_explicit(&ring->header->again, memory_order_relaxed);

	/* Most often there is nothing. */
	if (atomic_load_explicit(&ring->header->head, memory_order_relaxed) == ring->tail &&
	    again == ring->again)
		return;
	tap->stats.again += again - ring->again;
	ring->again = again;
	look_at_clock(tap);
	take_all(tap, ring, ends);
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
		take_record(tap, ring, &record, (const uint8_t *)(shared + 1));
		shared->kind = RING_SKIP;
	}
}

void drain_done(struct tapped *tapped)
{
	MAP_FOR_EACH(node, &tapped->partials) {
		struct partial *partial = map_value(node);

		free(partial->bytes);
		free(partial);
	}
	map_done(&tapped->partials);
}

/* Where the call's bytes are, but for those that are told already. */
static size_t frame_pieces(const struct task *task, const struct ring_frame *frame,
			   struct iovec pieces[PIECES_MAX])
{
	uint64_t words[2 * PIECES_MAX], skip = frame->written;
	size_t count = frame->iov ? frame->count : 1;

	words[0] = frame->args[1];
	words[1] = frame->asked;
	if (count > PIECES_MAX ||
	    (frame->iov && mem_read_all(task->tid, frame->iov, words, count * 16)))
		return 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t past = skip < words[2 * i + 1] ? skip : words[2 * i + 1];

		pieces[i].iov_base = (void *)(uintptr_t)(words[2 * i] + past);
		pieces[i].iov_len = words[2 * i + 1] - past;
		skip -= past;
	}
	return count;
}

uint64_t drain_left(const struct tap *tap, const struct ring_frame *frame, int64_t result)
{
	uint64_t moved = result > 0 && result <= MOVED_MAX ? (uint64_t)result : 0;

	if (moved > frame->asked)
		moved = frame->asked;
	if (tap->options.max_bytes && moved > tap->options.max_bytes)
		moved = tap->options.max_bytes;
	return moved > frame->written ? moved - frame->written : 0;
}

static void frame_addr(const struct task *task, const struct ring_frame *frame, int64_t result,
		       const struct sys_row *row, struct ring_record *record)
{
	uint64_t at = 0, len = 0;
	uint32_t word = 0;

	if (row->dir == SYS_IN && result < 0)
		return;
	if (row->shape == SHAPE_MSG) {
		mem_read_all(task->tid, frame->args[1], &at, sizeof(at));
		mem_read_all(task->tid, frame->args[1] + 8, &word, sizeof(word));
		mem_read_all(task->tid, frame->args[1] + 48, &record->msg_flags,
			     sizeof(record->msg_flags));
		len = word;
	} else if (row->addr >= 0) {
		at = frame->args[row->addr];
		len = frame->args[row->addrlen];
		if (row->dir == SYS_IN && at) {
			mem_read_all(task->tid, len, &word, sizeof(word));
			len = word;
		}
	}
	if (at && len >= 2 && len <= sizeof(record->addr) &&
	    !mem_read_all(task->tid, at, record->addr, len))
		record->addr_len = (uint16_t)len;
}

void drain_frame(struct tap *tap, struct tapped *tapped, struct task *task,
		 const struct ring_frame *frame, uint64_t sp, int64_t result)
{
	const struct sys_row *row = abi_row(tap->abi, frame->nr);
	struct partial *partial = map_get(&tapped->partials, frame->thread);
	uint64_t len = drain_left(tap, frame, result);
	struct iovec pieces[PIECES_MAX];
	size_t count = frame_pieces(task, frame, pieces);
	uint8_t *bytes auto_free = own_alloc(len ? len : 1);
	ssize_t got = len && count ? mem_gather(task->tid, pieces, count, bytes, len) : 0;
	struct ring_record record = {
		.nr = (uint16_t)frame->nr,
		.fd_state = (uint8_t)frame->fd_state,
		.fd = (int32_t)frame->args[0],
		.thread = frame->thread,
		.ret = result,
		.begun = frame->begun,
		.ended = tap_ticks(),
		.asked = frame->asked,
		.sp = sp,
		.g = frame->saved[4],
	};

	if (!row)
		return;
	if (row->op == OP_ACCEPT) {
		if (result >= 0 && result < INT32_MAX)
			tap->ops->accepted(tap->ctx, task, row, frame->args, (int)result);
		return;
	}
	look_at_clock(tap);
	if (frame->told && partial) {
		partial_add(partial, bytes, got > 0 ? (size_t)got : 0);
		partial_end(tap, tapped, task, frame->thread);
		return;
	}
	record.flags = row->flags >= 0 ? (uint32_t)frame->args[row->flags] : 0;
	record.payload = got > 0 ? (uint32_t)got : 0;
	record.marks = record.payload < len ? RING_CUT : 0;
	frame_addr(task, frame, result, row, &record);
	deliver(tap, task, &record, bytes);
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
