/* Code in, places for patches out. */
#include "tap/cave.h"

#include "tap/pun.h"
#include "unit.h"

/* cave_code.S */
extern const uint8_t text[], text_end[];
extern const uint8_t second_site[], second_cave[], second_site_2[], second_cave_2[];
extern const uint8_t first_cave_2[], third_cave[];

static size_t find_in(const uint8_t *copy, const uint8_t *site, struct cave caves[CAVES_MAX])
{
	return cave_find(copy + (site - text) - CAVE_AROUND, (uint64_t)(uintptr_t)site, caves);
}

static bool is_cave(const struct cave *cave, const uint8_t *place, size_t room)
{
	return cave->addr == (uint64_t)(uintptr_t)place && cave->room == room;
}

/* The nearest first, and none where code runs into the filling. */
static void of_functions(void **state)
{
	static const struct {
		const uint8_t *site, *caves[5];
	} cases[] = {
		{ second_site, { second_cave, first_cave_2, second_cave_2, NULL } },
		{ second_site_2, { second_cave_2, second_cave, third_cave, first_cave_2, NULL } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct cave caves[CAVES_MAX];
		size_t count = find_in(text, cases[i].site, caves), j = 0;

		for (; cases[i].caves[j]; j++)
			CHECK(j < count && caves[j].addr == (uint64_t)(uintptr_t)cases[i].caves[j],
			      "case %zu, cave %zu: %s", i, j, j < count ? "another" : "none");
		CHECK(j == count, "case %zu: %zu caves", i, count);
	}
}

/* As it was said of the same code, wherever that is; of another it is read. */
static void remembered(void **state)
{
	const size_t before = (size_t)(second_site - text) - CAVE_AROUND;
	uint8_t code[2 * CAVE_AROUND];
	struct caves caves = { 0 };

	(void)state;
	memcpy(code, text + before, sizeof(code));
	for (int round = 0; round < 2; round++) {
		for (uint64_t i = 0; i < 64; i++) {
			struct cave now[CAVES_MAX], then[CAVES_MAX];
			uint64_t site = (uint64_t)(uintptr_t)second_site + i * 0x1008;
			size_t count = cave_find(code, site, now);

			assert_int_equal(caves_find(&caves, code, site, then), count);
			for (size_t j = 0; j < count; j++) {
				assert_int_equal(then[j].addr, now[j].addr);
				assert_int_equal(then[j].room, now[j].room);
			}
		}
		assert_int_equal(map_count(&caves.by_code), 2 * (round + 1));
		/* The cave is none any more. */
		code[(size_t)(second_cave - text) - before + 1] ^= 0xff;
	}
	caves_free(&caves);
}

/* A long one has room for two. */
static void shared(void **state)
{
	struct cave caves[CAVES_MAX], longer = { .room = 10 };
	uint8_t filled[CAVE_ROOM_MAX + 1], *copy = malloc((size_t)(text_end - text));
	int32_t distance;

	(void)state;
	assert_non_null(copy);
	longer.addr = 0xf82b6;
	memset(filled, 0, sizeof(filled));
	cave_fill(&longer, 0x401d0000, filled);
	memcpy(&distance, filled + 1, sizeof(distance));
	assert_memory_equal(filled, "\xe9\x45\x7d\x0d\x40\xcc\xcc\xcc\xcc\xcc\0", 11);
	assert_int_equal(longer.addr + CAVE_SIZE + (uint64_t)distance, 0x401d0000);
	assert_int_equal(cave_distance(0xf82ab, &longer), 9);
	assert_int_equal(cave_distance(0xf8334, &longer), -128);
	memcpy(copy, text, (size_t)(text_end - text));
	assert_true(find_in(copy, second_site_2, caves) >= 1);
	assert_true(is_cave(&caves[0], second_cave_2, 5));
	cave_fill(&caves[0], caves[0].addr + 0x1000, copy + (second_cave_2 - text));
	/* What is left there is too little. */
	assert_true(find_in(copy, second_site_2, caves) >= 1);
	assert_false(is_cave(&caves[0], second_cave_2, 5));
	free(copy);
}

/* A window with a site, whole instructions all over, and these bytes before 16 bytes' border. */
struct made {
	const char *what;
	uint8_t len;
	uint8_t bytes[16];
	size_t caves;
};

#define ADDR 0x7f0000001000UL
#define SITE (ADDR + CAVE_AROUND)

static size_t find_made(const struct made *made, size_t border)
{
	/* add $0x12345678, %rbx */
	static const uint8_t plain[] = { 0x48, 0x81, 0xc3, 0x78, 0x56, 0x34, 0x12 };
	uint8_t code[2 * CAVE_AROUND];
	struct cave caves[CAVES_MAX];
	size_t start = border - made->len;

	memset(code, 0x55, sizeof(code));
	for (size_t at = start % sizeof(plain); at < start; at += sizeof(plain))
		memcpy(code + at, plain, sizeof(plain));
	memcpy(code + start, made->bytes, made->len);
	return cave_find(code, SITE, caves);
}

static void only_behind_an_end(void **state)
{
	static const struct made cases[] = {
		{ "ret", 9, { 0xc3, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 }, 1 },
		{ "ret, and traps", 6, { 0xc3, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc }, 1 },
		{ "ret, and too little", 5, { 0xc3, 0xcc, 0xcc, 0xcc, 0xcc }, 0 },
		{ "jmp", 10, { 0xe9, 1, 2, 3, 4, 0x0f, 0x1f, 0x44, 0, 0 }, 1 },
		{ "short jmp", 7, { 0xeb, 0xc8, 0x0f, 0x1f, 0x44, 0, 0 }, 1 },
		{ "long filling",
		  13,
		  { 0xeb, 0xc8, 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 },
		  1 },
		{ "mov %rax, %rbx", 8, { 0x48, 0x89, 0xc3, 0x0f, 0x1f, 0x44, 0, 0 }, 0 },
		{ "mov %eax, %ebx", 7, { 0x89, 0xc3, 0x0f, 0x1f, 0x44, 0, 0 }, 0 },
		{ "mov $0xc3000000, %eax", 10, { 0xb8, 0, 0, 0, 0xc3, 0x0f, 0x1f, 0x44, 0, 0 }, 0 },
		{ "add to memory at …eb",
		  9,
		  { 0x83, 0x43, 0xeb, 0x10, 0x0f, 0x1f, 0x44, 0, 0 },
		  0 },
		{ "jne", 7, { 0x75, 0xc8, 0x0f, 0x1f, 0x44, 0, 0 }, 0 },
		{ "call", 10, { 0xe8, 1, 2, 3, 4, 0x0f, 0x1f, 0x44, 0, 0 }, 0 },
		{ "ret, then code", 8, { 0xc3, 0x0f, 0x1f, 0x44, 0, 1, 0x90, 0x90 }, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		/* Before the site, and behind it. */
		CHECK(find_made(&cases[i], CAVE_AROUND - 32) == cases[i].caves, "%s",
		      cases[i].what);
		CHECK(find_made(&cases[i], CAVE_AROUND + 80) == cases[i].caves, "%s",
		      cases[i].what);
		/* Not where a short jump does not lead. */
		CHECK(find_made(&cases[i], CAVE_AROUND - 128) == 0, "%s", cases[i].what);
		CHECK(find_made(&cases[i], CAVE_AROUND + 144) == 0, "%s", cases[i].what);
		/* Filling ends at a border. */
		CHECK(find_made(&cases[i], CAVE_AROUND - 35) == 0, "%s", cases[i].what);
	}
}

static void entered_by_a_branch(void **state)
{
	static const struct {
		uint8_t head;
		uint8_t bytes[2];
		bool far;
	} branches[] = {
		{ 1, { 0xeb }, false },      { 1, { 0x75 }, false },      { 1, { 0xe2 }, false },
		{ 1, { 0xe3 }, false },      { 1, { 0xe8 }, true },       { 1, { 0xe9 }, true },
		{ 2, { 0x0f, 0x84 }, true }, { 2, { 0xc7, 0xf8 }, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(branches); i++)
		for (int into = -1; into <= CAVE_SIZE; into++)
			for (int far_away = 0; far_away <= 1; far_away++) {
				uint8_t code[64] = { 0 };
				size_t len = branches[i].head + (branches[i].far ? 4UL : 1UL);
				uint64_t cave = far_away ? ADDR - 40 : ADDR + 60;
				int32_t distance =
					(int32_t)(cave + (uint64_t)(int64_t)into - (ADDR + len));

				memcpy(code, branches[i].bytes, branches[i].head);
				memcpy(code + branches[i].head, &distance, branches[i].far ? 4 : 1);
				/* It is as long as it has to be, and no more. */
				CHECK(cave_is_entered(code, len, ADDR, cave) ==
					      (into >= 0 && into < CAVE_SIZE),
				      "branch %zu into %d", i, into);
				assert_false(cave_is_entered(code, len - 1, ADDR, cave));
			}
}

static void puns(void **state)
{
	/* cmp $-4095, %rax, as glibc and Go have it behind the call. */
	static const uint8_t behind_glibc[] = { 0x0f, 0x05, 0x48, 0x3d, 0x00 };
	static const uint8_t behind_go[] = { 0x0f, 0x05, 0x48, 0x3d, 0x01 };
	static const uint8_t downwards[] = { 0x0f, 0x05, 0x85, 0xc0, 0xff };

	(void)state;
	assert_int_equal(pun_target(0x7f0000000000, behind_glibc), 0x7f00003d480aUL);
	assert_int_equal(pun_target(0x402690, behind_go), 0x402690 + 5 + 0x13d4805);
	assert_int_equal(pun_target(0x7f0000800000, downwards), 0x7f0000800005UL - 0x3f7afb);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_functions),
		cmocka_unit_test(remembered),
		cmocka_unit_test(shared),
		cmocka_unit_test(only_behind_an_end),
		cmocka_unit_test(entered_by_a_branch),
		cmocka_unit_test(puns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
