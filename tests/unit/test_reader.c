#include "store/reader.h"

#include "captures.h"
#include "samples.h"
#include "unit.h"

static const char *const formats_read[] = { "iot", "jsonl" };

static void expect_lines(const struct buf *lines, const struct buf *expected)
{
	CHECK(lines->len == expected->len && !memcmp(lines->data, expected->data, lines->len),
	      "got\n%.*s\nexpected\n%.*s", (int)lines->len, lines->data, (int)expected->len,
	      expected->data);
}

/* Each kind of event comes back as it was, from both formats. */
static void every_kind_of_event(void **state)
{
	(void)state;
	for (size_t f = 0; f < COUNT(formats_read); f++) {
		for (size_t i = 0; sample_name(i); i++) {
			struct capture capture = { .format = formats_read[f] };
			struct capture line = { .format = "jsonl" };
			struct read_back back;

			capture_add(&capture, sample_name(i));
			capture_add(&line, sample_name(i));
			back = capture_read(capture.bytes.data, capture.bytes.len, 0);
			CHECK(back.count == 1, "%s %s", formats_read[f], sample_name(i));
			expect_lines(&back.lines, &line.bytes);
			read_back_done(&back);
			capture_done(&capture);
			capture_done(&line);
		}
	}
}

static void whole_captures(void **state)
{
	(void)state;
	for (size_t f = 0; f < COUNT(formats_read); f++) {
		struct capture capture = { .format = formats_read[f] };
		struct capture lines = { .format = "jsonl" };
		struct read_back back;

		capture_fill(&capture, 100000);
		capture_add(&lines, "start");
		for (size_t i = 1, n = 0; i < capture.count - 1; i++) {
			n = sample_name(n + 2) ? n + 1 : 1;
			capture_add(&lines, sample_name(n));
		}
		capture_add(&lines, "end");
		back = capture_read(capture.bytes.data, capture.bytes.len, 0);
		assert_int_equal(back.result, 0);
		assert_false(back.damaged);
		assert_int_equal(back.damage.last_seq, capture.count);
		expect_lines(&back.lines, &lines.bytes);
		read_back_done(&back);
		capture_done(&capture);
		capture_done(&lines);
	}
}

static struct event *event_with_payload(const void *data, size_t len)
{
	struct event *event = sample_make("sent");
	struct event *large = event_new(EVENT_DATA, len);

	large->seq = 1;
	large->pid = large->tid = 1;
	large->data = event->data;
	large->data.payload = event_room(large, len);
	large->data.len = large->data.captured = len;
	if (len)
		memcpy(large->data.payload, data, len);
	event_unref(event);
	return large;
}

static void payload_round_trip(const char *format, const void *data, size_t len)
{
	struct event *event = event_with_payload(data, len);
	struct capture capture = { .format = format }, line = { .format = "jsonl" };
	struct read_back back;

	capture_add_event(&capture, event);
	capture_add_event(&line, event);
	event_unref(event);
	back = capture_read(capture.bytes.data, capture.bytes.len, 0);
	CHECK(back.count == 1 && !back.cut, "%s, %zu bytes", format, len);
	assert_int_equal(back.lines.len, line.bytes.len);
	assert_memory_equal(back.lines.data, line.bytes.data, line.bytes.len);
	read_back_done(&back);
	capture_done(&capture);
	capture_done(&line);
}

/* Lengths around the borders of windows and buffers, text and not. */
static void payloads(void **state)
{
	static const size_t sizes[] = { 0,      1,      23,     24,      255,    256,    4095,
					4096,   4097,   49151,  49152,   49153,  65535,  65536,
					65537,  98304,  131071, 131072,  131073, 262143, 262144,
					262145, 300000, 786432, 1048577, 5000000 };
	uint8_t *binary = malloc(5000000), *text = malloc(5000000);
	uint64_t random = 1;

	(void)state;
	for (size_t i = 0; i < 5000000; i++) {
		binary[i] = (uint8_t)unit_random(&random);
		text[i] = (uint8_t)(unit_random(&random) % 128);
	}
	for (size_t f = 0; f < COUNT(formats_read); f++) {
		for (size_t i = 0; i < COUNT(sizes); i++) {
			payload_round_trip(formats_read[f], binary, sizes[i]);
			payload_round_trip(formats_read[f], text, sizes[i]);
		}
	}
	free(binary);
	free(text);
}

/* Text is written in pieces, which must not end within a character. */
static void wide_characters(void **state)
{
	static const char wide[] = "\xf0\x9f\x98\x80\xe2\x82\xac\xc3\xbc";
	char *text = malloc(200000 + 4);
	size_t len = 0;

	(void)state;
	while (len + sizeof(wide) < 200000) {
		memcpy(text + len, wide, sizeof(wide) - 1);
		len += sizeof(wide) - 1;
	}
	for (size_t shift = 0; shift < 4; shift++) {
		memmove(text + 1, text, len);
		text[0] = 'x';
		len++;
		for (size_t f = 0; f < COUNT(formats_read); f++)
			payload_round_trip(formats_read[f], text, len);
	}
	free(text);
}

/* What is beyond payload_max is counted, but not kept. */
static void payload_bound(void **state)
{
	char bytes[1000];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	for (size_t i = 0; i < 2 * COUNT(formats_read); i++) {
		struct capture capture = { .format = formats_read[i / 2] };
		struct event *event;
		struct read_back back;

		bytes[0] = i % 2 ? '\xff' : 'x';
		event = event_with_payload(bytes, sizeof(bytes));
		capture_add_event(&capture, event);
		event_unref(event);
		back = capture_read(capture.bytes.data, capture.bytes.len, 100);
		assert_int_equal(back.count, 1);
		assert_int_equal(back.cut, 1);
		assert_false(back.damaged);
		CHECK(strstr(buf_cstr(&back.lines), "\"len\":1000,") &&
			      strstr(buf_cstr(&back.lines), "\"captured\":100,"),
		      "%s", buf_cstr(&back.lines));
		read_back_done(&back);
		capture_done(&capture);
	}
}

/* Keys and types that a newer version knows, and numbers that are not of ours, are gone past. */
static void unknown_keys(void **state)
{
	static const char *const lines[] = {
		"{\"type\":\"note\",\"seq\":1,\"time\":2,\"new\":{\"a\":[1,-2.5e3,true,null,\"x\"]}"
		","
		"\"text\":\"hi\"}\n",
		"{\"type\":\"note\",\"new\":[[[]]],\"seq\":1,\"time\":2,\"text\":\"hi\"}\n",
		(" { \"type\" : \"note\" , \"seq\" : 1 , \"time\" : 2 , \"text\" : \"h\\u0069\" } "
		 "\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct read_back back = capture_read(lines[i], strlen(lines[i]), 0);

		CHECK(back.count == 1 && !back.damaged, "%s", lines[i]);
		assert_string_equal(buf_cstr(&back.lines),
				    "{\"type\":\"note\",\"seq\":1,\"time\":2,\"text\":\"hi\"}\n");
		read_back_done(&back);
	}
}

static void unknown_types(void **state)
{
	static const char line[] = "{\"type\":\"later\",\"seq\":1,\"a\":{}}\n"
				   "{\"type\":\"note\",\"seq\":2,\"time\":0}\n";
	static const char cbor[] = "\xa3\x64type\x65later\x63seq\x01\x61z\x81\xa1\x01\x02"
				   "\xa3\x64type\x64note\x63seq\x02\x64time\x00";
	struct read_back back = capture_read(line, sizeof(line) - 1, 0);

	(void)state;
	assert_int_equal(back.count, 1);
	assert_int_equal(back.unknown, 1);
	assert_false(back.damaged);
	read_back_done(&back);
	back = capture_read(cbor, sizeof(cbor) - 1, 0);
	assert_int_equal(back.count, 1);
	assert_int_equal(back.unknown, 1);
	assert_false(back.damaged);
	read_back_done(&back);
}

/* Whatever another encoder makes of the same: indefinite lengths, longer heads, keys in any order. */
static void other_encodings(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{ BYTES("\xbf\x64type\x64note\x63seq\x01\x64time\x02\x64text\x62hi\xff") },
		{ BYTES("\xa4\x64type\x64note\x64text\x62hi\x64time\x02\x63seq\x01") },
		{ BYTES("\xb8\x04\x64type\x64note\x63seq\x1b\0\0\0\0\0\0\0\x01\x64time\x19\0\x02"
			"\x64text\x7f\x61h\x61i\xff") },
		{ BYTES("\xa5\x64type\x64note\x63seq\x01\x64time\x02\x63new\xc1\xbf\x9f\xff\xfb"
			"12345678\xff\x64text\x62hi") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct read_back back = capture_read(cases[i].bytes, cases[i].len, 0);

		CHECK(back.count == 1 && !back.damaged, "case %zu", i);
		assert_string_equal(buf_cstr(&back.lines),
				    "{\"type\":\"note\",\"seq\":1,\"time\":2,\"text\":\"hi\"}\n");
		read_back_done(&back);
	}
}

/* Text of a file is no more to be trusted than a payload. */
static void unclean_text(void **state)
{
	static const char cbor[] =
		"\xa4\x64type\x64note\x63seq\x01\x64time\x02\x64text\x63h\xff\xc3";
	struct read_back back = capture_read(cbor, sizeof(cbor) - 1, 0);

	(void)state;
	assert_string_equal(buf_cstr(&back.lines),
			    "{\"type\":\"note\",\"seq\":1,\"time\":2,\"text\":\"h\xef\xbf\xbd"
			    "\xef\xbf\xbd\"}\n");
	read_back_done(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_event),
		cmocka_unit_test(whole_captures),
		cmocka_unit_test(payloads),
		cmocka_unit_test(wide_characters),
		cmocka_unit_test(payload_bound),
		cmocka_unit_test(unknown_keys),
		cmocka_unit_test(unknown_types),
		cmocka_unit_test(other_encodings),
		cmocka_unit_test(unclean_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
