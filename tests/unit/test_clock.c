#include "base/clock.h"

#include "unit.h"

static void realtime_is_since_the_epoch(void **state)
{
	uint64_t before = (uint64_t)time(NULL), now = clock_realtime();
	uint64_t after = (uint64_t)time(NULL);

	(void)state;
	/* time(2) is of the last tick, which can be some milliseconds old. */
	assert_true(now / 1000000000U + 1 >= before);
	assert_true(now / 1000000000U <= after + 1);
}

static void monotonic_never_goes_back(void **state)
{
	uint64_t last = clock_monotonic();

	(void)state;
	for (int i = 0; i < 10000; i++) {
		uint64_t now = clock_monotonic();

		assert_true(now >= last);
		last = now;
	}
}

static void monotonic_counts_nanoseconds(void **state)
{
	struct timespec pause = { .tv_nsec = 2000000 };
	uint64_t start = clock_monotonic(), took;

	(void)state;
	nanosleep(&pause, NULL);
	took = clock_monotonic() - start;
	assert_true(took >= 2000000);
	assert_true(took < 30000000000ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(realtime_is_since_the_epoch),
		cmocka_unit_test(monotonic_never_goes_back),
		cmocka_unit_test(monotonic_counts_nanoseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
