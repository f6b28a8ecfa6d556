/*
 * Memory for events. One thread makes them and another lets go of them, thousands of times a second: with
 * malloc both wait for its lock, and the memory is seldom the same again, so it is cold. What is given back
 * here is kept, up to a few megabytes of each size, and taken again first.
 */
#ifndef EVENT_POOL_H
#define EVENT_POOL_H

#include <stddef.h>

/* At least size bytes, aligned for any type, not zeroed; never NULL. */
void *pool_take(size_t size);

/* From any thread. The size as it was taken; ptr may be NULL. */
void pool_give(void *ptr, size_t size);

#endif
