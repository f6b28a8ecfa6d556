#include "event/pool.h"

#include "base/own.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Sizes are powers of two and one between each two: 512, 768, 1024... */
#define SIZE_SHIFT_MIN 9U
#define SIZE_SHIFT_MAX 20U
#define SIZES          (2 * (SIZE_SHIFT_MAX - SIZE_SHIFT_MIN) + 1)

/* Bytes of each size that are kept. */
#define KEPT_MAX (4U << 20)

/* Each thread's writing is apart from the others' lines of the cache. */
#define CACHE_LINE 64

/* Memory errors in events are to be found: there each is the heap's own. */
#ifdef __SANITIZE_ADDRESS__
#define IS_POOLED false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_POOLED false
#endif
#endif
#ifndef IS_POOLED
#define IS_POOLED true
#endif

struct piece {
	struct piece *next;
};

/* What was given back: pushed by anybody, taken as a whole. */
struct size_class {
	alignas(CACHE_LINE) _Atomic(struct piece *) given;
	atomic_uint count; /* of them, roughly: it only bounds what is kept */
};

static struct size_class classes[SIZES];

/* What a thread took and has not used yet. */
static _Thread_local struct piece *own[SIZES];

static size_t class_size(unsigned class)
{
	size_t power = (size_t)1 << (SIZE_SHIFT_MIN + class / 2);

	return class % 2 ? power + power / 2 : power;
}

/* SIZES: too large for any. */
static unsigned class_of(size_t size)
{
	unsigned shift, class;

	if (size <= (size_t)1 << SIZE_SHIFT_MIN)
		return 0;
	if (size > (size_t)1 << SIZE_SHIFT_MAX)
		return SIZES;
	/* Of the largest power of two below the size. */
	shift = (unsigned)(63 - __builtin_clzll(size - 1));
	class = 2 * (shift - SIZE_SHIFT_MIN) + 1;
	return size <= class_size(class) ? class : class + 1;
}

void *pool_take(size_t size)
{
	unsigned class = IS_POOLED ? class_of(size) : SIZES;
	struct piece *piece;

	if (class == SIZES)
		return own_alloc(size);
	if (!own[class] && atomic_load_explicit(&classes[class].given, memory_order_relaxed)) {
		own[class] =
			atomic_exchange_explicit(&classes[class].given, NULL, memory_order_acquire);
		atomic_store_explicit(&classes[class].count, 0, memory_order_relaxed);
	}
	piece = own[class];
	if (!piece)
		return own_alloc(class_size(class));
	own[class] = piece->next;
	return piece;
}

void pool_give(void *ptr, size_t size)
{
	unsigned class = IS_POOLED ? class_of(size) : SIZES;
	struct piece *piece = ptr;
	struct size_class *home;

	if (!ptr)
		return;
	if (class == SIZES) {
		free(ptr);
		return;
	}
	home = &classes[class];
	if (atomic_load_explicit(&home->count, memory_order_relaxed) >=
	    KEPT_MAX / class_size(class)) {
		free(ptr);
		return;
	}
	piece->next = atomic_load_explicit(&home->given, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&home->given, &piece->next, piece,
						      memory_order_release, memory_order_relaxed))
		continue;
	/* Behind it: whoever takes the pieces meanwhile sets it to 0, and below that it never comes. */
	atomic_fetch_add_explicit(&home->count, 1, memory_order_relaxed);
}
