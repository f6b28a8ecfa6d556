#include "base/base64.h"

#include "unit.h"

/* RFC 4648, section 10, and the alphabet's ends. */
static const struct {
	const char *data;
	size_t len;
	const char *text;
} cases[] = {
	{ BYTES(""), "" },
	{ BYTES("f"), "Zg==" },
	{ BYTES("fo"), "Zm8=" },
	{ BYTES("foo"), "Zm9v" },
	{ BYTES("foob"), "Zm9vYg==" },
	{ BYTES("fooba"), "Zm9vYmE=" },
	{ BYTES("foobar"), "Zm9vYmFy" },
	{ BYTES("\0"), "AA==" },
	{ BYTES("\0\0\0"), "AAAA" },
	{ BYTES("\xff\xff\xff"), "////" },
	{ BYTES("\xfb\xef\xbe"), "++++" },
	{ BYTES("\xff\xfe"), "//4=" },
};

static void known_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf buf auto_buf = { 0 };

		base64_add(&buf, cases[i].data, cases[i].len);
		assert_string_equal(buf_cstr(&buf), cases[i].text);
		base64_add(&buf, cases[i].data, cases[i].len);
		assert_int_equal(buf.len, 2 * strlen(cases[i].text));
	}
}

static int value_of(char c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

static size_t decode(const char *text, size_t len, uint8_t *out)
{
	size_t n = 0;

	assert_int_equal(len % 4, 0);
	for (size_t i = 0; i < len; i += 4) {
		unsigned int word = 0, pads = 0;

		for (size_t j = 0; j < 4; j++) {
			int value = value_of(text[i + j]);

			pads += text[i + j] == '=';
			CHECK(value >= 0 || (text[i + j] == '=' && i + 4 == len && j >= 2),
			      "%c at %zu", text[i + j], i + j);
			word = word << 6 | (unsigned int)(value < 0 ? 0 : value);
		}
		for (unsigned int j = 0; j < 3 - pads; j++)
			out[n++] = (uint8_t)(word >> (16 - 8 * j));
	}
	return n;
}

static void every_length_decodes(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (size_t len = 0; len < 300; len++) {
		struct buf buf auto_buf = { 0 };
		uint8_t *data = malloc(len + 1), back[303];

		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)unit_random(&seed);
		base64_add(&buf, data, len);
		assert_int_equal(buf.len, (len + 2) / 3 * 4);
		assert_int_equal(decode(buf.data, buf.len, back), len);
		assert_memory_equal(back, data, len);
		free(data);
	}
}

/* In place, behind what the buffer holds already. */
static void decodes_what_was_added(void **state)
{
	uint64_t seed = 2;

	(void)state;
	for (size_t len = 0; len < 300; len++) {
		struct buf buf auto_buf = { 0 };
		uint8_t data[300];

		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)unit_random(&seed);
		buf_adds(&buf, "before");
		base64_add(&buf, data, len);
		assert_true(base64_decode(&buf, 6));
		assert_int_equal(buf.len, 6 + len);
		assert_memory_equal(buf.data, "before", 6);
		assert_memory_equal(buf.data + 6, data, len);
	}
}

static void refuses_what_is_none(void **state)
{
	static const char *const texts[] = { "a",
					     "ab",
					     "abc",
					     "abcde",
					     "ab*d",
					     "a b=",
					     "====",
					     "a===",
					     "=abc",
					     "ab=c",
					     ("\xff"
					      "abc") };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct buf buf auto_buf = { 0 };

		buf_adds(&buf, texts[i]);
		CHECK(!base64_decode(&buf, 0), "%s", texts[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_texts),
		cmocka_unit_test(every_length_decodes),
		cmocka_unit_test(decodes_what_was_added),
		cmocka_unit_test(refuses_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
