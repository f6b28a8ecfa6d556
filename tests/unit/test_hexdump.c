#include "sink/hexdump.h"

#include "base/utf8.h"
#include "unit.h"

static const struct {
	const char *data;
	size_t len;
	bool text;
} kinds[] = {
	{ BYTES(""), false },
	{ BYTES("x"), true },
	{ BYTES("plain"), true },
	{ BYTES("lines\r\nand\ttabs\n"), true },
	{ BYTES("gr\xc3\xbc\xc3\x9f"), true },
	{ BYTES("a\0b"), false },
	{ BYTES("\x16\x03\x01\x02\0\x01"), false },
	{ BYTES("\xff\xd8\xff\xe0"), false },
	{ BYTES("\x89PNG\r\n\x1a\n"), false },
	/* One control in twenty is let pass: a color, a bell. */
	{ BYTES("\x1b[31mred\x1b[0m"), false },
	{ BYTES("\x1b[31mthis is a longer text in red"), true },
	{ BYTES("twenty characters!!\x07"), true },
	{ BYTES("nineteen character\x07"), false },
	/* A call can begin and end in the middle of a character. */
	{ BYTES("\xbc\xc3\x9f text"), true },
	{ BYTES("\x82\xac text"), true },
	{ BYTES("\x9f\x98\x80 text"), true },
	{ BYTES("\x80\x9f\x98\x80 text"), false },
	{ BYTES("text \xc3"), true },
	{ BYTES("text \xe2\x82"), true },
	{ BYTES("text \xf0\x9f\x98"), true },
	{ BYTES("\x82\xac text \xf0\x9f"), true },
	{ BYTES("text \xf0\x9f\x98 more"), false },
	{ BYTES("te\x80xt"), false },
	{ BYTES("te\xc3xt that goes on"), false },
};

static void text_or_binary(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++)
		CHECK(payload_is_text(kinds[i].data, kinds[i].len) == kinds[i].text, "row %zu", i);
}

/* Bytes at the end that no character begins with, or that another one follows, are not cut off. */
static void what_is_no_cut_character(void **state)
{
	static const struct {
		const char *data;
		size_t len;
	} cases[] = {
		{ BYTES("text \xff") },      { BYTES("text \xf5") },
		{ BYTES("text \xc3\0\0") },  { BYTES("text \xc3(") },
		{ BYTES("text \xe2(\xa1") }, { BYTES("text \xf4\x90\x80") },
		{ BYTES("text \xed\xa0") },  { BYTES("text \xff\xfe\xfd") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		CHECK(!payload_is_text(cases[i].data, cases[i].len), "row %zu", i);
}

static const struct {
	const char *data;
	size_t len;
	const char *text;
} texts[] = {
	{ BYTES(""), "" },
	{ BYTES("one"), "> one\n" },
	{ BYTES("one\n"), "> one\n" },
	{ BYTES("one\ntwo"), "> one\n> two\n" },
	{ BYTES("\n"), "> \n" },
	{ BYTES("\n\nx"), "> \n> \n> x\n" },
	{ BYTES("crlf\r\n"), "> crlf\\r\n" },
	{ BYTES("back\\slash"), "> back\\\\slash\n" },
	{ BYTES("\a\b\t\v\f\r\x1b"), "> \\a\\b\\t\\v\\f\\r\\e\n" },
	{ BYTES("\0\x01\x1f\x7f"), "> \\x00\\x01\\x1f\\x7f\n" },
	{ BYTES("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"), "> gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\n" },
	{ BYTES("\xc2\x9b\xe2\x80\xae\xef\xbb\xbf"),
	  "> \\xc2\\x9b\\xe2\\x80\\xae\\xef\\xbb\\xbf\n" },
	{ BYTES("\xbc cut \xe2\x82"), "> \\xbc cut \\xe2\\x82\n" },
	{ BYTES("\xf3\xa0\x81\x81"), "> \\xf3\\xa0\\x81\\x81\n" },
};

static void text_with_escapes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct buf buf auto_buf = { 0 };

		payload_add_text(&buf, "> ", texts[i].data, texts[i].len);
		assert_string_equal(buf_cstr(&buf), texts[i].text);
	}
}

static void one_line(void **state)
{
	struct buf buf auto_buf = { 0 };

	(void)state;
	payload_add_line(&buf, BYTES("a\nb\r\xff"));
	assert_string_equal(buf_cstr(&buf), "a\\nb\\r\\xff");
}

/* As hexdump -C writes it. */
static void hex(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		const char *text;
	} cases[] = {
		{ BYTES(""), "" },
		{ BYTES("A"),
		  "  00000000  41                                                |A|\n" },
		{ BYTES("ABCDEFGH"),
		  "  00000000  41 42 43 44 45 46 47 48                           |ABCDEFGH|\n" },
		{ BYTES("ABCDEFGHI"),
		  "  00000000  41 42 43 44 45 46 47 48  49                       |ABCDEFGHI|\n" },
		{ BYTES("0123456789abcdef"),
		  "  00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  "
		  "|0123456789abcdef|\n" },
		{ BYTES("0123456789abcde\n\0\x1f\x7f\x80\xff ~"),
		  "  00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 0a  "
		  "|0123456789abcde.|\n"
		  "  00000010  00 1f 7f 80 ff 20 7e                              |..... ~|\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf buf auto_buf = { 0 };

		payload_add_hex(&buf, "  ", cases[i].data, cases[i].len);
		assert_string_equal(buf_cstr(&buf), cases[i].text);
	}
}

static void expect_harmless(const struct buf *buf)
{
	uint32_t code;
	size_t n;

	assert_true(!buf->len || buf->data[buf->len - 1] == '\n');
	for (size_t at = 0; at < buf->len; at += n) {
		if (!at || buf->data[at - 1] == '\n')
			CHECK(buf->len - at >= 4 && !memcmp(buf->data + at, "    ", 4), "at %zu",
			      at);
		n = utf8_decode(buf->data + at, buf->len - at, &code);
		assert_true(n > 0);
		CHECK(code == '\n' || utf8_shown(code), "U+%04X", code);
	}
}

static void hostile_payloads(void **state)
{
	uint64_t seed = 19;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct buf text auto_buf = { 0 }, dump auto_buf = { 0 };
		size_t len = unit_random(&seed) % 100;
		char *data = malloc(len + 1);

		for (size_t i = 0; i < len; i++)
			data[i] = (char)(unit_random(&seed) % (1U << round % 9));
		payload_is_text(data, len);
		payload_add_text(&text, "    ", data, len);
		payload_add_hex(&dump, "    ", data, len);
		expect_harmless(&text);
		expect_harmless(&dump);
		free(data);
	}
}

/* Each hidden character, as UTF-8 that is valid. */
static void every_character(void **state)
{
	struct buf raw auto_buf = { 0 }, text auto_buf = { 0 };

	(void)state;
	for (uint32_t code = 0x80; code < 0x10000; code++) {
		if (code >= 0xd800 && code < 0xe000)
			continue;
		if (code < 0x800) {
			buf_addc(&raw, (char)(0xc0 | code >> 6));
		} else {
			buf_addc(&raw, (char)(0xe0 | code >> 12));
			buf_addc(&raw, (char)(0x80 | (code >> 6 & 63)));
		}
		buf_addc(&raw, (char)(0x80 | (code & 63)));
	}
	payload_add_text(&text, "    ", raw.data, raw.len);
	expect_harmless(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_or_binary),
		cmocka_unit_test(what_is_no_cut_character),
		cmocka_unit_test(text_with_escapes),
		cmocka_unit_test(one_line),
		cmocka_unit_test(hex),
		cmocka_unit_test(hostile_payloads),
		cmocka_unit_test(every_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
