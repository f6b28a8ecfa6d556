#include "base/buf.h"

#include "unit.h"

static void empty(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	buf_add(&buf, NULL, 0);
	buf_adds(&buf, "");
	buf_addf(&buf, "%s", "");
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf_cstr(&buf), "");
	assert_int_equal(buf.len, 0);
	buf_done(&buf);
	assert_null(buf.data);
	assert_int_equal(buf.cap, 0);
	buf_done(&buf);
}

static void pieces(void **state)
{
	struct buf buf auto_buf = { 0 };

	(void)state;
	buf_adds(&buf, "a");
	buf_addc(&buf, '\0');
	buf_add(&buf, "bc\0d", 4);
	buf_addf(&buf, "%d%s", -7, "x");
	assert_int_equal(buf.len, 9);
	assert_memory_equal(buf.data, "a\0bc\0d-7x", 9);
	/* The NUL that makes it a C string is not part of it. */
	assert_ptr_equal(buf_cstr(&buf), buf.data);
	buf_addc(&buf, '!');
	assert_memory_equal(buf.data, "a\0bc\0d-7x!", 10);
}

static void unsigned_numbers(void **state)
{
	static const struct {
		uint64_t value;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ 9, "9" },
		{ 10, "10" },
		{ 9007199254740993ULL, "9007199254740993" },
		{ UINT64_MAX, "18446744073709551615" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf buf auto_buf = { 0 };

		buf_addu(&buf, cases[i].value);
		assert_string_equal(buf_cstr(&buf), cases[i].text);
	}
}

static void signed_numbers(void **state)
{
	static const struct {
		int64_t value;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ -1, "-1" },
		{ 42, "42" },
		{ INT64_MAX, "9223372036854775807" },
		{ INT64_MIN, "-9223372036854775808" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf buf auto_buf = { 0 };

		buf_addi(&buf, cases[i].value);
		assert_string_equal(buf_cstr(&buf), cases[i].text);
	}
}

/* Whatever fills the last free byte must not write behind it. */
static void every_size_at_the_border(void **state)
{
	(void)state;
	for (size_t fill = 250; fill < 260; fill++) {
		for (size_t more = 0; more < 10; more++) {
			struct buf buf auto_buf = { 0 };

			for (size_t i = 0; i < fill; i++)
				buf_addc(&buf, 'a');
			buf_addf(&buf, "%.*s", (int)more, "bbbbbbbbbb");
			assert_int_equal(buf.len, fill + more);
			assert_int_equal(strlen(buf_cstr(&buf)), fill + more);
			assert_true(buf.cap > buf.len);
		}
	}
}

static void grows(void **state)
{
	struct buf buf auto_buf = { 0 };
	char *room;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		buf_add(&buf, &i, sizeof(i));
	for (uint32_t i = 0; i < 100000; i++)
		assert_memory_equal(buf.data + i * sizeof(i), &i, sizeof(i));
	room = buf_reserve(&buf, 1 << 20);
	assert_ptr_equal(room, buf.data + buf.len);
	memset(room, 0xff, 1 << 20);
	assert_int_equal(buf.len, 400000);
	assert_true(buf.cap >= 400000 + (1 << 20));
}

static void long_format(void **state)
{
	struct buf buf auto_buf = { 0 };
	char *word = malloc(5001);

	(void)state;
	memset(word, 'w', 5000);
	word[5000] = '\0';
	buf_addf(&buf, "<%s>", word);
	assert_int_equal(buf.len, 5002);
	assert_int_equal(buf.data[0], '<');
	assert_int_equal(buf.data[5001], '>');
	assert_memory_equal(buf.data + 1, word, 5000);
	free(word);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(pieces),
		cmocka_unit_test(unsigned_numbers),
		cmocka_unit_test(signed_numbers),
		cmocka_unit_test(every_size_at_the_border),
		cmocka_unit_test(grows),
		cmocka_unit_test(long_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
