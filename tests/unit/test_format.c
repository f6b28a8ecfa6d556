#include "view/format.h"

#include "samples.h"
#include "unit.h"
#include "view/view.h"

static void by_name(void **state)
{
	static const char *const unknown[] = { "", "Text", "tex", "textx", ".txt", "|text" };

	(void)state;
	for (const struct format *format = formats; format->name; format++)
		assert_ptr_equal(format_by_name(format->name), format);
	for (size_t i = 0; i < COUNT(unknown); i++)
		CHECK(!format_by_name(unknown[i]), "%s", unknown[i]);
	assert_non_null(format_by_name("text"));
	assert_non_null(format_by_name("calls"));
	assert_non_null(format_by_name("hex"));
	assert_non_null(format_by_name("jsonl"));
}

static void by_suffix(void **state)
{
	static const struct {
		const char *file, *format; /* NULL: the suffix says nothing */
	} cases[] = {
		{ "run.txt", "text" },
		{ "run.jsonl", "jsonl" },
		{ "/tmp/a.txt/b.jsonl", "jsonl" },
		{ "run.jsonl.txt", "text" },
		{ "run.txt.gz", NULL },
		{ "run.iot", "iot" },
		{ "run.iot.zst", "iot" },
		{ "run.txt.zst", "text" },
		{ "run.zst", NULL },
		{ ".iot.zst", NULL },
		{ "/tmp/a.txt/b", NULL },
		{ "run", NULL },
		{ "txt", NULL },
		{ "run.TXT", NULL },
		{ ".txt", NULL },
		{ "-", NULL },
		{ "", NULL },
		{ "|cat >x.txt", NULL },
		{ "|x.jsonl", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct format *format = format_by_suffix(cases[i].file);

		CHECK(!!format == !!cases[i].format, "%s", cases[i].file);
		if (format)
			assert_string_equal(format->name, cases[i].format);
	}
}

static void rows_are_whole(void **state)
{
	(void)state;
	for (const struct format *format = formats; format->name; format++) {
		CHECK(format->help && format->help[0] && format->open, "%s", format->name);
		CHECK(!format->suffix || format->suffix[0] == '.', "%s", format->name);
		for (const struct format *other = formats; other < format; other++) {
			CHECK(strcmp(other->name, format->name), "%s", format->name);
			CHECK(!other->suffix || !format->suffix ||
				      strcmp(other->suffix, format->suffix),
			      "%s", format->name);
		}
	}
}

/* Each of them writes something, and closes what it was given. */
static void all_of_them_work(void **state)
{
	static const struct format_options options;

	(void)state;
	for (const struct format *format = formats; format->name; format++) {
		struct event *event = sample_make("sent");
		int fd = unit_file();
		struct sink *sink = format->open(out_from_fd(fd, "test"), &options);
		size_t len;

		sink_emit(sink, event);
		event_unref(event);
		assert_int_equal(sink_finish(sink), 0);
		free(unit_content(fd, &len));
		/* Where there is no request there is no command. */
		CHECK(len > 0 || !strcmp(format->name, "curl"), "%s", format->name);
		close(fd);
	}
}

/* They hand over what there is, and do not keep it all until the end; only sums are known then. */
static void none_of_them_hoards(void **state)
{
	static const struct format_options options = { .level = LEVEL_CALLS };
	char *word = malloc(100001);

	(void)state;
	memset(word, 'w', 100000);
	word[100000] = '\0';
	for (const struct format *format = formats; format->name; format++) {
		int fd = unit_file();
		struct sink *sink = format->open(out_from_fd(fd, "test"), &options);

		for (int i = 0; i < 10; i++) {
			struct event *event = sample_make("sent");

			/* What comes together may be held back to be put in order. */
			event->time += (uint64_t)i * 100000000;
			event->data.payload = (uint8_t *)word;
			event->data.len = event->data.captured = 100000;
			sink_emit(sink, event);
			event_unref(event);
		}
		CHECK(lseek(fd, 0, SEEK_END) > 500000 || !strncmp(format->name, "summary", 7) ||
			      format->redacts || !strcmp(format->name, "curl"),
		      "%s", format->name);
		assert_int_equal(sink_finish(sink), 0);
		close(fd);
	}
	free(word);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_name),
		cmocka_unit_test(by_suffix),
		cmocka_unit_test(rows_are_whole),
		cmocka_unit_test(all_of_them_work),
		cmocka_unit_test(none_of_them_hoards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
