#include "base/utf8.h"

#include "unit.h"

/* The right way to write a code point, whether it is one or not. */
static size_t encode(uint32_t code, char *out)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xc0 | code >> 6);
		out[1] = (char)(0x80 | (code & 63));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xe0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 63));
		out[2] = (char)(0x80 | (code & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 63));
	out[2] = (char)(0x80 | (code >> 6 & 63));
	out[3] = (char)(0x80 | (code & 63));
	return 4;
}

static void every_code_point(void **state)
{
	char text[4];
	uint32_t code;

	(void)state;
	for (uint32_t c = 0; c < 0x120000; c++) {
		size_t n = encode(c, text);
		bool valid = c < 0xd800 || (c > 0xdfff && c < 0x110000);

		code = 0xffffffff;
		if (utf8_decode(text, n, &code) != (valid ? n : 0))
			fail_msg("U+%04X", c);
		if (code != (valid ? c : 0xffffffff))
			fail_msg("U+%04X gives U+%04X", c, code);
	}
}

static void cut_characters(void **state)
{
	static const uint32_t codes[] = { 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff };
	uint32_t code;

	(void)state;
	assert_int_equal(utf8_decode("", 0, &code), 0);
	for (size_t i = 0; i < COUNT(codes); i++) {
		char text[4];
		size_t n = encode(codes[i], text);

		for (size_t len = 0; len < n; len++) {
			char *cut = malloc(len + 1);

			memcpy(cut, text, len);
			CHECK(!utf8_decode(cut, len, &code), "U+%04X, %zu bytes", codes[i], len);
			cut[len] = 'x';
			CHECK(!len || !utf8_decode(cut, len + 1, &code), "U+%04X", codes[i]);
			free(cut);
		}
	}
}

static const struct {
	const char *text;
	size_t len;
	size_t prefix;
} prefixes[] = {
	{ BYTES(""), 0 },
	{ BYTES("plain"), 5 },
	{ BYTES("\0\0"), 2 },
	{ BYTES("gr\xc3\xbc\xc3\x9f"), 6 },
	{ BYTES("\x80"), 0 },
	{ BYTES("a\xbf"), 1 },
	/* Overlong: NUL, slash, and the last of each length. */
	{ BYTES("\xc0\x80"), 0 },
	{ BYTES("\xc0\xaf"), 0 },
	{ BYTES("\xc1\xbf"), 0 },
	{ BYTES("\xe0\x9f\xbf"), 0 },
	{ BYTES("\xf0\x8f\xbf\xbf"), 0 },
	/* Surrogates, alone and as a pair (CESU-8). */
	{ BYTES("x\xed\xa0\x80"), 1 },
	{ BYTES("\xed\xbf\xbf"), 0 },
	{ BYTES("\xed\xa0\xbd\xed\xb8\x80"), 0 },
	/* Beyond U+10FFFF, and the longer forms that once were. */
	{ BYTES("\xf4\x90\x80\x80"), 0 },
	{ BYTES("\xf5\x80\x80\x80"), 0 },
	{ BYTES("\xf8\x88\x80\x80\x80"), 0 },
	{ BYTES("\xfe"), 0 },
	{ BYTES("\xff"), 0 },
	{ BYTES("\xf4\x8f\xbf\xbf"), 4 },
	{ BYTES("ok\xe2\x82"), 2 },
	{ BYTES("\xc3\x28"), 0 },
	{ BYTES("\xe2\x28\xa1"), 0 },
	{ BYTES("\xf0\x9f\x98\x80\xf0\x9f\x98"), 4 },
};

static void valid_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		size_t n = utf8_valid_prefix(prefixes[i].text, prefixes[i].len);

		CHECK(n == prefixes[i].prefix, "row %zu: %zu", i, n);
		CHECK(utf8_valid(prefixes[i].text, prefixes[i].len) == (n == prefixes[i].len),
		      "row %zu", i);
	}
}

/* Eight bytes are looked at together: put what matters at each place around that. */
static void words_of_eight(void **state)
{
	(void)state;
	for (size_t len = 0; len < 40; len++) {
		for (size_t at = 0; at < len; at++) {
			char *text = malloc(len);

			memset(text, 'a', len);
			text[at] = (char)0x80;
			assert_int_equal(utf8_valid_prefix(text, len), at);
			text[at] = (char)0xc3;
			assert_int_equal(utf8_valid_prefix(text, len), at);
			if (at + 1 < len) {
				text[at + 1] = (char)0xbc;
				assert_int_equal(utf8_valid_prefix(text, len), len);
			}
			free(text);
		}
	}
}

static const struct {
	const char *text;
	size_t len;
	const char *clean;
} cleanings[] = {
	{ BYTES(""), "" },
	{ BYTES("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f" },
	{ BYTES("\xff"), "\xef\xbf\xbd" },
	{ BYTES("a\xffz"), "a\xef\xbf\xbdz" },
	{ BYTES("\xe2\x82"), "\xef\xbf\xbd\xef\xbf\xbd" },
	{ BYTES("\xe2\x82z"), "\xef\xbf\xbd\xef\xbf\xbdz" },
	{ BYTES("\x80\x80\xc3\xbc"), "\xef\xbf\xbd\xef\xbf\xbd\xc3\xbc" },
};

static void cleaning(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cleanings); i++) {
		char out[32];
		size_t n = utf8_clean(cleanings[i].text, cleanings[i].len, out);

		assert_int_equal(n, strlen(cleanings[i].clean));
		assert_memory_equal(out, cleanings[i].clean, n);
	}
}

static void random_bytes_become_clean(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 5000; round++) {
		size_t len = unit_random(&seed) % 64, at = 0, n;
		char *data = malloc(len + 1), *out = malloc(3 * len + 1);
		uint32_t code;

		for (size_t i = 0; i < len; i++)
			data[i] = (char)(unit_random(&seed) >> (round % 2 ? 16 : 17));
		n = utf8_clean(data, len, out);
		assert_true(n <= 3 * len);
		assert_true(utf8_valid(out, n));
		while (at < len && (n = utf8_decode(data + at, len - at, &code)))
			at += n;
		assert_int_equal(utf8_valid_prefix(data, len), at);
		free(data);
		free(out);
	}
}

static const struct {
	uint32_t first, last;
} shown[] = {
	{ ' ', '~' },       { 0xa0, 0x17f },    { 0x20ac, 0x20ac },   { 0x4e00, 0x9fff },
	{ 0xac00, 0xd7a3 }, { 0xfffd, 0xfffd }, { 0x1f600, 0x1f64f },
};

/* Unicode 15: Cc, Zl, Zp and Cf but the soft hyphen; non-characters; private planes. */
static const struct {
	uint32_t first, last;
} not_shown[] = {
	{ 0, 0x1f },          { 0x7f, 0x9f },       { 0x600, 0x605 },       { 0x61c, 0x61c },
	{ 0x6dd, 0x6dd },     { 0x70f, 0x70f },     { 0x180e, 0x180e },     { 0x200b, 0x200f },
	{ 0x2028, 0x202e },   { 0x2060, 0x2064 },   { 0x2066, 0x206f },     { 0xfdd0, 0xfdef },
	{ 0xfeff, 0xfeff },   { 0xfff9, 0xfffb },   { 0xfffe, 0xffff },     { 0x1d173, 0x1d17a },
	{ 0xe0001, 0xe0001 }, { 0xe0020, 0xe007f }, { 0x10fffe, 0x10ffff },
};

/* Those of Cf that are easily forgotten. */
static const struct {
	uint32_t first, last;
} rare_formats[] = {
	{ 0x890, 0x891 },     { 0x8e2, 0x8e2 },     { 0x110bd, 0x110bd },
	{ 0x110cd, 0x110cd }, { 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 },
};

static void what_a_terminal_may_see(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(shown); i++)
		for (uint32_t code = shown[i].first; code <= shown[i].last; code++)
			CHECK(utf8_shown(code), "U+%04X", code);
	for (size_t i = 0; i < COUNT(not_shown); i++)
		for (uint32_t code = not_shown[i].first; code <= not_shown[i].last; code++)
			CHECK(!utf8_shown(code), "U+%04X", code);
}

static void rare_format_characters(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rare_formats); i++)
		for (uint32_t code = rare_formats[i].first; code <= rare_formats[i].last; code++)
			CHECK(!utf8_shown(code), "U+%04X", code);
}

static void widths(void **state)
{
	static const struct {
		uint32_t code;
		int width;
	} cases[] = {
		{ 'a', 1 },    { 0x2ff, 1 },  { 0x300, 0 },   { 0xe9, 1 },    { 0x301, 0 },
		{ 0x20d7, 0 }, { 0xfe0f, 0 }, { 0x1100, 2 },  { 0x303e, 2 },  { 0x303f, 1 },
		{ 0x3042, 2 }, { 0x4e2d, 2 }, { 0xac00, 2 },  { 0xff21, 2 },  { 0xff71, 1 },
		{ 0xffe0, 2 }, { 0x20ac, 1 }, { 0x1f600, 2 }, { 0x1f680, 2 }, { 0x20000, 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		CHECK(utf8_width(cases[i].code) == cases[i].width, "U+%04X", cases[i].code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_point),
		cmocka_unit_test(cut_characters),
		cmocka_unit_test(valid_prefixes),
		cmocka_unit_test(words_of_eight),
		cmocka_unit_test(cleaning),
		cmocka_unit_test(random_bytes_become_clean),
		cmocka_unit_test(what_a_terminal_may_see),
		cmocka_unit_test(rare_format_characters),
		cmocka_unit_test(widths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
