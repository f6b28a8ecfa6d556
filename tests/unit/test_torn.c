/* Captures that end too soon: cut at every byte of their first 64 KiB. */
#include "store/reader.h"

#include "base/zstd.h"
#include "captures.h"
#include "unit.h"

#define SIZE 65536U

/* Events before the cut that are read where not all are. */
#define NEAR 3

/* One cut in so many is read from the file's first byte on, and all with IOTRACE_TEST_SCALE=100. */
#define WHOLE_STEP 29

/* How many events a file gives from an offset on, and what is said of it. */
static size_t read_torn(int file, size_t from, size_t seq, struct reader_damage *ret_damage)
{
	static const struct reader_options options = { .payload_max = READER_PAYLOAD };
	struct reader *reader;
	struct event *event;
	size_t count = 0;
	int fd = dup(file);

	assert_true(fd >= 0);
	assert_int_equal(lseek(fd, (off_t)from, SEEK_SET), from);
	reader = reader_from_fd(fd, "cut", &options);
	while (reader_next(reader, &event) > 0) {
		count++;
		CHECK(event->seq == seq + count, "from %zu: event %lu", from, event->seq);
		event_unref(event);
	}
	CHECK(reader_is_damaged(reader), "from %zu", from);
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

static size_t whole_step(void)
{
	const char *text = getenv("IOTRACE_TEST_SCALE");

	return text && strtoul(text, NULL, 10) >= 100 ? 1 : WHOLE_STEP;
}

/* `whole` events are in the first `len` bytes, which the file has; `skipped` of them are not read. */
static void check_cut(int file, const struct capture *capture, size_t len, size_t whole,
		      size_t skipped)
{
	size_t from = skipped ? capture->ends[skipped - 1] : 0;
	size_t end = whole ? capture->ends[whole - 1] : 0, got;
	struct reader_damage damage;

	got = skipped + read_torn(file, from, skipped, &damage);
	/* A line that lacks only its end is an event all the same. */
	if (!strcmp(capture->format, "jsonl") && capture->ends[whole] == len + 1) {
		assert_int_equal(got, whole + 1);
		return;
	}
	CHECK(got == whole, "cut at %zu: %zu events of %zu", len, got, whole);
	if (!len)
		assert_true(damage.empty);
	else if (len == end)
		CHECK(damage.no_end && !damage.places, "cut at %zu", len);
	else
		CHECK(damage.truncated && from + damage.offset == end && damage.bytes == len - end,
		      "cut at %zu: %lu bytes at %lu", len, damage.bytes, damage.offset);
}

/*
 * The file grows from cut to cut. To read all of it each time is quadratic: most cuts are read from
 * a few events before them on, which is a capture, too, but for its first event; without that
 * nothing tells that `end` is missing, so cuts between events, and before a line's end, are read
 * from the first byte on.
 */
static void torn(const char *format)
{
	struct capture capture = { .format = format };
	size_t whole = 0, by = step(), whole_by = whole_step() * by;
	bool near;
	int file = unit_file();

	capture_fill(&capture, SIZE);
	for (size_t len = 0; len <= SIZE; len += by) {
		while (capture.ends[whole] <= len)
			whole++;
		near = whole > NEAR && len % whole_by && len != capture.ends[whole - 1] &&
		       len + 1 != capture.ends[whole];
		check_cut(file, &capture, len, whole, near ? whole - NEAR : 0);
		assert_int_equal(pwrite(file, capture.bytes.data + len, by, (off_t)len), by);
	}
	close(file);
	capture_done(&capture);
}

static void native(void **state)
{
	(void)state;
	torn("iot");
}

static void json_lines(void **state)
{
	(void)state;
	torn("jsonl");
}

/* Compressed in frames of a few events: what was flushed is there. */
static void compressed(void **state)
{
	struct capture capture = { .format = "iot" };
	struct zstd_writer *writer = zstd_writer_new();
	struct buf packed auto_buf = { 0 };
	size_t *flushed, got, whole = 0;
	struct reader_damage damage;
	int file;

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
		file = capture_file(packed.data, len);
		got = read_torn(file, 0, 0, &damage);
		close(file);
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
