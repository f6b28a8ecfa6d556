#include "base/json.h"

#include "base/utf8.h"
#include "parse.h"
#include "unit.h"

static const struct {
	const char *text;
	size_t len;
	const char *json;
} cases[] = {
	{ BYTES(""), "\"\"" },
	{ BYTES("plain /text/"), "\"plain /text/\"" },
	{ BYTES("\"\\"), "\"\\\"\\\\\"" },
	{ BYTES("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"" },
	{ BYTES("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\\u007f\"" },
	{ BYTES("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"" },
	{ BYTES("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"" },
	/* C1 controls, line separators, bidirectional overrides, zero width, BOM. */
	{ BYTES("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0"), "\"\\u0080\\u009b\\u009f\xc2\xa0\"" },
	{ BYTES("\xe2\x80\xa8\xe2\x80\xa9"), "\"\\u2028\\u2029\"" },
	{ BYTES("\xe2\x80\xaa\xe2\x80\xae\xe2\x81\xa6\xe2\x81\xa9"),
	  "\"\\u202a\\u202e\\u2066\\u2069\"" },
	{ BYTES("\xe2\x80\x8b\xe2\x80\x8f\xef\xbb\xbf"), "\"\\u200b\\u200f\\ufeff\"" },
	/* Each invalid byte alone. */
	{ BYTES("\xff"), "\"\\ufffd\"" },
	{ BYTES("a\xc3"), "\"a\\ufffd\"" },
	{ BYTES("\xe2\x82z"), "\"\\ufffd\\ufffdz\"" },
	{ BYTES("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"" },
	{ BYTES("\xc0\xaf"), "\"\\ufffd\\ufffd\"" },
};

static void known_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf buf auto_buf = { 0 };

		json_add_string(&buf, cases[i].text, cases[i].len);
		assert_string_equal(buf_cstr(&buf), cases[i].json);
	}
}

/* The string says what the bytes said, and has nothing raw in it that moves a cursor. */
static void expect_faithful(const char *text, size_t len)
{
	struct buf json auto_buf = { 0 }, back auto_buf = { 0 };
	char *expected = malloc(3 * len + 1);
	size_t n = utf8_clean(text, len, expected);
	uint32_t code;

	json_add_string(&json, text, len);
	CHECK(parse_string(json.data, json.len, &back) == json.len, "%.*s", (int)json.len,
	      json.data);
	assert_int_equal(back.len, n);
	if (n)
		assert_memory_equal(back.data, expected, n);
	for (size_t at = 0; at < json.len; at += n) {
		n = utf8_decode(json.data + at, json.len - at, &code);
		assert_true(n > 0);
		CHECK(code > 0xffff || utf8_shown(code), "U+%04X is raw", code);
	}
	free(expected);
}

static void every_byte(void **state)
{
	(void)state;
	for (int first = 0; first < 256; first++) {
		char one = (char)first;

		expect_faithful(&one, 1);
		for (int second = 0; second < 256; second++) {
			char two[] = { (char)first, (char)second };

			expect_faithful(two, 2);
		}
	}
}

static void every_character_of_three_bytes(void **state)
{
	(void)state;
	for (int code = 0x800; code < 0x10000; code++) {
		char text[] = { (char)(0xe0 | code >> 12), (char)(0x80 | (code >> 6 & 63)),
				(char)(0x80 | (code & 63)) };

		expect_faithful(text, sizeof(text));
	}
}

static void random_bytes(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		size_t len = unit_random(&seed) % 200;
		char *text = malloc(len + 1);

		for (size_t i = 0; i < len; i++)
			text[i] = (char)unit_random(&seed);
		expect_faithful(text, len);
		free(text);
	}
}

static void members(void **state)
{
	struct buf buf auto_buf = { 0 };

	(void)state;
	buf_addc(&buf, '{');
	json_add_text_member(&buf, "text", "a\"b\n");
	json_add_uint_member(&buf, "big", UINT64_MAX);
	json_add_int_member(&buf, "small", INT64_MIN);
	json_add_key(&buf, "inner");
	buf_addc(&buf, '{');
	json_add_uint_member(&buf, "zero", 0);
	buf_adds(&buf, "}}");
	assert_string_equal(buf_cstr(&buf),
			    "{\"text\":\"a\\\"b\\n\",\"big\":18446744073709551615,"
			    "\"small\":-9223372036854775808,\"inner\":{\"zero\":0}}");
	assert_int_equal(parse_value(buf.data, buf.len), buf.len);
}

/* A value that ends in a brace must not be taken for the object's beginning. */
static void member_behind_a_brace(void **state)
{
	struct buf buf auto_buf = { 0 };

	(void)state;
	buf_addc(&buf, '{');
	json_add_text_member(&buf, "a", "{");
	json_add_text_member(&buf, "b", "");
	buf_addc(&buf, '}');
	assert_string_equal(buf_cstr(&buf), "{\"a\":\"{\",\"b\":\"\"}");
}

/* The reader that the other tests rely on refuses what is not JSON. */
static void the_reader_is_strict(void **state)
{
	static const char *const wrong[] = {
		"",
		"{",
		"{}x",
		"{\"a\":1,}",
		"{\"a\"}",
		"[1,]",
		"[1 ]",
		"\"\n\"",
		"\"\\x\"",
		"\"\\u12\"",
		"\"",
		"\"\xff\"",
		"01",
		"-",
		"nul",
		"{a:1}",
		"{\"a\":1\"b\":2}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++)
		CHECK(!strlen(wrong[i]) ||
			      parse_value(wrong[i], strlen(wrong[i])) != strlen(wrong[i]),
		      "%s", wrong[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_strings),
		cmocka_unit_test(every_byte),
		cmocka_unit_test(every_character_of_three_bytes),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(members),
		cmocka_unit_test(member_behind_a_brace),
		cmocka_unit_test(the_reader_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
