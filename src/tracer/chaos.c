#include "tracer/chaos.h"

#include "tracer/engine.h"

#include <stdlib.h>
#include <time.h>

#ifdef IOTRACE_CHAOS
/* xorshift64: the same seed, the same choices, as far as the kernel's order allows. */
static uint64_t next_random(void)
{
	static uint64_t state;

	if (!state) {
		const char *seed = getenv("IOTRACE_CHAOS");

		state = seed ? strtoull(seed, NULL, 10) * 2 + 1 : 0;
	}
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void delay(uint64_t random)
{
	struct timespec nap = { .tv_nsec = (long)(random % 200) * 1000 };

	if (random % 64 == 0)
		nap.tv_nsec = 3000000;
	if (random % 4 == 0)
		nanosleep(&nap, NULL);
}

/* What a thread reports keeps its order: only the first item of each is a choice. */
static bool is_first_of_task(const struct wait_queue *queue, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (queue->items[i].tid == queue->items[at].tid)
			return false;
	return true;
}

size_t chaos_choose(const struct wait_queue *queue)
{
	uint64_t random = next_random();
	size_t at;

	if (!random)
		return 0;
	delay(random >> 8);
	at = (size_t)(random >> 20) % queue->count;
	return is_first_of_task(queue, at) ? at : 0;
}
#else
size_t chaos_choose(const struct wait_queue *queue)
{
	(void)queue;
	return 0;
}
#endif
