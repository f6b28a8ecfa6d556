#include "cmd/opt.h"

#include "base/log.h"
#include "unit.h"

struct inner {
	uint64_t count, size, time;
};

struct settings {
	bool flag, other;
	int level;
	const char *text;
	struct opt_list list;
	struct inner inner;
};

static const struct opt_row outer_rows[] = {
	{ OPT_FLAG, 'f', "flag", NULL, "a flag", offsetof(struct settings, flag) },
	{ OPT_FLAG, 0, "other", NULL, "no letter", offsetof(struct settings, other) },
	{ OPT_LEVEL, 'v', "verbose", NULL, "a level", offsetof(struct settings, level) },
	{ OPT_TEXT, 't', "text", "TEXT", "a text", offsetof(struct settings, text) },
	{ OPT_LIST, 'o', "output", "FILE", "a list", offsetof(struct settings, list) },
	{ .kind = OPT_END },
};

static const struct opt_row inner_rows[] = {
	{ OPT_COUNT, 'c', "count", "N", "a count", offsetof(struct inner, count) },
	{ OPT_SIZE, 's', "size", "SIZE", "a size", offsetof(struct inner, size) },
	{ OPT_TIME, 'T', NULL, "TIME", "no name", offsetof(struct inner, time) },
	{ OPT_TIME, 0, "time-with-a-long-name", "TIME", "a time", offsetof(struct inner, time) },
	{ .kind = OPT_END },
};

static const struct opt_group groups[] = {
	{ "Outer", outer_rows, 0 },
	{ "Inner", inner_rows, offsetof(struct settings, inner) },
	{ 0 },
};

#define ARGS_MAX 12

static int count_args(const char *const *args)
{
	int argc = 0;

	while (argc < ARGS_MAX && args[argc])
		argc++;
	return argc;
}

/* Parses args behind the command's name; what is said goes to the file. */
static int parse(const char *const *args, struct settings *ret_settings, int log,
		 struct opt_list *ret_words)
{
	char *argv[ARGS_MAX + 2] = { (char *)"command" };
	int argc = count_args(args) + 1, at;

	for (int i = 1; i < argc; i++)
		argv[i] = (char *)(uintptr_t)args[i - 1];
	memset(ret_settings, 0, sizeof(*ret_settings));
	log_set_fd(log);
	at = ret_words ? opt_parse_mixed(groups, argc, argv, ret_settings, ret_words)
		       : opt_parse(groups, argc, argv, ret_settings);
	log_set_fd(STDERR_FILENO);
	return at;
}

static const struct good_case {
	const char *args[ARGS_MAX];
	int at;
	struct settings expected;
} good_cases[] = {
	{ { NULL }, 1, { 0 } },
	{ { "word" }, 1, { 0 } },
	{ { "-" }, 1, { 0 } },
	{ { "--" }, 2, { 0 } },
	{ { "--", "-f" }, 2, { 0 } },
	{ { "-f", "--", "--", "x" }, 3, { .flag = true } },
	{ { "-f" }, 2, { .flag = true } },
	{ { "--flag" }, 2, { .flag = true } },
	{ { "-f", "-f", "--other" }, 4, { .flag = true, .other = true } },
	{ { "-f", "word", "--other" }, 2, { .flag = true } },
	{ { "-vvv", "-v" }, 3, { .level = 4 } },
	{ { "--verbose", "-fv" }, 3, { .flag = true, .level = 2 } },
	{ { "-t", "x" }, 3, { .text = "x" } },
	{ { "-tx" }, 2, { .text = "x" } },
	{ { "-fvtx", "y" }, 2, { .flag = true, .level = 1, .text = "x" } },
	{ { "-fvt", "x" }, 3, { .flag = true, .level = 1, .text = "x" } },
	{ { "--text", "x" }, 3, { .text = "x" } },
	{ { "--text=x" }, 2, { .text = "x" } },
	{ { "--text=" }, 2, { .text = "" } },
	{ { "--text=a=b" }, 2, { .text = "a=b" } },
	{ { "--text", "" }, 3, { .text = "" } },
	{ { "-t", "a", "-t", "b" }, 5, { .text = "b" } },
	/* A value is a value, whatever it looks like. */
	{ { "-t", "--flag" }, 3, { .text = "--flag" } },
	{ { "-t", "--", "x" }, 3, { .text = "--" } },
	{ { "-t-" }, 2, { .text = "-" } },
	{ { "-c5", "-s", "2k", "--size=1M" }, 5, { .inner = { .count = 5, .size = 1 << 20 } } },
};

static void expect_settings(const struct settings *got, const struct settings *expected, size_t row)
{
	CHECK(got->flag == expected->flag && got->other == expected->other, "row %zu", row);
	CHECK(got->level == expected->level, "row %zu: %d", row, got->level);
	CHECK(!got->text == !expected->text, "row %zu", row);
	if (got->text)
		assert_string_equal(got->text, expected->text);
	CHECK(got->inner.count == expected->inner.count, "row %zu", row);
	CHECK(got->inner.size == expected->inner.size, "row %zu", row);
	CHECK(got->inner.time == expected->inner.time, "row %zu", row);
}

static void good_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good_cases); i++) {
		struct settings settings;
		int log = unit_file();

		CHECK(parse(good_cases[i].args, &settings, log, NULL) == good_cases[i].at,
		      "row %zu", i);
		expect_settings(&settings, &good_cases[i].expected, i);
		unit_expect_text(log, "");
	}
}

static const struct {
	const char *args[ARGS_MAX];
	const char *message;
} bad_cases[] = {
	{ { "-x" }, "iotrace: there is no option -x; --help lists them\n" },
	{ { "-fx" }, "iotrace: there is no option -x; --help lists them\n" },
	{ { "-f-" }, "iotrace: there is no option --; --help lists them\n" },
	{ { "--unknown" }, "iotrace: there is no option --unknown; --help lists them\n" },
	{ { "--unknown=5" }, "iotrace: there is no option --unknown; --help lists them\n" },
	{ { "--fla" }, "iotrace: there is no option --fla; --help lists them\n" },
	{ { "--flags" }, "iotrace: there is no option --flags; --help lists them\n" },
	{ { "--=x" }, "iotrace: there is no option --; --help lists them\n" },
	{ { "---flag" }, "iotrace: there is no option ---flag; --help lists them\n" },
	{ { "--flag=1" }, "iotrace: option --flag takes no value\n" },
	{ { "--flag=" }, "iotrace: option --flag takes no value\n" },
	{ { "-t" }, "iotrace: option -t needs a value (TEXT)\n" },
	{ { "-ft" }, "iotrace: option -t needs a value (TEXT)\n" },
	{ { "--text" }, "iotrace: option --text needs a value (TEXT)\n" },
	{ { "-c", "x" }, "iotrace: option -c: 'x' is no N\n" },
	{ { "--size", "5q" }, "iotrace: option --size: '5q' is no SIZE\n" },
	{ { "-c", "" }, "iotrace: option -c: '' is no N\n" },
};

static void bad_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_cases); i++) {
		struct settings settings;
		int log = unit_file();

		CHECK(parse(bad_cases[i].args, &settings, log, NULL) == -1, "row %zu", i);
		unit_expect_text(log, bad_cases[i].message);
	}
}

static const struct {
	const char *word;
	uint64_t value;
	bool good;
} numbers[] = {
	{ "-c0", 0, true },
	{ "-c1", 1, true },
	{ "-c9", 9, true },
	{ "-c007", 7, true },
	{ "-c4294967296", 1ULL << 32, true },
	{ "-c-1", 0, false },
	{ "-c+1", 0, false },
	{ "-c 1", 0, false },
	{ "-c1 ", 0, false },
	{ "-c1k", 0, false },
	{ "-c1,000", 0, false },
	{ "-cnan", 0, false },
	{ "-cinf", 0, false },
	{ "-c99999999999999999999", 0, false },
	{ "-c1e400", 0, false },
	{ "-s0", 0, true },
	{ "-s512", 512, true },
	{ "-s1k", 1024, true },
	{ "-s1K", 1024, true },
	{ "-s64M", 64ULL << 20, true },
	{ "-s2G", 2ULL << 30, true },
	{ "-s1.5k", 1536, true },
	{ "-s.5M", 512 << 10, true },
	{ "-s1m", 0, false },
	{ "-s1g", 0, false },
	{ "-s1kB", 0, false },
	{ "-s1 k", 0, false },
	{ "-sk", 0, false },
	{ "-s.", 0, false },
	{ "-s.k", 0, false },
	{ "-s-1k", 0, false },
	{ "-s99999999999G", 0, false },
	{ "-T5", 5000000000ULL, true },
	{ "-T5s", 5000000000ULL, true },
	{ "-T20ms", 20000000ULL, true },
	{ "-T7us", 7000ULL, true },
	{ "-T2m", 120000000000ULL, true },
	{ "-T1h", 3600000000000ULL, true },
	{ "-T0.25", 250000000ULL, true },
	{ "-T1M", 0, false },
	{ "-T1d", 0, false },
	{ "-T1s1", 0, false },
	{ "-T10000000h", 0, false },
};

static void numbers_and_units(void **state)
{
	int log = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		const char *args[ARGS_MAX] = { numbers[i].word };
		struct settings settings;
		int at = parse(args, &settings, log, NULL);

		CHECK(at == (numbers[i].good ? 2 : -1), "%s", numbers[i].word);
		CHECK(settings.inner.count + settings.inner.size + settings.inner.time ==
			      numbers[i].value,
		      "%s", numbers[i].word);
	}
	close(log);
}

/* A count is whole; one that is cut to 0 would mean something else. */
static void counts_are_whole(void **state)
{
	static const char *const words[] = { "-c1.5", "-c0.5", "-c.5" };
	int log = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		const char *args[ARGS_MAX] = { words[i] };
		struct settings settings;

		CHECK(parse(args, &settings, log, NULL) == -1, "%s", words[i]);
	}
	close(log);
}

static void lists(void **state)
{
	static const char *const args[ARGS_MAX] = {
		"-oa", "-o", "b", "--output=c", "--output", "d"
	};
	struct settings settings;
	int log = unit_file();

	(void)state;
	assert_int_equal(parse(args, &settings, log, NULL), 7);
	assert_int_equal(settings.list.count, 4);
	for (size_t i = 0; i < settings.list.count; i++)
		assert_int_equal(settings.list.items[i][0], 'a' + i);
	opt_list_done(&settings.list);
	assert_int_equal(settings.list.count, 0);
	assert_null(settings.list.items);
	opt_list_done(&settings.list);
	unit_expect_text(log, "");
}

static const struct {
	const char *args[ARGS_MAX];
	int at;
	const char *words[ARGS_MAX];
	bool flag;
} mixed_cases[] = {
	{ { NULL }, 1, { NULL }, false },
	{ { "a", "-f", "b" }, 4, { "a", "b" }, true },
	{ { "-f", "a", "--", "b" }, 4, { "a" }, true },
	{ { "--", "a" }, 2, { NULL }, false },
	{ { "-", "-f" }, 3, { "-" }, true },
	{ { "a", "-t", "x", "b", "-x" }, -1, { "a", "b" }, false },
};

static void words_between_options(void **state)
{
	int log = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < COUNT(mixed_cases); i++) {
		struct opt_list words = { 0 };
		struct settings settings;

		CHECK(parse(mixed_cases[i].args, &settings, log, &words) == mixed_cases[i].at,
		      "row %zu", i);
		CHECK((int)words.count == count_args(mixed_cases[i].words), "row %zu", i);
		for (size_t w = 0; w < words.count; w++)
			assert_string_equal(words.items[w], mixed_cases[i].words[w]);
		assert_int_equal(settings.flag, mixed_cases[i].flag);
		opt_list_done(&words);
	}
	close(log);
}

static void help(void **state)
{
	int file = unit_file(), before;

	(void)state;
	fflush(stdout);
	before = dup(STDOUT_FILENO);
	dup2(file, STDOUT_FILENO);
	opt_print_help(groups);
	fflush(stdout);
	dup2(before, STDOUT_FILENO);
	close(before);
	unit_expect_text(file, "\nOuter:\n"
			       "  -f, --flag              a flag\n"
			       "      --other             no letter\n"
			       "  -v, --verbose           a level\n"
			       "  -t, --text TEXT         a text\n"
			       "  -o, --output FILE       a list\n"
			       "\nInner:\n"
			       "  -c, --count N           a count\n"
			       "  -s, --size SIZE         a size\n"
			       "  -T   TIME               no name\n"
			       "      --time-with-a-long-name TIME\n"
			       "                          a time\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_words),
		cmocka_unit_test(bad_words),
		cmocka_unit_test(numbers_and_units),
		cmocka_unit_test(counts_are_whole),
		cmocka_unit_test(lists),
		cmocka_unit_test(words_between_options),
		cmocka_unit_test(help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
