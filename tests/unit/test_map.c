#include "base/map.h"

#include "unit.h"

#include <stdlib.h>

static char values[1000];

static void put_get_take(void **state)
{
	static const uint64_t keys[] = { 0, 1, UINT32_MAX, 1ULL << 32, UINT64_MAX };
	struct map map = { 0 };

	(void)state;
	assert_int_equal(map_count(&map), 0);
	assert_null(map_first(&map));
	for (size_t i = 0; i < COUNT(keys); i++) {
		assert_null(map_get(&map, keys[i]));
		assert_null(map_take(&map, keys[i]));
		assert_null(map_put(&map, keys[i], &values[i]));
		assert_int_equal(map_count(&map), i + 1);
	}
	for (size_t i = 0; i < COUNT(keys); i++)
		assert_ptr_equal(map_get(&map, keys[i]), &values[i]);
	assert_ptr_equal(map_put(&map, 1, &values[500]), &values[1]);
	assert_int_equal(map_count(&map), COUNT(keys));
	assert_ptr_equal(map_take(&map, 1), &values[500]);
	assert_null(map_get(&map, 1));
	assert_null(map_take(&map, 1));
	assert_int_equal(map_count(&map), COUNT(keys) - 1);
	map_done(&map);
	assert_int_equal(map_count(&map), 0);
	map_done(&map);
}

static void walks_in_order_of_insertion(void **state)
{
	struct map map = { 0 };
	size_t i = 0;

	(void)state;
	for (size_t n = 0; n < COUNT(values); n++)
		map_put(&map, n * 7919 % 1000, &values[n]);
	assert_int_equal(map_count(&map), COUNT(values));
	for (struct map_node *node = map_first(&map); node; node = map_next(node), i++) {
		assert_int_equal(map_key(node), i * 7919 % 1000);
		assert_ptr_equal(map_value(node), &values[i]);
	}
	assert_int_equal(i, COUNT(values));
	map_done(&map);
}

static void nodes_may_go_during_the_walk(void **state)
{
	struct map map = { 0 };
	size_t seen = 0;

	(void)state;
	for (size_t n = 0; n < COUNT(values); n++)
		map_put(&map, n, &values[n]);
	MAP_FOR_EACH(node, &map) {
		seen++;
		if (map_key(node) % 3)
			map_take(&map, map_key(node));
	}
	assert_int_equal(seen, COUNT(values));
	assert_int_equal(map_count(&map), 334);
	MAP_FOR_EACH(node, &map)
		assert_int_equal(map_key(node) % 3, 0);
	MAP_FOR_EACH(node, &map)
		map_take(&map, map_key(node));
	assert_int_equal(map_count(&map), 0);
	map_done(&map);
}

static void copies(void **state)
{
	struct map map = { 0 }, same = { 0 }, own = { 0 };

	(void)state;
	for (uint64_t key = 0; key < 10; key++) {
		uint64_t *value = malloc(sizeof(*value));

		assert_non_null(value);
		*value = 100 + key;
		map_put(&map, key, value);
	}
	map_copy(&same, &map, 0);
	map_copy(&own, &map, sizeof(uint64_t));
	assert_int_equal(map_count(&same), 10);
	assert_int_equal(map_count(&own), 10);
	for (uint64_t key = 0; key < 10; key++) {
		const uint64_t *value = map_get(&own, key);

		assert_ptr_equal(map_get(&same, key), map_get(&map, key));
		assert_ptr_not_equal(value, map_get(&map, key));
		assert_int_equal(*value, 100 + key);
	}
	map_done(&same);
	map_free(&own);
	map_free(&map);
	assert_int_equal(map_count(&map) + map_count(&own), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies),
		cmocka_unit_test(put_get_take),
		cmocka_unit_test(walks_in_order_of_insertion),
		cmocka_unit_test(nodes_may_go_during_the_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
