#include "sink/histogram.h"

#include "unit.h"

static void empty(void **state)
{
	static const struct histogram histogram;

	(void)state;
	assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
	assert_int_equal(histogram_quantile(&histogram, 1), 0);
}

/* One duration is all quantiles, exactly. */
static void one(void **state)
{
	static const uint64_t durations[] = {
		0, 1, 3, 4, 5, 1000, 1234567, 1ULL << 40, UINT64_MAX
	};

	(void)state;
	for (size_t i = 0; i < COUNT(durations); i++) {
		struct histogram histogram = { 0 };

		histogram_add(&histogram, durations[i]);
		CHECK(histogram_quantile(&histogram, 0.01) == durations[i] &&
			      histogram_quantile(&histogram, 1) == durations[i],
		      "%lu", durations[i]);
	}
}

/* Never below the true quantile, and at most a quarter above. */
static void close_to_the_truth(void **state)
{
	static const double parts[] = { 0.01, 0.1, 0.5, 0.9, 0.99, 1 };
	struct histogram histogram = { 0 };
	uint64_t got, exact;

	(void)state;
	for (uint64_t i = 1; i <= 100000; i++)
		histogram_add(&histogram, i * 37);
	for (size_t i = 0; i < COUNT(parts); i++) {
		got = histogram_quantile(&histogram, parts[i]);
		exact = (uint64_t)(parts[i] * 100000) * 37;
		CHECK(got >= exact && got <= exact + exact / 4 + 1, "%f: %lu, not %lu", parts[i],
		      got, exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(one),
		cmocka_unit_test(close_to_the_truth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
