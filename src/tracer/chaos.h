/*
 * For tests: handles stops late and out of order, as a loaded machine might. Only in debug builds, and
 * only with IOTRACE_CHAOS=SEED in the environment.
 */
#ifndef TRACER_CHAOS_H
#define TRACER_CHAOS_H

#include <stddef.h>

struct wait_queue;

/* Which item of a queue that is not empty comes next; it may sleep. 0 without chaos. */
size_t chaos_choose(const struct wait_queue *queue);

#endif
