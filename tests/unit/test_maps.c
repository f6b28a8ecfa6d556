/* What a process has mapped: our own. */
#include "unit.h"

#include "base/maps.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void own(void **state)
{
	const size_t size = 3UL * 4096;
	uint8_t *anonymous = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct mapping *mapping;
	struct maps maps;

	(void)state;
	assert_ptr_not_equal(anonymous, MAP_FAILED);
	assert_int_equal(maps_read(getpid(), &maps), 0);
	for (size_t i = 1; i < maps.count; i++)
		assert_true(maps.items[i - 1].end <= maps.items[i].start);
	mapping = maps_find(&maps, (uint64_t)(uintptr_t)anonymous + size - 1);
	assert_non_null(mapping);
	assert_int_equal(mapping->flags[0], 'r');
	assert_int_equal(mapping->flags[2], '-');
	assert_int_equal(mapping->inode, 0);
	mapping = maps_find(&maps, (uint64_t)(uintptr_t)own);
	assert_non_null(mapping);
	assert_int_equal(mapping->flags[2], 'x');
	assert_true(mapping->inode && *mapping->path == '/');
	assert_non_null(strstr(mapping->path, "unit_maps"));
	assert_null(maps_find(&maps, 1));
	maps_done(&maps);
	munmap(anonymous, size);
}

static void gone(void **state)
{
	struct maps maps;

	(void)state;
	assert_int_equal(maps_read(0x7fffffff, &maps), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own),
		cmocka_unit_test(gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
