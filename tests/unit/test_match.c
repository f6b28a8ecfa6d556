#include "base/match.h"

#include "base/clock.h"
#include "unit.h"

static const struct {
	const char *pattern;
	const char *data;
	size_t len;
	bool found;
} cases[] = {
	{ "GET", BYTES("GET / HTTP/1.1"), true },
	{ "GET", BYTES("get / HTTP/1.1"), false },
	{ "(?i)GET", BYTES("get / HTTP/1.1"), true },
	{ "^GET", BYTES(" GET"), false },
	{ "a.c", BYTES("a\0c"), true },
	{ "b$", BYTES("ab"), true },
	{ "\\x00\\xff", BYTES("a\0\xff"), true },
	/* Bytes, not characters: a half one is something, too. */
	{ "\\xc3", BYTES("\xc3"), true },
	{ "^..$", BYTES("\xc3\xbc"), true },
	{ "\xc3\xbc", BYTES("gr\xc3\xbcn"), true },
	{ "", BYTES(""), true },
	{ "^$", BYTES(""), true },
	{ ".", BYTES(""), false },
	{ "behind", BYTES("\0\0behind NULs"), true },
};

static void known_matches(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct match *match = match_new(cases[i].pattern);

		CHECK(match, "%s", cases[i].pattern);
		CHECK(match_found(match, cases[i].data, cases[i].len) == cases[i].found, "%s",
		      cases[i].pattern);
		match_free(match);
	}
}

static void no_data(void **state)
{
	struct match *match = match_new("^$");

	(void)state;
	assert_true(match_found(match, NULL, 0));
	match_free(match);
	match_free(NULL);
}

static void invalid_patterns(void **state)
{
	static const char *const patterns[] = { "(", "[a", "*a", "(?<n", "a{2,1}", "\\" };

	(void)state;
	for (size_t i = 0; i < COUNT(patterns); i++)
		CHECK(!match_new(patterns[i]), "%s", patterns[i]);
}

/* Exponential in the length: it is given up soon, and counts as found. */
static void hostile_data(void **state)
{
	struct match *match = match_new("^(a+)+$");
	uint64_t start = clock_monotonic();
	char data[64];

	(void)state;
	memset(data, 'a', sizeof(data));
	data[63] = 'b';
	assert_true(match_found(match, data, sizeof(data)));
	assert_true(clock_monotonic() - start < 5000000000ULL);
	match_free(match);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_matches),
		cmocka_unit_test(no_data),
		cmocka_unit_test(invalid_patterns),
		cmocka_unit_test(hostile_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
