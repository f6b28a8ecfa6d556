/*
 * What the agent's parts share. Freestanding, no system call of its own, no allocation, no vector
 * registers, and little of the program's stack.
 */
#ifndef TAP_AGENT_H
#define TAP_AGENT_H

#include "iotrace/ring.h"

#define HEADER  ((struct ring_header *)(uintptr_t)RING_HEADER)
#define CONTROL ((struct ring_control *)(uintptr_t)RING_CONTROL)
#define DATA    ((uint8_t *)(uintptr_t)RING_DATA)

#define HIDDEN __attribute__((visibility("hidden")))
HIDDEN int64_t tap_syscall(struct ring_frame *frame);
HIDDEN uint64_t tap_copy(void *to, const void *from, uint64_t len);
HIDDEN int64_t tap_take(struct ring_frame *frame, uint64_t need);
HIDDEN void tap_give(struct ring_frame *frame);
HIDDEN uint64_t tap_reserve(struct ring_frame *frame, uint64_t size);
HIDDEN int64_t tap_wait(void);
HIDDEN void tap_tell(void);
HIDDEN int64_t tap_record(struct ring_frame *frame);
HIDDEN void tap_hook_record(struct ring_hook_frame *frame);

/* One stack frame for all: each function's own would be more than a goroutine's stack has left. */
#define INLINE static inline __attribute__((always_inline))

INLINE uint64_t now(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

INLINE uint64_t thread_key(void)
{
	uint64_t key;

	__asm__ volatile("rdfsbase %0" : "=r"(key));
	return key;
}

INLINE int is_known(uint64_t key)
{
	uint32_t slot = ring_thread_slot(key);

	for (uint32_t i = 0; i < RING_THREAD_PROBES; i++) {
		uint64_t there = *(volatile uint64_t *)&CONTROL->threads[(slot + i) % RING_THREADS];

		/* Where there is no C library, threads have no base, as free slots. */
		if (there == key)
			return key > RING_NO_THREAD;
		if (!there)
			return 0;
	}
	return 0;
}

/* 0, or that the memory is not there. */
INLINE int fetch(void *to, uint64_t from, uint64_t len)
{
	return tap_copy(to, (const void *)(uintptr_t)from, len) != 0;
}

INLINE uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

INLINE uint64_t padded(uint64_t len)
{
	return (len + RING_ALIGN - 1) & ~(uint64_t)(RING_ALIGN - 1);
}

/* Room for the record before the call is made: then nothing has to wait behind it. */
INLINE int take_credit(struct ring_frame *frame, uint64_t payload)
{
	uint64_t need = sizeof(struct ring_record) + padded(payload);

	if (tap_take(frame, need) >= (int64_t)need)
		return 0;
	tap_give(frame);
	return -1;
}

INLINE void publish(struct ring_frame *frame, struct ring_record *record, uint64_t payload)
{
	/* In this order: who finds the frame in between can tell. */
	frame->target = frame->written + payload;
	__atomic_store_n(&record->stamp, frame->position ^ RING_STAMP, __ATOMIC_RELEASE);
	frame->written = frame->target;
	frame->told = 1;
	atomic_signal_fence(memory_order_seq_cst);
	frame->reserved = 0;
}

#endif
