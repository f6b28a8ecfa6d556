/*
 * At the entry and the returns of probed functions: what they were called with, and, when they have
 * returned, the plaintext. What cannot be told goes on to a trap, as it would stand there without us.
 */
#include "tap/agent/agent.h"

#define G_STACK_HIGH 8 /* runtime.g begins with its stack's bounds: low, high */

INLINE uint64_t stack_pointer(const struct ring_hook_frame *frame, const struct ring_hook *hook)
{
	return (uint64_t)(uintptr_t)(frame + 1) + sizeof(uint64_t) + FRAME_RED_ZONE +
	       (uint64_t)(int64_t)hook->below;
}

INLINE uint64_t goroutine(const struct ring_hook_frame *frame)
{
	return frame->call.saved[4];
}

/* A goroutine is in one function of each direction at most, and never at an odd address. */
INLINE uint64_t key_of(const struct ring_hook_frame *frame, const struct ring_hook *hook)
{
	return hook->go ? goroutine(frame) | hook->inward : stack_pointer(frame, hook);
}

INLINE struct ring_open *find_open(uint64_t key)
{
	uint32_t slot = ring_open_slot(key);

	for (uint32_t i = 0; i < RING_OPEN_PROBES; i++) {
		struct ring_open *open = &CONTROL->open[(slot + i) % RING_OPEN];

		if (__atomic_load_n(&open->key, __ATOMIC_RELAXED) == key)
			return open;
	}
	return 0;
}

INLINE struct ring_open *make_open(uint64_t key)
{
	uint32_t slot = ring_open_slot(key);

	for (uint32_t i = 0; i < RING_OPEN_PROBES; i++) {
		struct ring_open *open = &CONTROL->open[(slot + i) % RING_OPEN];
		uint64_t none = 0;

		if (__atomic_compare_exchange_n(&open->key, &none, key, 0, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return open;
	}
	return 0;
}

/* It may be another's from here on. */
INLINE void free_open(struct ring_open *open)
{
	if (open)
		__atomic_store_n(&open->key, 0, __ATOMIC_RELEASE);
}

/*
 * By the conventions of C (rdi, rsi, rdx, rcx, r8, r9), or four of Go's (rax, rbx, rcx, rdi) and the
 * bounds of its stack. Not 0: these cannot be read.
 */
INLINE int collect(const struct ring_hook_frame *frame, const struct ring_hook *hook,
		   uint64_t words[HOOK_WORDS])
{
	const struct ring_frame *call = &frame->call;

	if (hook->go) {
		words[0] = (uint64_t)call->result;
		words[1] = call->saved[0];
		words[2] = frame->rcx;
		words[3] = call->args[0];
		return fetch(&words[HOOK_LOW], goroutine(frame), 2 * sizeof(uint64_t));
	}
	words[0] = call->args[0];
	words[1] = call->args[1];
	words[2] = call->args[2];
	words[3] = frame->rcx;
	words[4] = call->args[4];
	words[5] = call->args[5];
	return 0;
}

INLINE struct ring_record *reserve(struct ring_hook_frame *frame, const struct ring_hook *hook,
				   uint64_t payload)
{
	uint64_t size = sizeof(struct ring_record) + padded(payload);
	struct ring_record *record =
		(struct ring_record *)(DATA + (tap_reserve(&frame->call, size) & (RING_SIZE - 1)));

	record->size = (uint32_t)size;
	record->nr = (uint16_t)hook->number;
	record->fd_state = 0;
	record->kind = hook->leaves ? RING_LEAVE : RING_ENTER;
	record->fd = -1;
	record->process = CONTROL->process;
	record->thread = frame->call.thread;
	record->ret = 0;
	record->sp = stack_pointer(frame, hook);
	record->g = goroutine(frame);
	record->flags = 0;
	record->msg_flags = 0;
	record->payload = (uint32_t)payload;
	record->addr_len = 0;
	record->marks = 0;
	return record;
}

/* 0, or that the tracer has to see it. */
INLINE int enter(struct ring_hook_frame *frame, const struct ring_hook *hook,
		 struct ring_open *open)
{
	uint64_t words[HOOK_WORDS], *payload;
	struct ring_record *record;

	if (collect(frame, hook, words) || take_credit(&frame->call, sizeof(words)))
		return -1;
	open->number = hook->number;
	open->buffer = words[hook->buffer];
	open->length = hook->length == HOOK_RESULT ? 0 : words[hook->length];
	open->low = hook->go ? words[HOOK_LOW] : 0;
	open->high = hook->go ? words[HOOK_HIGH] : 0;
	open->begun = now();
	record = reserve(frame, hook, sizeof(words));
	record->begun = open->begun;
	record->ended = open->begun;
	record->asked = 0;
	payload = (uint64_t *)(record + 1);
	for (uint32_t i = 0; i < HOOK_WORDS; i++)
		payload[i] = words[i];
	publish(&frame->call, record, 0);
	tap_give(&frame->call);
	return 0;
}

INLINE int has_bytes(const struct ring_hook *hook, uint64_t result)
{
	if (hook->success == HOOK_IF_POSITIVE)
		return hook->go ? (int64_t)result > 0 : (int32_t)result > 0;
	if (hook->success == HOOK_IF_ONE)
		return (int32_t)result == 1;
	return hook->success == HOOK_ALWAYS || (int32_t)result != 0;
}

/* A buffer on the goroutine's own stack moves with it when it grows. */
INLINE int buffer_of(const struct ring_hook_frame *frame, const struct ring_open *open,
		     uint64_t *ret_buffer)
{
	uint64_t high;

	*ret_buffer = open->buffer;
	if (open->buffer < open->low || open->buffer >= open->high)
		return 0;
	if (fetch(&high, goroutine(frame) + G_STACK_HIGH, sizeof(high)))
		return -1;
	*ret_buffer += high - open->high;
	return 0;
}

INLINE int leave(struct ring_hook_frame *frame, const struct ring_hook *hook,
		 struct ring_open *open)
{
	uint64_t result = (uint64_t)frame->call.result, len = 0, kept, buffer, missing;
	struct ring_record *record;

	if (open->number != hook->number || buffer_of(frame, open, &buffer))
		return -1;
	if (has_bytes(hook, result)) {
		if (hook->length == HOOK_RESULT)
			len = hook->narrow ? (uint32_t)result : result;
		else if (fetch(&len, open->length, sizeof(len)))
			return -1;
	}
	kept = CONTROL->max_bytes ? min(len, CONTROL->max_bytes) : len;
	if (kept > HOOK_PAYLOAD_MAX || take_credit(&frame->call, kept))
		return -1;
	record = reserve(frame, hook, kept);
	record->begun = open->begun;
	record->ended = now();
	record->asked = len;
	missing = kept ? tap_copy(record + 1, (const void *)(uintptr_t)buffer, kept) : 0;
	record->payload = (uint32_t)(kept - missing);
	record->marks = missing ? RING_CUT : 0;
	publish(&frame->call, record, 0);
	free_open(open);
	tap_give(&frame->call);
	return 0;
}

/* Not on the page that filters trust: it makes no call. */
__attribute__((section(".hooks"))) void tap_hook_record(struct ring_hook_frame *frame)
{
	const struct ring_hook *hook =
		(const struct ring_hook *)(uintptr_t)(frame->call.stub - HOOK_BACK + HOOK_DATA);
	uint64_t key = key_of(frame, hook);
	struct ring_open *open = find_open(key);
	int told;

	frame->call.written = 0;
	frame->call.thread = thread_key();
	if (!open && !hook->leaves)
		open = make_open(key);
	frame->open = (uint64_t)(uintptr_t)open;
	told = open && !CONTROL->disabled && is_known(frame->call.thread) &&
	       !(hook->leaves ? leave(frame, hook, open) : enter(frame, hook, open));
	if (told)
		return;
	/* What the tracer has seen begin it is to see end. */
	free_open(open);
	frame->call.traced = 1;
}
