/* Captures that are corrupted, foreign or hostile: what is whole is given, the rest is told. */
#include "store/reader.h"

#include "base/own.h"
#include "base/zstd.h"
#include "captures.h"
#include "unit.h"

#include <sys/resource.h>

static struct read_back read_literal(const char *bytes, size_t len)
{
	return capture_read(bytes, len, 0);
}

static void nothing(void **state)
{
	struct read_back back = read_literal("", 0);

	(void)state;
	assert_true(back.damage.empty && back.damaged);
	assert_int_equal(back.count, 0);
	read_back_done(&back);
}

static void foreign(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{ BYTES("root:x:0:0:root:/root:/bin/bash\n") },
		{ BYTES("\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff") },
		{ BYTES("\x7f"
			"ELF\2\1\1\0\0\0\0\0\0\0\0\0") },
		{ BYTES("\0") },
		{ BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct read_back back = read_literal(cases[i].bytes, cases[i].len);

		CHECK(back.damaged && !back.count, "case %zu", i);
		CHECK(back.damage.foreign || back.damage.places, "case %zu", i);
		read_back_done(&back);
	}
}

/* Bytes changed in one event: all others are there. */
static void one_event(const char *format, size_t victim, int change)
{
	struct capture capture = { .format = format };
	struct read_back back;
	size_t start, end, at;

	capture_fill(&capture, 8000);
	start = capture.ends[victim - 1];
	end = capture.ends[victim];
	at = start + (end - start) / 2;
	if (change < 256)
		memset(capture.bytes.data + start, change, end - start - 1);
	else
		memmove(capture.bytes.data + at, capture.bytes.data + end, capture.bytes.len - end);
	if (change == 256)
		capture.bytes.len -= end - at;
	back = capture_read(capture.bytes.data, capture.bytes.len, 0);
	CHECK(back.count == capture.count - 1, "%s: %zu of %zu events, change %d in %zu", format,
	      back.count, capture.count, change, victim);
	CHECK(back.damaged && back.damage.places == 1 && back.damage.events == 1 &&
		      !back.damage.truncated && !back.damage.no_end,
	      "%s: change %d in %zu", format, change, victim);
	/* Two halves can look like a whole. */
	CHECK(change == 256 || back.damage.offset == start, "%s: %lu, not %zu; change %d in %zu",
	      format, back.damage.offset, start, change, victim);
	read_back_done(&back);
	capture_done(&capture);
}

static void one_event_is_lost(void **state)
{
	(void)state;
	for (size_t victim = 1; victim < 24; victim++) {
		one_event("iot", victim, 0xff);
		one_event("iot", victim, 0);
		one_event("jsonl", victim, 'x');
	}
}

/* A piece is missing: what it was cut out of is lost, and no more. */
static void a_piece_is_missing(void **state)
{
	(void)state;
	for (size_t victim = 2; victim < 24; victim++)
		one_event("iot", victim, 256);
}

/* Any one byte changed anywhere: no crash, and never more than a few events lost. */
static void any_byte(void **state)
{
	struct capture capture = { .format = "iot" };
	struct read_back back;

	(void)state;
	capture_fill(&capture, 6000);
	for (size_t at = 0; at < capture.bytes.len; at++) {
		char before = capture.bytes.data[at];

		capture.bytes.data[at] = (char)(before ^ (1 << at % 8));
		back = capture_read(capture.bytes.data, capture.bytes.len, 0);
		CHECK(back.count + 3 >= capture.count, "byte %zu: %zu of %zu", at, back.count,
		      capture.count);
		read_back_done(&back);
		capture.bytes.data[at] = before;
	}
	capture_done(&capture);
}

/* A native capture that was transferred while it was traced is no part of the capture. */
static void a_capture_in_a_payload(void **state)
{
	struct capture inner = { .format = "iot" }, outer = { .format = "iot" };
	struct event *event;
	struct read_back back;

	(void)state;
	capture_fill(&inner, 5000);
	capture_add(&outer, "start");
	for (int i = 0; i < 200; i++)
		capture_add(&outer, "note");
	event = event_new(EVENT_DATA, inner.bytes.len);
	event->seq = outer.count + 1;
	event->data.payload = event_room(event, inner.bytes.len);
	event->data.len = event->data.captured = inner.bytes.len;
	memcpy(event->data.payload, inner.bytes.data, inner.bytes.len);
	capture_add_event(&outer, event);
	event_unref(event);
	/* Its beginning is spoilt. */
	memset(outer.bytes.data + outer.ends[outer.count - 2], 0xff, 40);
	capture_add(&outer, "end");
	back = capture_read(outer.bytes.data, outer.bytes.len, 0);
	/* A tagged first event is believed: it could be another capture behind this one. */
	assert_true(back.damaged);
	CHECK(back.damage.places >= 1, "%lu", back.damage.places);
	read_back_done(&back);
	capture_done(&inner);
	capture_done(&outer);
}

static void numbers_go_back(void **state)
{
	static const char lines[] = "{\"type\":\"note\",\"seq\":5,\"time\":1,\"text\":\"a\"}\n"
				    "{\"type\":\"note\",\"seq\":5,\"time\":1,\"text\":\"b\"}\n"
				    "{\"type\":\"note\",\"seq\":4,\"time\":1,\"text\":\"c\"}\n"
				    "{\"type\":\"note\",\"seq\":6,\"time\":1,\"text\":\"d\"}\n";
	struct read_back back = read_literal(lines, sizeof(lines) - 1);

	(void)state;
	assert_int_equal(back.count, 4);
	assert_int_equal(back.damage.backwards, 2);
	assert_true(back.damaged);
	read_back_done(&back);
}

/* Several captures behind each other are no damage. */
static void one_behind_the_other(void **state)
{
	struct capture one = { .format = "iot" }, two = { .format = "iot" };
	struct read_back back;

	(void)state;
	capture_fill(&one, 3000);
	capture_fill(&two, 3000);
	buf_add(&one.bytes, two.bytes.data, two.bytes.len);
	back = capture_read(one.bytes.data, one.bytes.len, 0);
	assert_int_equal(back.count, one.count + two.count);
	assert_false(back.damaged);
	read_back_done(&back);
	capture_done(&one);
	capture_done(&two);
}

#define HEAD                           \
	"\xd9\xd9\xf7\xa9\x64type\x64" \
	"data\x63seq\x01\x64time\x02"

static const struct {
	const char *bytes;
	size_t len;
} hostile[] = {
	/* A payload of 2^64 - 1 bytes, of 1 GB, of 4 GB in a chunk. */
	{ BYTES(HEAD "\x67payload\x5b\xff\xff\xff\xff\xff\xff\xff\xff") },
	{ BYTES(HEAD "\x67payload\x5a\x40\0\0\0xyz") },
	{ BYTES(HEAD "\x67payload\x5f\x5a\xff\xff\xff\xff\xff") },
	/* More members than can be. */
	{ BYTES("\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x64type\x64note\x63seq\x01") },
	{ BYTES(HEAD "\x63new\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02") },
	{ BYTES(HEAD "\x63new\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02") },
	{ BYTES(HEAD "\x63"
		     "fds\x9b\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02") },
	/* Wrong kinds. */
	{ BYTES("\xa3\x64type\x01\x63seq\x01\x64time\x02") },
	{ BYTES("\xa3\x64type\x64note\x63seq\x61x\x64time\x02") },
	{ BYTES("\xa3\x64type\x64note\x63seq\x20\x64time\x02") },
	{ BYTES("\xa3\x64type\x64note\x63seq\xfb\0\0\0\0\0\0\0\0\x64time\x02") },
	{ BYTES("\xa3\x64type\x64note\x63seq\xff\x64time\x02") },
	{ BYTES("\xa2\x64type\x64note\xff\xff") },
	/* Numbers that do not fit. */
	{ BYTES("\xa4\x64type\x64note\x63seq\x01\x64time\x02\x63pid\x1b\xff\xff\xff\xff\xff\xff\xff"
		"\xff") },
	{ BYTES("\xa4\x64type\x64note\x63seq\x01\x64time\x02\x63pid\x3b\xff\xff\xff\xff\xff\xff\xff"
		"\xff") },
	/* No number. */
	{ BYTES("\xa2\x64type\x64note\x64time\x02") },
	/* A payload longer than the message. */
	{ BYTES("\xa7\x64type\x64"
		"data\x63seq\x01\x64time\x02\x63"
		"dir\x62in\x65layer\x64wire"
		"\x63len\x01\x67payload\x43xyz") },
	/* Reserved heads. */
	{ BYTES("\xa2\x64type\x64note\x1c\x1d\x1e") },
	{ BYTES("{\"type\":\"note\",\"seq\":1e400,\"time\":1}\n") },
	{ BYTES("{\"type\":\"note\",\"seq\":18446744073709551616,\"time\":1}\n") },
	{ BYTES("{\"type\":\"note\",\"seq\":-1,\"time\":1}\n") },
	{ BYTES("{\"type\":\"note\",\"seq\":1,\"time\":1,\"text\":\"\\ud800\"}\n") },
	{ BYTES("{\"type\":\"note\",\"seq\":1,\"time\":1,\"text\":\"\\q\"}\n") },
	{ BYTES("{\"type\":\"note\",\"seq\":1,\"time\":1,\"text\":\"a\nb\"}\n") },
	{ BYTES("{\"type\":\"note\",\"seq\":1,\"time\":1}}\n") },
	{ BYTES("{\"type\":\"note\" \"seq\":1,\"time\":1}\n") },
	{ BYTES("{\"type\":\"note\",\"seq\":1,\"time\":1,\"new\":[}\n") },
	{ BYTES("{\"seq\":1,\"type\":\"note\"}\n") },
	{ BYTES("{}\n") },
	{ BYTES("{\"type\":\"data\",\"seq\":1,\"time\":1,\"dir\":\"in\",\"layer\":\"wire\",\"len\":"
		"9,"
		"\"b64\":\"a\"}\n") },
	{ BYTES("{\"type\":\"data\",\"seq\":1,\"time\":1,\"dir\":\"up\",\"layer\":\"wire\"}\n") },
	{ BYTES("{\"type\":\"socket\",\"seq\":1,\"time\":1,\"event\":\"open\",\"remote\":\"\"}"
		"\n") },
};

static void hostile_events(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hostile); i++) {
		struct read_back back = read_literal(hostile[i].bytes, hostile[i].len);

		CHECK(back.damaged && back.damage.places && !back.count, "case %zu: %zu events", i,
		      back.count);
		read_back_done(&back);
	}
}

/* Lists in lists in lists: in a key that nobody knows. */
static void deep_nesting(void **state)
{
	struct buf cbor auto_buf = { 0 }, json auto_buf = { 0 };
	struct read_back back;

	(void)state;
	buf_add(&cbor, BYTES("\xa4\x64type\x64note\x63seq\x01\x63new"));
	buf_adds(&json, "{\"type\":\"note\",\"seq\":1,\"new\":");
	for (int i = 0; i < 1000000; i++) {
		buf_addc(&cbor, '\x81');
		buf_addc(&json, '[');
	}
	back = read_literal(cbor.data, cbor.len);
	assert_true(back.damaged && !back.count);
	read_back_done(&back);
	back = read_literal(json.data, json.len);
	assert_true(back.damaged && !back.count);
	read_back_done(&back);
}

static long peak(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

/* What there is of a huge string is gone past, not kept. */
static void huge_strings(void **state)
{
	static const char *const keys[] = { "\x64text", "\x63new", "\x64type",
					    ("\x64"
					     "comm") };
	size_t size = 100 << 20;
	char *bytes = own_zalloc(size);
	struct read_back back;
	long before = peak();

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		size_t len = 0;

		memcpy(bytes, BYTES("\xa4\x64type\x64note\x63seq\x01"));
		len = strlen(bytes);
		memcpy(bytes + len, keys[i], strlen(keys[i]));
		len += strlen(keys[i]);
		memcpy(bytes + len, BYTES("\x7a\x06\0\0\0"));
		back = read_literal(bytes, size);
		assert_int_equal(back.count, 0);
		read_back_done(&back);
	}
	/* The file itself is memory, too. */
	assert_true(peak() - before < (long)(size >> 10) + (64 << 10));
	free(bytes);
}

/* Each looks like an event's beginning, and claims to hold all that follows. */
static void many_false_beginnings(void **state)
{
	static const char false_one[] = "\xa4\x64type\x64note\x63seq\x01\x64text\x7a\x7f\0\0\0";
	struct buf bytes auto_buf = { 0 };
	struct read_back back;

	(void)state;
	for (int i = 0; i < 200000; i++)
		buf_add(&bytes, false_one, sizeof(false_one) - 1);
	back = read_literal(bytes.data, bytes.len);
	assert_true(back.damaged);
	assert_int_equal(back.count, 0);
	read_back_done(&back);
}

/* A damaged frame: the frames around it are read. */
static void compressed_frames(void **state)
{
	struct capture capture = { .format = "iot" };
	struct zstd_writer *writer = zstd_writer_new();
	struct buf packed auto_buf = { 0 };
	struct read_back back;
	size_t second = 0, third = 0, lost = 0;

	(void)state;
	capture_fill(&capture, 30000);
	for (size_t i = 0; i < capture.count; i++) {
		size_t start = i ? capture.ends[i - 1] : 0;

		if (i == 40)
			second = packed.len;
		if (i == 80)
			third = packed.len;
		zstd_write(writer, &packed, capture.bytes.data + start, capture.ends[i] - start,
			   i % 40 == 39 || i + 1 == capture.count ? ZSTD_ENDED : ZSTD_MORE);
	}
	back = capture_read(packed.data, packed.len, 0);
	assert_int_equal(back.count, capture.count);
	assert_false(back.damaged);
	read_back_done(&back);
	for (size_t at = second; at < third; at += 7) {
		char before = packed.data[at];

		packed.data[at] = (char)(before ^ 0x10);
		back = capture_read(packed.data, packed.len, 0);
		lost = capture.count - back.count;
		/* The checksum comes behind what it is of. */
		CHECK(lost <= 40 && back.damaged && back.damage.in_compressed,
		      "byte %zu of %zu: %zu lost", at - second, third - second, lost);
		read_back_done(&back);
		packed.data[at] = before;
	}
	zstd_writer_free(writer);
	capture_done(&capture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),           cmocka_unit_test(foreign),
		cmocka_unit_test(one_event_is_lost), cmocka_unit_test(a_piece_is_missing),
		cmocka_unit_test(any_byte),          cmocka_unit_test(a_capture_in_a_payload),
		cmocka_unit_test(numbers_go_back),   cmocka_unit_test(one_behind_the_other),
		cmocka_unit_test(hostile_events),    cmocka_unit_test(deep_nesting),
		cmocka_unit_test(huge_strings),      cmocka_unit_test(many_false_beginnings),
		cmocka_unit_test(compressed_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
