/* What is proposed for two runs that differ: rules that hide this and nothing more, or a reason. */
#include "golden/learn.h"

#include "base/own.h"
#include "runs.h"
#include "unit.h"

#define GET(path)       "GET " path " HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nUser-Agent: curl\r\n\r\n"
#define OK(...)         "HTTP/1.1 200 OK\r\nServer: s\r\n" __VA_ARGS__
#define NONE            OK("Content-Length: 0\r\n\r\n")
#define JSON(text, len) OK("Content-Type: application/json\r\nContent-Length: " len "\r\n\r\n" text)
#define TEXT(text, len) OK("Content-Type: text/plain\r\nContent-Length: " len "\r\n\r\n" text)

/* A connection of HTTP, or of what has no NUL. */
#define SAID(...)                                        \
	{                                                \
		.conns = { { .said = { __VA_ARGS__ } } } \
	}

#define REDIS_GET(key) "*2\r\n$3\r\nget\r\n$3\r\n" key "\r\n"
#define REDIS_PING     "*1\r\n$4\r\nPING\r\n"
#define PONG           "+PONG\r\n"

/* Postgres: a start, and queries of nine letters with rows of two columns. */
#define PG_START      "\0\0\0\x10\0\x03\0\0user\0u\0\0"
#define PG_STARTED    "R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"
#define PG_QUERY(sql) "Q\0\0\0\x0e" sql "\0"
#define PG_FIELD      "\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"
#define PG_ROW(a, b)  "D\0\0\0\x10\0\x02\0\0\0\x01" a "\0\0\0\x01" b
#define PG_ROWS(...)        \
	"T\0\0\0\x2e\0\x02" \
	"a\0" PG_FIELD "b\0" PG_FIELD __VA_ARGS__ "C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I"
#define PG(first, second)                                                                     \
	{                                                                                     \
		.conns = {                                                                    \
			{ .said = { PG_START, PG_STARTED, PG_QUERY("select $1"), first,       \
				    PG_QUERY("select ()"), second },                          \
			  .lens = { sizeof(PG_START) - 1, sizeof(PG_STARTED) - 1,             \
				    sizeof(PG_QUERY("select $1")) - 1, sizeof(first) - 1,     \
				    sizeof(PG_QUERY("select ()")) - 1, sizeof(second) - 1 } } \
		}                                                                             \
	}

static const struct {
	const char *what;
	struct run one, other;
	const char *learned; /* rules; then the runs are the same. Or "# " and what is told */
} rows[] = {
	{ "nothing", SAID(GET("/"), NONE), SAID(GET("/"), NONE), "" },
	{ "a header", SAID(GET("/a/b"), OK("X: 1\r\nContent-Length: 0\r\n\r\n")),
	  SAID(GET("/a/b"), OK("X: 2\r\nContent-Length: 0\r\n\r\n")),
	  "mask header x in GET localhost:80/a/b as number\n" },
	{ "items of an array", SAID(GET("/"), JSON("{\"i\":[{\"a\":1,\"b\":2},{\"a\":3}]}", "29")),
	  SAID(GET("/"), JSON("{\"i\":[{\"a\":2,\"b\":2},{\"a\":4}]}", "29")),
	  "mask json /i/*/a in GET localhost:80/ as number\n" },
	{ "numbers", SAID(GET("/"), JSON("{\"i\":[1,2]}", "11")),
	  SAID(GET("/"), JSON("{\"i\":[3,4]}", "11")),
	  "mask json /i/* in GET localhost:80/ as number\n" },
	{ "one of some numbers", SAID(GET("/"), JSON("{\"i\":[1,2]}", "11")),
	  SAID(GET("/"), JSON("{\"i\":[1,4]}", "11")),
	  "mask json /i/1 in GET localhost:80/ as number\n" },
	{ "a member named like a number", SAID(GET("/"), JSON("{\"0\":1,\"1\":2}", "13")),
	  SAID(GET("/"), JSON("{\"0\":1,\"1\":3}", "13")),
	  "mask json /1 in GET localhost:80/ as number\n" },
	{ "a member named *", SAID(GET("/"), JSON("{\"*\":1,\"1\":2}", "13")),
	  SAID(GET("/"), JSON("{\"*\":2,\"1\":2}", "13")),
	  "mask json /~* in GET localhost:80/ as number\n" },
	{ "a member with a blank", SAID(GET("/"), JSON("{\"a b\":1}", "9")),
	  SAID(GET("/"), JSON("{\"a b\":2}", "9")),
	  "mask json \"/a b\" in GET localhost:80/ as number\n" },
	{ "a column of one statement", PG(PG_ROWS(PG_ROW("1", "2")), PG_ROWS(PG_ROW("3", "4"))),
	  PG(PG_ROWS(PG_ROW("1", "2")), PG_ROWS(PG_ROW("3", "5"))),
	  "mask json /*/1 in \"Query select ()\" localhost:80\n" },
	{ "both columns", PG(PG_ROWS(PG_ROW("1", "2")), PG_ROWS(PG_ROW("3", "4"))),
	  PG(PG_ROWS(PG_ROW("7", "8")), PG_ROWS(PG_ROW("3", "4"))),
	  "mask json /*/0 in \"Query select $1\" localhost:80\n"
	  "mask json /*/1 in \"Query select $1\" localhost:80\n" },
	{ "JSON in Redis",
	  SAID(REDIS_GET("one"), "$8\r\n{\"a\":12}\r\n", REDIS_GET("two"), "$8\r\n{\"a\":34}\r\n"),
	  SAID(REDIS_GET("one"), "$8\r\n{\"a\":13}\r\n", REDIS_GET("two"), "$8\r\n{\"a\":34}\r\n"),
	  "mask json /a in \"get one\" localhost:80 as number\n" },
	{ "what is the same with another query",
	  SAID(GET("/?n=1"), JSON("{\"a\":1}", "7"), GET("/?n=2"), JSON("{\"a\":1}", "7")),
	  SAID(GET("/?n=1"), JSON("{\"a\":1}", "7"), GET("/?n=2"), JSON("{\"a\":2}", "7")),
	  "mask json /a in \"GET /?n=2\" localhost:80 as number\n" },
	{ "what is the same in the question",
	  SAID("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
	       JSON("{\"a\":1}", "7")),
	  SAID("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
	       JSON("{\"a\":2}", "7")),
	  "# POST / (localhost): a rule for it would also hide what is the same in all runs "
	  "('/a')\n" },
	{ "a member whose name is masked",
	  SAID(GET("/"), JSON("{\"8c5ec4a7-6a43-4fb8-9b51-0d4e1ba6fd01\":1}", "42")),
	  SAID(GET("/"), JSON("{\"8c5ec4a7-6a43-4fb8-9b51-0d4e1ba6fd01\":2}", "42")),
	  "# GET / (localhost): a name in it is masked itself\n" },
	{ "a parameter", SAID(GET("/q?a=1&nonce=x1&b=2"), NONE),
	  SAID(GET("/q?a=1&nonce=y2&b=2"), NONE), "mask query nonce in GET localhost:80/q\n" },
	{ "a step", SAID(GET("/u/abc/items"), OK("X: 1\r\nContent-Length: 0\r\n\r\n")),
	  SAID(GET("/u/xyz/items"), OK("X: 2\r\nContent-Length: 0\r\n\r\n")),
	  "mask path /u/{id}/items in GET localhost:80\n"
	  "mask header x in GET localhost:80/u/*/items as number\n" },
	{ "a step beside one that stays",
	  SAID(GET("/u/abc"), NONE, GET("/u/me"), NONE, GET("/"), NONE),
	  SAID(GET("/u/xyz"), NONE, GET("/u/me"), NONE, GET("/"), NONE),
	  "# GET /u/abc (localhost): a rule for it would also hide what is the same in all "
	  "runs\n" },
	{ "a time in the path",
	  SAID(GET("/2026-01-02T03:04:05Z/a"), OK("X: 1\r\nContent-Length: 0\r\n\r\n")),
	  SAID(GET("/2026-01-02T03:04:06Z/a"), OK("X: 2\r\nContent-Length: 0\r\n\r\n")),
	  "mask header x in GET localhost:80/*/a as number\n" },
	{ "two steps", SAID(GET("/a/b/c"), NONE), SAID(GET("/x/y/c"), NONE),
	  "# GET /a/b/c (localhost): its address differs in more than one step\n" },
	{ "more items", SAID(GET("/"), JSON("{\"i\":[1,2]}", "11")),
	  SAID(GET("/"), JSON("{\"i\":[3,2,2]}", "13")),
	  "# GET / (localhost): JSON has other members, or more or fewer items, in each run: only "
	  "a rule for all of it would help ('/i')\n" },
	{ "text", SAID(GET("/"), TEXT("one\nbuild 17a rest\n", "19")),
	  SAID(GET("/"), TEXT("one\nbuild 17b rest\n", "19")),
	  "# GET / (localhost): a line of text differs: mask text /…/ for what it is ('17a')\n" },
	{ "bytes", SAID(GET("/"), TEXT("\x01\x02", "2")), SAID(GET("/"), TEXT("\x01\x03", "2")),
	  "# GET / (localhost): a body that is no text, or a long one, differs: --level requests "
	  "leaves bodies out, ignore exchange … all of it\n" },
	{ "a poll", SAID(GET("/"), NONE, GET("/"), NONE, GET("/a"), NONE),
	  SAID(GET("/"), NONE, GET("/a"), NONE), "count any GET localhost:80/\n" },
	{ "an answer that comes later",
	  SAID(REDIS_PING, PONG, REDIS_GET("abc"), "+a\r\n", REDIS_PING, PONG),
	  SAID(REDIS_PING, PONG, REDIS_GET("abc"), "+a\r\n"),
	  "# PING (localhost): in every run, but not as often, or not in the same place: count any "
	  "is for it where order does not matter, see order any\n" },
	{ "once", SAID(GET("/"), NONE), SAID(GET("/"), NONE, GET("/luck"), NONE),
	  "# GET /luck (localhost): not in every run\n" },
};

static char *learned_text(const struct run *one, const struct run *other, const char *before)
{
	struct run runs[2] = { *one, *other };
	struct rules rules[2] = { 0 };
	struct model *models[2];
	struct learned learned;
	struct buf text auto_buf = { 0 };

	for (int i = 0; i < 2; i++) {
		runs[i].explain = true;
		models[i] = run_model(&runs[i], before, LEVEL_FULL, &rules[i]);
	}
	learn(&learned, models, 2);
	for (size_t i = 0; i < learned.count; i++)
		buf_addf(&text, "%s%s\n", learned.items[i].rule ? "" : "# ",
			 learned.items[i].rule ? learned.items[i].rule : learned.items[i].what);
	learned_done(&learned);
	for (int i = 0; i < 2; i++) {
		model_free(models[i]);
		rules_done(&rules[i]);
	}
	return own_strdup(buf_cstr(&text));
}

static void test_learn(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text auto_free = learned_text(&rows[i].one, &rows[i].other, ""), *one, *other;

		CHECK(!strcmp(text, rows[i].learned), "%s:\n%sand not\n%s", rows[i].what, text,
		      rows[i].learned);
		if (*text == '#')
			continue;
		one = run_golden(&rows[i].one, text, LEVEL_FULL);
		other = run_golden(&rows[i].other, text, LEVEL_FULL);
		CHECK(strstr(text, "count any") || !strcmp(one, other),
		      "%s: with %sthey are\n%s\n%s", rows[i].what, text, one, other);
		free(one);
		free(other);
	}
}

/* Where order does not matter, how often something is said may differ. */
static void test_pool(void **state)
{
	static const struct run twice = SAID(REDIS_PING, PONG, REDIS_GET("abc"), "+a\r\n",
					     REDIS_PING, PONG, REDIS_GET("abc"), "+a\r\n");
	static const struct run once = SAID(REDIS_PING, PONG, REDIS_GET("abc"), "+a\r\n");
	const char *order = "order any localhost\n";
	char *fewer auto_free = learned_text(&twice, &once, order);
	char *more auto_free = learned_text(&once, &twice, order);
	char *rules auto_free = own_printf("%s%s", order, more);
	char *one auto_free = run_golden(&once, rules, LEVEL_FULL);
	char *other auto_free = run_golden(&twice, rules, LEVEL_FULL);

	(void)state;
	assert_string_equal(fewer, "count any PING localhost:80\n"
				   "count any \"get abc\" localhost:80\n");
	assert_string_equal(more, fewer);
	assert_string_equal(one, other);
}

/* A question over TCP and its answer, each with its length in front: RFC 1035, 4.2.2. */
#define DNS(id, flags, name) "\0\x13\0" id flags "\0\1\0\0\0\0\0\0\1" name "\0\0\1\0\1"
#define ASKED(id, name)      DNS(id, "\1\0", name), DNS(id, "\x81\x80", name)
#define DNS_SIZE             (sizeof(DNS("\1", "\1\0", "a")) - 1)
#define DNS_SIZES            DNS_SIZE, DNS_SIZE

/* Of a name server nothing but the question tells one exchange from another. */
static void test_questions(void **state)
{
	static const struct run twice = {
		.conns = { { .remote = "127.0.0.1:53",
			     .said = { ASKED("\1", "a"), ASKED("\2", "b"), ASKED("\3", "b") },
			     .lens = { DNS_SIZES, DNS_SIZES, DNS_SIZES } } }
	};
	static const struct run once = { .conns = {
						 { .remote = "127.0.0.1:53",
						   .said = { ASKED("\1", "a"), ASKED("\2", "b") },
						   .lens = { DNS_SIZES, DNS_SIZES } } } };
	char *rules auto_free = learned_text(&twice, &once, "");
	char *one auto_free = run_golden(&once, rules, LEVEL_FULL);
	char *other auto_free = run_golden(&twice, rules, LEVEL_FULL);

	(void)state;
	assert_string_equal(rules, "count any \"QUERY b A\" resolver\n");
	assert_string_equal(one, other);
}

/* JSON that is too long to be shown has names, too. */
static void test_long(void **state)
{
	struct run runs[2] = { SAID(GET("/")), SAID(GET("/")) };
	struct buf texts[2] = { 0 };
	char *learned;

	(void)state;
	for (int i = 0; i < 2; i++) {
		buf_adds(&texts[i], OK("Content-Length: 80012\r\n\r\n{\"a\":"));
		buf_addf(&texts[i], "%d,\"b\":\"", i);
		for (int j = 0; j < 80000 - 2; j++)
			buf_addc(&texts[i], 'b');
		buf_adds(&texts[i], "\"}");
		runs[i].conns[0].said[1] = buf_cstr(&texts[i]);
	}
	learned = learned_text(&runs[0], &runs[1], "");
	assert_string_equal(learned, "mask json /a in GET localhost:80/ as number\n");
	free(learned);
	buf_done(&texts[0]);
	buf_done(&texts[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learn),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
