/*
 * What a record says becomes a call that is told; and so does a call whose record an agent could not finish.
 * Records are written by the program's own process: what does not fit is a loss.
 */
#include "base/clock.h"
#include "base/own.h"
#include "tap/state.h"
#include "tracer/mem.h"

#include <string.h>

#define PIECES_MAX 64

/* A call whose payload comes in several records. */
struct partial {
	struct ring_record record;
	uint8_t *bytes;
	size_t len, room;
};

void record_lost(struct tap *tap, uint64_t bytes, uint64_t calls)
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

void record_look_at_clock(struct tap *tap)
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
		record_lost(tap, record->payload, 1);
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
		record_lost(tap, record->payload, 1);
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
	if (partial->record.marks & RING_CUT || !len || len > RECORD_MOVED_MAX - partial->len)
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
		record_lost(tap, record->payload, 0);
		return;
	}
	partial_add(partial, payload, record->payload);
	partial->record.marks |= record->marks & RING_CUT;
	partial->record.ended = record->ended;
	if (!(record->marks & RING_CONTINUES))
		partial_end(tap, tapped, task, record->thread);
}

void record_take(struct tap *tap, const struct ring *ring, const struct ring_record *record,
		 const uint8_t *payload)
{
	struct tapped *tapped = map_get(&tap->numbers, record->process);
	struct task *task = tapped ? map_get(&tapped->threads, record->thread) : NULL;

	if (record->kind == RING_SKIP)
		return;
	if (!task || tapped->ring != ring || record->kind > RING_LEAVE)
		record_lost(tap, record->payload, record->kind != RING_MORE);
	else if (record->kind >= RING_ENTER)
		deliver_hooked(tap, tapped, task, record, payload);
	else if (record->kind == RING_CALL)
		take_call(tap, tapped, task, record, payload);
	else
		take_more(tap, tapped, task, record, payload);
}

void record_done(struct tapped *tapped)
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

uint64_t record_left(const struct tap *tap, const struct ring_frame *frame, int64_t result)
{
	uint64_t moved = result > 0 && result <= RECORD_MOVED_MAX ? (uint64_t)result : 0;

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

void record_frame(struct tap *tap, struct tapped *tapped, struct task *task,
		  const struct ring_frame *frame, uint64_t sp, int64_t result)
{
	const struct sys_row *row = abi_row(tap->abi, frame->nr);
	struct partial *partial = map_get(&tapped->partials, frame->thread);
	uint64_t len = record_left(tap, frame, result);
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
	record_look_at_clock(tap);
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
