#include "event/pool.h"

#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static void every_size_is_there(void **state)
{
	static const size_t sizes[] = { 1,    511,  512,   513,     768,           769,
					1024, 1025, 65536, 1000000, (1U << 20) + 1 };
	uint8_t *pieces[10];

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		for (size_t k = 0; k < 10; k++) {
			pieces[k] = pool_take(sizes[i]);
			assert_int_equal((uintptr_t)pieces[k] % _Alignof(max_align_t), 0);
			memset(pieces[k], (int)k, sizes[i]);
		}
		for (size_t k = 0; k < 10; k++) {
			assert_int_equal(pieces[k][0], k);
			assert_int_equal(pieces[k][sizes[i] - 1], k);
			pool_give(pieces[k], sizes[i]);
		}
	}
	pool_give(NULL, 100);
}

/* Also for another size of the same class; what is larger never gets it. */
static void given_is_taken_again(void **state)
{
#ifdef SANITIZED
	(void)state;
	skip();
#else
	void *small = pool_take(5000), *large;

	(void)state;
	pool_give(small, 5000);
	large = pool_take(7000);
	assert_ptr_not_equal(large, small);
	assert_ptr_equal(pool_take(6000), small);
	pool_give(small, 6000);
	pool_give(large, 7000);
#endif
}

#define ROUNDS 200000
#define LANE   64

struct lane {
	uint64_t *_Atomic slots[LANE];
	bool sound;
};

static void *let_go(void *ctx)
{
	struct lane *lane = ctx;
	uint64_t *piece;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		while (!(piece = atomic_exchange(&lane->slots[i % LANE], NULL)))
			sched_yield();
		lane->sound = lane->sound && piece[0] == i && piece[99] == ~i;
		pool_give(piece, 800 + i % 3 * 300);
	}
	return NULL;
}

/* One makes, two let go: nobody gets a piece that is in use. */
static void threads(void **state)
{
	struct lane lanes[2] = { { .sound = true }, { .sound = true } };
	pthread_t ids[2];

	(void)state;
	for (size_t k = 0; k < 2; k++)
		pthread_create(&ids[k], NULL, let_go, &lanes[k]);
	for (uint64_t i = 0; i < ROUNDS; i++) {
		for (size_t k = 0; k < 2; k++) {
			uint64_t *piece = pool_take(800 + i % 3 * 300);

			piece[0] = i;
			piece[99] = ~i;
			while (lanes[k].slots[i % LANE])
				sched_yield();
			lanes[k].slots[i % LANE] = piece;
		}
	}
	for (size_t k = 0; k < 2; k++) {
		pthread_join(ids[k], NULL);
		assert_true(lanes[k].sound);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_is_there),
		cmocka_unit_test(given_is_taken_again),
		cmocka_unit_test(threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
