/* Captures that end too soon: cut at every byte of their first 64 KiB. */
#include "store/reader.h"

#include "base/zstd.h"
#include "captures.h"
#include "unit.h"

#define SIZE 65536U

/* How many events a capture gives that was cut there, and what is said of it. */
static size_t read_cut(const struct buf *bytes, size_t len, struct reader_damage *ret_damage)
{
	static const struct reader_options options = { .payload_max = READER_PAYLOAD };
	struct reader *reader = reader_from_fd(capture_file(bytes->data, len), "cut", &options);
	struct event *event;
	size_t count = 0;

	while (reader_next(reader, &event) > 0) {
		count++;
		CHECK(event->seq == count, "cut at %zu: event %lu", len, event->seq);
		event_unref(event);
	}
	CHECK(reader_is_damaged(reader), "cut at %zu", len);
	*ret_damage = *reader_damage(reader);
	reader_free(reader);
	return count;
}

/* Sanitizers make it slow: every so-many-th byte then, by the environment. */
static size_t step(void)
{
	const char *text = getenv("IOTRACE_TEST_STEP");

	return text ? strtoul(text, NULL, 10) : 1;
}

static void torn(const char *format, size_t by, bool line)
{
	struct capture capture = { .format = format };
	struct reader_damage damage;
	size_t whole = 0, got, end;

	capture_fill(&capture, SIZE);
	for (size_t len = 0; len <= SIZE; len += by) {
		while (capture.ends[whole] <= len)
			whole++;
		got = read_cut(&capture.bytes, len, &damage);
		end = whole ? capture.ends[whole - 1] : 0;
		/* A line that lacks only its end is an event all the same. */
		if (line && capture.ends[whole] == len + 1) {
			assert_int_equal(got, whole + 1);
			continue;
		}
		CHECK(got == whole, "cut at %zu: %zu events of %zu", len, got, whole);
		if (!len)
			assert_true(damage.empty);
		else if (len == end)
			CHECK(damage.no_end && !damage.places, "cut at %zu", len);
		else
			CHECK(damage.truncated && damage.offset == end && damage.bytes == len - end,
			      "cut at %zu: %lu bytes at %lu", len, damage.bytes, damage.offset);
	}
	capture_done(&capture);
}

static void native(void **state)
{
	(void)state;
	torn("iot", step(), false);
}

static void json_lines(void **state)
{
	(void)state;
	torn("jsonl", 7 * step(), true);
}

/* Compressed in frames of a few events: what was flushed is there. */
static void compressed(void **state)
{
	struct capture capture = { .format = "iot" };
	struct zstd_writer *writer = zstd_writer_new();
	struct buf packed auto_buf = { 0 };
	size_t *flushed, got, whole = 0;
	struct reader_damage damage;

	(void)state;
	capture_fill(&capture, SIZE);
	flushed = calloc(capture.count, sizeof(*flushed));
	for (size_t i = 0; i < capture.count; i++) {
		size_t start = i ? capture.ends[i - 1] : 0;

		zstd_write(writer, &packed, capture.bytes.data + start, capture.ends[i] - start,
			   i % 16 == 15 ? ZSTD_ENDED : ZSTD_FLUSHED);
		flushed[i] = packed.len;
	}
	for (size_t len = 0; len < flushed[capture.count - 1]; len += 11 * step()) {
		while (flushed[whole] <= len)
			whole++;
		got = read_cut(&packed, len, &damage);
		/* The last bytes of a frame are only its checksum. */
		CHECK(got == whole || (got == whole + 1 && whole % 16 == 15),
		      "cut at %zu: %zu events of %zu", len, got, whole);
	}
	free(flushed);
	zstd_writer_free(writer);
	capture_done(&capture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(native),
		cmocka_unit_test(json_lines),
		cmocka_unit_test(compressed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
