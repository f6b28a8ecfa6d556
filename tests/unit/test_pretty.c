#include "view/pretty.h"

#include "unit.h"

static void json_is_indented(void **state)
{
	static const struct {
		const char *in, *out; /* NULL: it is no JSON, and nothing is added */
	} cases[] = {
		{ "{}", "{}" },
		{ " [ ] \n", "[]" },
		{ "{\"a\":1}", "{\n  \"a\": 1\n}" },
		{ "[1,[2,{}],\"x\"]", "[\n  1,\n  [\n    2,\n    {}\n  ],\n  \"x\"\n]" },
		/* What other readers would change stays: numbers, twins, escapes, brackets in strings. */
		{ "{\"a\":1.10,\"a\":12345678901234567890}",
		  "{\n  \"a\": 1.10,\n  \"a\": 12345678901234567890\n}" },
		{ "[\"\\\"]}\\\\\",true,null,-1e5]",
		  "[\n  \"\\\"]}\\\\\",\n  true,\n  null,\n  -1e5\n]" },
		{ "", NULL },
		{ "1", NULL },
		{ "\"text\"", NULL },
		{ "{", NULL },
		{ "[1", NULL },
		{ "[1}", NULL },
		{ "[1] [2]", NULL },
		{ "{\"a", NULL },
		{ "{\"a\\", NULL },
		{ "[hello]", NULL },
		{ "[1]x", NULL },
		{ "<html>", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf buf = { 0 };
		bool good;

		buf_adds(&buf, "before ");
		good = pretty_json(&buf, span_text(cases[i].in));
		CHECK(good == !!cases[i].out, "%s", cases[i].in);
		CHECK(!strcmp(buf_cstr(&buf) + 7, cases[i].out ? cases[i].out : ""), "%s: %s",
		      cases[i].in, buf_cstr(&buf));
		buf_done(&buf);
	}
}

static void depth_is_bounded(void **state)
{
	char text[2001];

	(void)state;
	for (size_t depth = 1; depth <= 1000; depth++) {
		struct buf buf = { 0 };

		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		CHECK(pretty_json(&buf, span_of(text, 2 * depth)) == (depth <= 64), "%zu", depth);
		buf_done(&buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_indented),
		cmocka_unit_test(depth_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
