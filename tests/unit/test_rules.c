/* Every built-in rule has two runs that are the same with it, and differ without. */
#include "base/own.h"
#include "runs.h"
#include "unit.h"

#define GET             "GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK(...)         "HTTP/1.1 200 OK\r\n" __VA_ARGS__
#define JSON(text, len) OK("Content-Type: application/json\r\nContent-Length: " len "\r\n\r\n" text)
#define NONE            "Content-Length: 0\r\n\r\n"

/* A run of one exchange with that answer, or that request. */
#define ANSWER(response)                                   \
	{                                                  \
		.conns = { { .said = { GET, response } } } \
	}
#define REQUEST(head)                                                                              \
	{                                                                                          \
		.conns = {                                                                         \
			{ .said = { "GET /x HTTP/1.1\r\nHost: h\r\n" head "\r\n\r\n", OK(NONE) } } \
		}                                                                                  \
	}

/* "example.com A" and an answer to it: its address ends with that byte. */
#define DNS_ASK                                  \
	"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x07" \
	"example\x03"                            \
	"com\0\0\x01\0\x01"
#define DNS_ANSWER(byte)                           \
	"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0\x07" \
	"example\x03"                              \
	"com\0\0\x01\0\x01"                        \
	"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02" byte
#define DNS(server, byte)                                                                \
	{                                                                                \
		.conns = {                                                               \
			{ .said = { DNS_ASK, DNS_ANSWER(byte) },                         \
			  .lens = { sizeof(DNS_ASK) - 1, sizeof(DNS_ANSWER(byte)) - 1 }, \
			  .remote = server,                                              \
			  .udp = true }                                                  \
		}                                                                        \
	}

#define PART(boundary)                                                                          \
	OK("Content-Type: multipart/mixed; boundary=" boundary "\r\nContent-Length: 31\r\n\r\n" \
	   "--" boundary "\r\n\r\nhello\r\n--" boundary "--\r\n")

struct row {
	enum builtin rule;
	struct run one, other;
};

static const struct row rows[] = {
	{ BUILTIN_PIDS,
	  ANSWER(OK(NONE)),
	  { .conns = { { .said = { GET, OK(NONE) }, .pid = 7 } } } },
	{ BUILTIN_DESCRIPTORS,
	  ANSWER(OK(NONE)),
	  { .conns = { { .said = { GET, OK(NONE) }, .fd = 9 } } } },
	{ BUILTIN_TIMES,
	  ANSWER(OK(NONE)),
	  { .conns = { { .said = { GET, OK(NONE) }, .start = 1710000000000000000ULL } } } },
	{ BUILTIN_CHUNKING,
	  ANSWER(OK(NONE)),
	  { .conns = { { .said = { GET, OK(NONE) }, .chunk = 7 } } } },
	{ BUILTIN_ORDER,
	  { .conns = { { .said = { GET, OK(NONE) } }, { .said = { GET, OK("A: b\r\n" NONE) } } } },
	  { .conns = { { .said = { GET, OK("A: b\r\n" NONE) } },
		       { .said = { GET, OK(NONE) } } } } },
	{ BUILTIN_PORTS,
	  { .conns = { { .said = { "GET / HTTP/1.1\r\nHost: l:40001\r\n\r\n", OK(NONE) },
			 .remote = "127.0.0.1:40001" } } },
	  { .conns = { { .said = { "GET / HTTP/1.1\r\nHost: l:40002\r\n\r\n", OK(NONE) },
			 .remote = "127.0.0.1:40002" } } } },
	{ BUILTIN_RESOLVER, DNS("10.0.0.1:53", "\x01"), DNS("10.0.0.2:53", "\x01") },
	{ BUILTIN_DNS_ANSWERS, DNS("10.0.0.1:53", "\x01"), DNS("10.0.0.1:53", "\x02") },
	{ BUILTIN_DATE_HEADERS, ANSWER(OK("Age: 1\r\n" NONE)), ANSWER(OK("Age: 2\r\n" NONE)) },
	{ BUILTIN_SERVER_HEADERS, ANSWER(OK("Server: a/1\r\n" NONE)),
	  ANSWER(OK("Server: a/2\r\n" NONE)) },
	{ BUILTIN_ETAG_HEADERS, ANSWER(OK("ETag: \"1\"\r\n" NONE)),
	  ANSWER(OK("ETag: \"2\"\r\n" NONE)) },
	{ BUILTIN_REQUEST_ID_HEADERS, ANSWER(OK("X-Request-Id: a\r\n" NONE)),
	  ANSWER(OK("X-Request-Id: b\r\n" NONE)) },
	{ BUILTIN_WEBSOCKET_HEADERS, REQUEST("Sec-WebSocket-Key: aaaa=="),
	  REQUEST("Sec-WebSocket-Key: bbbb==") },
	{ BUILTIN_AGENT_VERSIONS, REQUEST("User-Agent: curl/7.88.1"),
	  REQUEST("User-Agent: curl/8.1") },
	{ BUILTIN_CONTENT_LENGTH, ANSWER(JSON("{}", "2")), ANSWER(JSON("{ }", "3")) },
	{ BUILTIN_BOUNDARY, ANSWER(PART("abcdef")), ANSWER(PART("ghijkl")) },
	{ BUILTIN_TIME_RFC3339, ANSWER(JSON("{\"t\":\"2026-01-02T03:04:05Z\"}", "28")),
	  ANSWER(JSON("{\"t\":\"2026-01-02T03:04:06Z\"}", "28")) },
	{ BUILTIN_TIME_HTTP, ANSWER(OK("X-At: Fri, 02 Jan 2026 03:04:05 GMT\r\n" NONE)),
	  ANSWER(OK("X-At: Fri, 02 Jan 2026 03:04:06 GMT\r\n" NONE)) },
	{ BUILTIN_TIME_LOG, ANSWER(OK("X-At: [02/Jan/2026:03:04:05 +0000]\r\n" NONE)),
	  ANSWER(OK("X-At: [02/Jan/2026:03:04:06 +0000]\r\n" NONE)) },
	{ BUILTIN_TIME_UNIX, ANSWER(JSON("{\"t\":1767322800}", "16")),
	  ANSWER(JSON("{\"t\":1767322801}", "16")) },
	{ BUILTIN_TIME_DAY,
	  { .conns = { { .said = { GET, OK("X-At: 2023-11-14\r\n" NONE) } } } },
	  { .conns = { { .said = { GET, OK("X-At: 2024-03-09\r\n" NONE) },
			 .start = 1710000000000000000ULL } } } },
	{ BUILTIN_UUID, ANSWER(OK("X-A: 8c5ec4a7-6a43-4fb8-9b51-0d4e1ba6fd01\r\n" NONE)),
	  ANSWER(OK("X-A: 9c5ec4a7-6a43-4fb8-9b51-0d4e1ba6fd01\r\n" NONE)) },
	{ BUILTIN_ULID, ANSWER(OK("X-A: 01ARZ3NDEKTSV4RRFFQ69G5FAV\r\n" NONE)),
	  ANSWER(OK("X-A: 01ARZ3NDEKTSV4RRFFQ69G5FAW\r\n" NONE)) },
	{ BUILTIN_JWT, ANSWER(OK("X-A: eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln\r\n" NONE)),
	  ANSWER(OK("X-A: eyJhbGciOiJub25lIn0.eyJhIjoyfQ.c2ln\r\n" NONE)) },
	{ BUILTIN_SIGNATURE,
	  ANSWER(OK("X-A: a, Signature=0123456789abcdef0123456789abcdef\r\n" NONE)),
	  ANSWER(OK("X-A: a, Signature=1123456789abcdef0123456789abcdef\r\n" NONE)) },
	{ BUILTIN_SECRET_HEADERS, REQUEST("Cookie: a=b"), REQUEST("Cookie: a=c") },
	{ BUILTIN_SECRET_NAMES, ANSWER(JSON("{\"password\":\"a\"}", "16")),
	  ANSWER(JSON("{\"password\":\"b\"}", "16")) },
	{ BUILTIN_SECRET_SHAPES, ANSWER(OK("X-A: AKIAIOSFODNN7EXAMPL1\r\n" NONE)),
	  ANSWER(OK("X-A: AKIAIOSFODNN7EXAMPL2\r\n" NONE)) },
	{ BUILTIN_SECRET_COMMANDS,
	  { .conns = { { .said = { "*2\r\n$4\r\nAUTH\r\n$3\r\nabc\r\n", "+OK\r\n" } } } },
	  { .conns = { { .said = { "*2\r\n$4\r\nAUTH\r\n$3\r\nabd\r\n", "+OK\r\n" } } } } },
	{ BUILTIN_SECRET_ENVIRONMENT,
	  { .conns = { { .said = { GET, OK("X-A: hunter22\r\n" NONE) } } },
	    .environment = { "MY_TOKEN=hunter22" } },
	  { .conns = { { .said = { GET, OK("X-A: hunter33\r\n" NONE) } } },
	    .environment = { "MY_TOKEN=hunter33" } } },
};

static void test_builtin(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *name = builtin_rows[rows[i].rule].name;
		char *without auto_free = own_printf("keep builtin %s\n", name);
		char *one auto_free = run_golden(&rows[i].one, "", LEVEL_FULL);
		char *other auto_free = run_golden(&rows[i].other, "", LEVEL_FULL);
		char *kept_one auto_free = run_golden(&rows[i].one, without, LEVEL_FULL);
		char *kept_other auto_free = run_golden(&rows[i].other, without, LEVEL_FULL);

		CHECK(!strcmp(one, other), "%s: with the rule they are\n%s\n%s", name, one, other);
		CHECK(strcmp(kept_one, kept_other), "%s: without the rule both are\n%s", name,
		      kept_one);
	}
}

static void test_all_are_tested(void **state)
{
	bool tested[BUILTINS] = { false };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		tested[rows[i].rule] = true;
	for (int i = 0; i < BUILTINS; i++)
		CHECK(tested[i], "the rule %s has no test", builtin_rows[i].name);
}

/* Times, and dates of the run's days (it is 2023-11-14), in a header. */
static const struct {
	const char *value, *golden;
} times[] = {
	{ "2026-01-02T03:04:05.678Z a", "<time> a" },
	{ "2026-01-02 03:04:05 +0000 UTC m=+0.012345678", "<time>" },
	{ "20260102T030405Z", "<time>" },
	{ "2026-01-02 03:04 a", "<time> a" },
	{ "2026-01-02T03:04Z", "<time>" },
	{ "[02/Jan/2026:03:04:05 +0000]", "[<time>]" },
	{ "02-Jan-2026 03:04", "<time>" },
	{ "Jan  2 03:04:05 host", "<time> host" },
	{ "Fox 12 03:04:05 host", "Fox 12 03:04:05 host" },
	{ "Fri Jan  2 03:04:05 2026", "<time>" },
	{ "Fri Jan  2 03:04:05 UTC 2026", "<time>" },
	{ "Fri Jan 02 2026 03:04:05 GMT+0000 (Coordinated Universal Time)",
	  "<time> (Coordinated Universal Time)" },
	{ "1767322800", "<time>" },
	{ "2023-11-14", "<date>" },
	{ "2023-11-13", "<date>" },
	{ "2023-11-15", "<date>" },
	{ "2023-11-12", "2023-11-12" },
	{ "2022-11-14", "2022-11-14" },
	{ "a/2023/11/14/b", "a/<date>/b" },
	{ "log-20231114.gz", "log-<date>.gz" },
	{ "v20231114", "v20231114" },
	{ "202311140", "202311140" },
	{ "20231114/us-east-1/s3", "<date>/us-east-1/s3" },
	{ "14.11.2023", "<date>" },
	{ "14/11/2023", "<date>" },
	{ "11/14/2023", "<date>" },
	{ "14 Nov 2023", "<date>" },
	{ "14-Nov-2023", "<date>" },
	{ "Nov 14, 2023", "<date>" },
	{ "November 14, 2023", "<date>" },
	{ "Tuesday, November 14, 2023", "<date>" },
	{ "Tue Nov 14 2023", "<date>" },
	{ "Tue, 14 Nov 2023", "<date>" },
	{ "Nov 32, 2023", "Nov 32, 2023" },
	{ "2023-13-14", "2023-13-14" },
	{ "2023.11.14", "<date>" },
};

static void test_times(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		char *answer auto_free = own_printf(
			"HTTP/1.1 200 OK\r\nX-At: %s\r\nContent-Length: 0\r\n\r\n", times[i].value);
		struct run run = { .conns = { { .said = { GET, answer } } } };
		char *golden auto_free = run_golden(&run, "", LEVEL_FULL);
		char *line auto_free = own_printf("x-at: %s\n", times[i].golden);

		CHECK(strstr(golden, line), "%s is\n%s", times[i].value, golden);
	}
}

/* Rules of a file, by what they leave of one exchange. */
static const struct {
	const char *rules, *there, *gone;
} own[] = {
	{ "", "x-a: one", NULL },
	{ "mask header x-a", "x-a: <masked#1>", "one" },
	{ "mask header x-a as build", "x-a: <build#1>", "one" },
	{ "keep header x-a\nmask header x-a", "x-a: one", "masked" },
	{ "mask header x-a in POST *", "x-a: one", "masked" },
	{ "mask header x-a in GET localhost/v1/**", "x-a: <masked#1>", "one" },
	{ "mask header x-a in GET localhost:80/v1/*/c", "x-a: <masked#1>", "one" },
	{ "mask header x-a in GET localhost:81/v1/*/c", "x-a: one", "masked" },
	{ "mask json /items/*/id", "\"id\": <masked#2>", "\"id\": 2" },
	{ "mask json /items/0/id", "\"id\": 2", "\"id\": 1," },
	{ "mask json /item", "\"id\": 1", "masked" },
	{ "mask json /items", "\"items\": <masked#1>", "\"id\"" },
	{ "mask query n", "GET /v1/b/c?n=<masked#1>&m=4", "n=3" },
	{ "mask path /v1/{x}/c as word", "GET /v1/<word#1>/c?n=3", "/b/" },
	{ "mask text /te[a-z]t/ as word", "some <word#1> here", "text" },
	{ "mask text /te[a-z]t/ in POST *", "some text here", "word" },
	{ "ignore exchange GET localhost/v1/*/c", "peer localhost:80", "exchange" },
	{ "ignore peer localhost:80", "ended", "peer" },
	{ "order any localhost", "any order", "connection" },
	{ "order strict *", "strict order", "any" },
	{ "count any GET *", "times any", NULL },
	{ "keep builtin date-headers", "date: today", "date: *" },
	{ "# a comment\n\n\tmask header x-a\r\n", "x-a: <masked#1>", "one" },
	{ "mask header x-a in get localhost", "x-a: <masked#1>", "one" },
	{ "mask header x-a in h as word", "x-a: one", "<word" },
	{ "mask header x-a in \"GET /v1/b/c?n=3&m=4\" *", "x-a: <masked#1>", "one" },
	{ "mask header x-a in \"GET /v1/*&m=4\" * as word", "x-a: <word#1>", "one" },
	{ "mask header x-a in \"GET /v1/b/c?n=4&m=4\" *", "x-a: one", "masked" },
	{ "mask json \"/two names\"", "\"two names\": <masked#1>", "names\": 7" },
	{ "mask json \"/two \\\"\\\\\"\nmask json /b as word", "\"b\": <word#1>", "<masked" },
	{ "mask json /~*", "\"*\": <masked#1>", "<masked#2>" },
};

static void test_own(void **state)
{
	static const struct run run = {
		.conns = { { .said = { "GET /v1/b/c?n=3&m=4 HTTP/1.1\r\nHost: h\r\n\r\n",
				       OK("X-A: one\r\nX-B: some text here\r\nDate: today\r\n"
					  "Content-Length: 61\r\n\r\n"
					  "{\"items\":[{\"id\":1,\"a\":0},{\"id\":2}],\"b\":"
					  "0,\"two names\":7,\"*\":8}") } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(own); i++) {
		char *text auto_free = run_golden(&run, own[i].rules, LEVEL_FULL);

		CHECK(strstr(text, own[i].there), "'%s': no '%s' in\n%s", own[i].rules,
		      own[i].there, text);
		CHECK(!own[i].gone || !strstr(text, own[i].gone), "'%s': '%s' in\n%s", own[i].rules,
		      own[i].gone, text);
	}
}

/* Places in what is not HTTP, by what they leave of two commands. */
static const struct {
	const char *rules, *there, *gone;
} commands[] = {
	{ "mask json /id", "\"id\": <masked#2>", ": 5" },
	{ "mask json /id in get *", "\"id\": <masked#2>", ": 5" },
	{ "mask json /id in GET localhost:80", "\"id\": <masked#1>", ": 4" },
	{ "mask json /id in \"get two\" localhost", "\"id\": 4", ": 5" },
	{ "mask json /id in \"get t*\" localhost as number", "\"id\": <number#1>", ": 5" },
	{ "mask json /id in \"get\" localhost", "\"id\": 5", "masked" },
	{ "count any Get localhost", "times any", NULL },
	{ "count any set localhost", "exchange", "times" },
};

static void test_commands(void **state)
{
	static const struct run run = {
		.conns = { { .said = { "*2\r\n$3\r\nget\r\n$3\r\none\r\n", "$8\r\n{\"id\":4}\r\n",
				       "*2\r\n$3\r\nget\r\n$3\r\ntwo\r\n",
				       "$8\r\n{\"id\":5}\r\n" } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(commands); i++) {
		char *text auto_free = run_golden(&run, commands[i].rules, LEVEL_FULL);

		CHECK(strstr(text, commands[i].there), "'%s': no '%s' in\n%s", commands[i].rules,
		      commands[i].there, text);
		CHECK(!commands[i].gone || !strstr(text, commands[i].gone), "'%s': '%s' in\n%s",
		      commands[i].rules, commands[i].gone, text);
	}
}

/* A rule is told as it is written. */
static void test_text(void **state)
{
	static const char *const texts[] = {
		"mask json \"/two \\\"words\\\"\" in \"Query select * from a\" db:5432 as id",
		"mask json /~*/a in GET localhost/x",
		"count any Startup localhost",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct rules rules = { 0 };
		struct rules_error error;
		struct buf text auto_buf = { 0 };

		CHECK(rules_parse(&rules, span_text(texts[i]), &error), "'%s': %s", texts[i],
		      error.text);
		rule_add_text(&text, &rules.items[0]);
		assert_string_equal(buf_cstr(&text), texts[i]);
		rules_done(&rules);
	}
}

static const struct {
	const char *rules;
	unsigned int line, column;
} wrong[] = {
	{ "mash header a", 1, 1 },
	{ "\n  mask heder a", 2, 8 },
	{ "mask header", 1, 12 },
	{ "mask header X-Build", 1, 13 },
	{ "mask json a/b", 1, 11 },
	{ "mask path /a/b", 1, 11 },
	{ "mask text abc", 1, 11 },
	{ "mask text /abc", 1, 11 },
	{ "mask text /a(b/", 1, 12 },
	{ "mask text /a*/", 1, 12 },
	{ "mask header a in", 1, 17 },
	{ "mask header a in GET /x", 1, 22 },
	{ "mask header a as Type", 1, 18 },
	{ "mask header a of b", 1, 15 },
	{ "keep builtin nonsense", 1, 14 },
	{ "mask builtin uuid", 1, 6 },
	{ "keep text /a/", 1, 6 },
	{ "ignore all", 1, 8 },
	{ "ignore peer GET a", 1, 17 },
	{ "order some a", 1, 7 },
	{ "count 3 a", 1, 7 },
	{ "builtin 3", 1, 9 },
	{ "mask json \"/a b", 1, 11 },
	{ "mask json \"a b\"", 1, 11 },
	{ "mask json \"/a b\"c", 1, 17 },
	{ "mask json /a in \"\" *", 1, 17 },
	{ "mask json /a in \"Query select 1\"", 1, 33 },
	{ "ignore peer \"Query\" a", 1, 21 },
	{ "builtin x", 1, 9 },
};

static void test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct rules rules = { 0 };
		struct rules_error error;

		CHECK(!rules_parse(&rules, span_text(wrong[i].rules), &error), "'%s' is taken",
		      wrong[i].rules);
		CHECK(error.line == wrong[i].line && error.column == wrong[i].column && *error.text,
		      "'%s': %u:%u %s", wrong[i].rules, error.line, error.column, error.text);
		rules_done(&rules);
	}
}

static void test_use(void **state)
{
	static const struct run run = ANSWER(OK("X-A: one\r\n" NONE));
	struct rules rules = { 0 };

	(void)state;
	model_free(run_model(&run, "mask header x-a\nmask header x-b\n", LEVEL_FULL, &rules));
	assert_int_equal(rules.items[0].hits, 1);
	assert_int_equal(rules.items[1].hits, 0);
	rules_done(&rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builtin),  cmocka_unit_test(test_all_are_tested),
		cmocka_unit_test(test_times),    cmocka_unit_test(test_own),
		cmocka_unit_test(test_wrong),    cmocka_unit_test(test_use),
		cmocka_unit_test(test_commands), cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
