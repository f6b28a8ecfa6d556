#include "view/phrase.h"

#include "unit.h"

static void sizes_and_times(void **state)
{
	static const struct {
		void (*add)(struct buf *buf, uint64_t value);
		uint64_t value;
		const char *text;
	} cases[] = {
		{ phrase_add_size, 0, "0 B" },
		{ phrase_add_size, 9999, "9999 B" },
		{ phrase_add_size, 10000, "10.0 kB" },
		{ phrase_add_size, 999949, "999.9 kB" },
		{ phrase_add_size, 999950, "1.0 MB" },
		{ phrase_add_size, UINT64_MAX, "18.4 EB" },
		{ phrase_add_time, 0, "0 us" },
		{ phrase_add_time, 999999, "999 us" },
		{ phrase_add_time, 1000000, "1.0 ms" },
		{ phrase_add_time, 100000000, "100 ms" },
		{ phrase_add_time, 12300000000, "12.3 s" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf buf = { 0 };

		cases[i].add(&buf, cases[i].value);
		CHECK(!strcmp(buf_cstr(&buf), cases[i].text), "%s", buf_cstr(&buf));
		buf_done(&buf);
	}
}

static void values_are_one_clean_line(void **state)
{
	static const struct {
		const char *in;
		size_t max;
		const char *out;
	} cases[] = {
		{ "plain", 10, "plain" },
		{ "  SELECT *\n\tFROM t  ", 100, "SELECT * FROM t" },
		{ "\x1b[31mred", 100, "\\e[31mred" },
		{ "a\\b", 100, "a\\\\b" },
		{ "0123456789abc", 10, "0123456789…" },
		/* A character is not cut in two. */
		{ "12345678ü0", 9, "12345678…" },
		{ "\xff\xfe", 10, "\\xff\\xfe" },
		{ " \n ", 10, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf buf = { 0 };

		phrase_add_value(&buf, span_text(cases[i].in), cases[i].max);
		CHECK(!strcmp(buf_cstr(&buf), cases[i].out), "%zu: %s", i, buf_cstr(&buf));
		buf_done(&buf);
	}
}

static void no_protocol_is_left_out(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < PROTOCOLS; i++) {
		struct message *request =
			message_new((enum protocol)i, MESSAGE_REQUEST, DIR_OUT, 1000);
		struct message *response =
			message_new((enum protocol)i, MESSAGE_RESPONSE, DIR_IN, 0);
		struct exchange *exchange = exchange_new((enum protocol)i);
		struct buf buf = { 0 };

		assert_non_null(phrase_protocols[i]);
		phrase_message(&buf, request);
		phrase_message(&buf, response);
		phrase_result(&buf, exchange);
		CHECK(phrase_is_failure(exchange), "%u", i);
		exchange->request = request;
		exchange->response = response;
		phrase_result(&buf, exchange);
		CHECK(!phrase_is_failure(exchange), "%u", i);
		exchange_unref(exchange);
		buf_done(&buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_and_times),
		cmocka_unit_test(values_are_one_clean_line),
		cmocka_unit_test(no_protocol_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
