#include "sink/tee.h"

#include "sink/format.h"
#include "unit.h"

#include <errno.h>

/* An output that keeps count. */
struct counter {
	struct sink sink;
	uint64_t count;
	int result; /* of finish */
};

static void count_emit(struct sink *sink, struct event *event)
{
	(void)event;
	((struct counter *)sink)->count++;
}

static int count_finish(struct sink *sink)
{
	return ((struct counter *)sink)->result;
}

static struct counter counter_of(int result)
{
	return (struct counter){ .sink = { .emit = count_emit, .finish = count_finish },
				 .result = result };
}

struct reports {
	struct {
		char name[32];
		int error;
		uint64_t missed;
	} items[4];
	size_t count;
};

static void take_report(void *ctx, const struct tee_report *report)
{
	struct reports *reports = ctx;

	assert_true(reports->count < COUNT(reports->items));
	snprintf(reports->items[reports->count].name, 32, "%s", report->name);
	reports->items[reports->count].error = report->error;
	reports->items[reports->count++].missed = report->missed;
}

static void emit_notes(struct sink *sink, size_t count, size_t len)
{
	char *text = malloc(len + 1);

	memset(text, 'n', len);
	text[len] = '\0';
	for (size_t i = 0; i < count; i++) {
		struct event *event = event_new(EVENT_NOTE, 0);

		event->note.text = text;
		sink_emit(sink, event);
		event_unref(event);
	}
	free(text);
}

static int open_full(void)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Adds an output in JSON Lines. */
static void add_lines(struct tee *tee, int fd, const char *name)
{
	static const struct format_options options;
	struct out *out = out_from_fd(fd, name);

	tee_add(tee, jsonl_new(out, &options), out);
}

static size_t lines_in(int fd)
{
	char *text = unit_content(fd, NULL);
	size_t count = 0;

	for (const char *at = text; (at = strchr(at, '\n')); at++)
		count++;
	free(text);
	return count;
}

static void nothing_to_write_to(void **state)
{
	struct reports reports = { 0 };
	struct tee *tee = tee_new(take_report, &reports);

	(void)state;
	emit_notes(tee_sink(tee), 1, 1);
	tee_idle(tee);
	assert_int_equal(sink_finish(tee_sink(tee)), 0);
	assert_int_equal(reports.count, 0);
}

static void all_get_all(void **state)
{
	struct counter counters[3] = { counter_of(0), counter_of(0), counter_of(0) };
	struct reports reports = { 0 };
	struct tee *tee = tee_new(take_report, &reports);
	int first = unit_file(), last = unit_file();

	(void)state;
	add_lines(tee, first, "first");
	for (size_t i = 0; i < COUNT(counters); i++)
		tee_add(tee, &counters[i].sink, NULL);
	add_lines(tee, last, "last");
	emit_notes(tee_sink(tee), 5, 10);
	assert_int_equal(lines_in(first) + lines_in(last), 0);
	tee_idle(tee);
	assert_int_equal(lines_in(first), 5);
	assert_int_equal(lines_in(last), 5);
	emit_notes(tee_sink(tee), 2, 10);
	assert_int_equal(sink_finish(tee_sink(tee)), 0);
	assert_int_equal(lines_in(first), 7);
	assert_int_equal(lines_in(last), 7);
	for (size_t i = 0; i < COUNT(counters); i++)
		assert_int_equal(counters[i].count, 7);
	assert_int_equal(reports.count, 0);
	close(first);
	close(last);
}

static void one_fails_the_others_go_on(void **state)
{
	struct counter counter = counter_of(0);
	struct reports reports = { 0 };
	struct tee *tee = tee_new(take_report, &reports);
	int full = open_full(), fd = unit_file();

	(void)state;
	add_lines(tee, full, "full");
	tee_add(tee, &counter.sink, NULL);
	add_lines(tee, fd, "file");
	emit_notes(tee_sink(tee), 3, 200000);
	tee_idle(tee);
	emit_notes(tee_sink(tee), 4, 10);
	assert_int_equal(sink_finish(tee_sink(tee)), -ENOSPC);
	assert_int_equal(counter.count, 7);
	assert_int_equal(lines_in(fd), 7);
	assert_int_equal(reports.count, 1);
	assert_string_equal(reports.items[0].name, "full");
	assert_int_equal(reports.items[0].error, -ENOSPC);
	assert_int_equal(reports.items[0].missed, 7);
	close(full);
	close(fd);
}

/* Small events are still in the buffer when the disk is found to be full. */
static void missed_counts_what_was_buffered(void **state)
{
	struct reports reports = { 0 };
	struct tee *tee = tee_new(take_report, &reports);
	int full = open_full();

	(void)state;
	add_lines(tee, full, "full");
	emit_notes(tee_sink(tee), 5, 10);
	tee_idle(tee);
	emit_notes(tee_sink(tee), 5, 10);
	assert_int_equal(sink_finish(tee_sink(tee)), -ENOSPC);
	assert_int_equal(reports.count, 1);
	assert_int_equal(reports.items[0].missed, 10);
	close(full);
}

static void missed_counts_what_fails_at_the_end(void **state)
{
	struct reports reports = { 0 };
	struct tee *tee = tee_new(take_report, &reports);
	int full = open_full();

	(void)state;
	add_lines(tee, full, "full");
	emit_notes(tee_sink(tee), 3, 10);
	assert_int_equal(sink_finish(tee_sink(tee)), -ENOSPC);
	assert_int_equal(reports.count, 1);
	assert_int_equal(reports.items[0].missed, 3);
	close(full);
}

static void each_failure_is_reported(void **state)
{
	struct counter counters[3] = { counter_of(-EIO), counter_of(0), counter_of(-EPIPE) };
	struct reports reports = { 0 };
	struct tee *tee = tee_new(take_report, &reports);

	(void)state;
	for (size_t i = 0; i < COUNT(counters); i++)
		tee_add(tee, &counters[i].sink, NULL);
	assert_int_equal(sink_finish(tee_sink(tee)), -EIO);
	assert_int_equal(reports.count, 2);
	assert_int_equal(reports.items[0].error, -EIO);
	assert_int_equal(reports.items[1].error, -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_to_write_to),
		cmocka_unit_test(all_get_all),
		cmocka_unit_test(one_fails_the_others_go_on),
		cmocka_unit_test(missed_counts_what_was_buffered),
		cmocka_unit_test(missed_counts_what_fails_at_the_end),
		cmocka_unit_test(each_failure_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
