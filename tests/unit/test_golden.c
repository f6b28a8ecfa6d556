/* Goldens: what they say, how they are read, and how a run is held against them. */
#include "golden/golden.h"

#include "base/own.h"
#include "golden/compare.h"
#include "golden/json_tree.h"
#include "golden/order.h"
#include "golden/report.h"
#include "golden/sha256.h"
#include "runs.h"
#include "unit.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define BODY(text, len) \
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " len "\r\n\r\n" text
#define UUID1 "8c5ec4a7-6a43-4fb8-9b51-0d4e1ba6fd01"
#define UUID2 "9c5ec4a7-6a43-4fb8-9b51-0d4e1ba6fd02"

#define HEAD "#iotrace-golden 1\nlevel full\nrules builtin 2\nended exit 0\n"

static char *body_of(const char *body, size_t len)
{
	char head[64];
	struct run run = { .conns = { { .said = { GET("/") } } } };
	struct buf text = { 0 };
	char *golden;

	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
	buf_adds(&text, head);
	buf_add(&text, body, len);
	run.conns[0].said[1] = text.data;
	run.conns[0].lens[1] = text.len;
	golden = run_golden(&run, "", LEVEL_FULL);
	buf_done(&text);
	return golden;
}

static const struct {
	const char *body, *golden;
} bodies[] = {
	{ "{\"b\":9007199254740993,\"a\":1.10,\"c\":123456789012345678901234567890}",
	  "  < |   \"a\": 1.10,\n  < |   \"b\": 9007199254740993,\n"
	  "  < |   \"c\": 123456789012345678901234567890\n" },
	{ "{\"a\":1,\"a\":2}", "  < |   \"a\": 1,\n  < |   \"a\": 2\n" },
	{ "[1E+2,-0.0,[],{}]", "  < |   1E+2,\n  < |   -0.0,\n  < |   [],\n  < |   {}\n" },
	{ "{\"a\":\"\\u00e9\\n\\\"\"}", "  < |   \"a\": \"é\\n\\\"\"\n" },
	{ "{\"a\":\"\\ud800\"}", "  < |   \"a\": \"\\\\ud800\"\n" },
	{ "{\"a\":01}", "  < |\\ {\"a\":01}\n" },
	{ "one\ntwo", "  < | one\n  < |\\ two\n" },
	{ "one\r\n", "  < | one\\r\n" },
	{ "a\\b <uuid#1> <b>", "  < |\\ a\\\\b \\<uuid#1> \\<b>\n" },
	{ "1 < 2", "  < |\\ 1 < 2\n" },
	{ "\x01\x02", "  < : 2 bytes sha256 "
		      "a12871fee210fb8619291eaea194581cbd2531e4b23759d225f6806923f63222\n"
		      "  < : 0000  01 02\n" },
	{ "\xff", "  < : 1 bytes sha256 " },
};

static void test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		char *golden auto_free = body_of(bodies[i].body, strlen(bodies[i].body));

		CHECK(strstr(golden, bodies[i].golden), "%s\nis\n%s", bodies[i].body, golden);
	}
}

/* With this content type, so much is there of a body's secrets, all of which begin with "Xx". */
static const struct {
	const char *type, *body, *there;
} secret_bodies[] = {
	{ "application/json", "{\"token\":{\"value\":\"Xx1\",\"n\":4711},\"a\":[5]}",
	  "\"n\": <secret#1>,\n  < |     \"value\": \"<secret#2>\"\n" },
	{ "application/json", "{\"credentials\":{},\"a\":\"b\"}", "\"a\": \"b\"" },
	{ "application/json", "{\"passwords\":[\"Xx1\",{\"a\":\"Xx2\"}],\"b\":[\"c\"]}", "\"c\"" },
	{ "application/json", "{\"secrets\":[\"Xx1\"],\"pass\\u0077ord\":\"Xx2\"}", "secret#2" },
	{ "application/json", "[\"requirepass\",\"Xx1\",\"port\",\"1\"]", "\"port\",\n" },
	{ "application/x-ndjson", "{\"password\":\"Xx1\"}\n{\"token\":[\"Xx2\"],\"a\":1}\n",
	  "  < | {\"password\":\"<secret#1>\"}\n  < | {\"token\":[\"<secret#2>\"],\"a\":1}\n" },
	{ "text/event-stream", "data: {\"token\":\"Xx1\"}\n\n",
	  "data: {\"token\":\"<secret#1>\"}" },
	{ "application/x-www-form-urlencoded", "pass%77ord=Xx1&next=http://h/?token=Xx2&b=c",
	  "next=http://h/?token=<secret#" },
	{ "multipart/form-data; boundary=b",
	  "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nXx1\r\nXx2\r\n--b\r\n"
	  "Content-Disposition: form-data; name=\"a\"\r\n\r\nplain\r\n--b--\r\n",
	  "\\r\n  < | <secret#1>\\r\n  < | --" },
};

static void test_secret_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(secret_bodies); i++) {
		char *said auto_free =
			own_printf("HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
				   "Content-Length: %zu\r\n\r\n%s",
				   secret_bodies[i].type, strlen(secret_bodies[i].body),
				   secret_bodies[i].body);
		struct run run = { .conns = { { .said = { GET("/"), said } } } };
		char *golden auto_free = run_golden(&run, "", LEVEL_FULL);

		CHECK(!strstr(golden, "Xx"), "a secret is in\n%s", golden);
		CHECK(strstr(golden, secret_bodies[i].there), "no '%s' in\n%s",
		      secret_bodies[i].there, golden);
	}
}

/* URLs in the values of headers, and what the user wants to be kept. */
static void test_secret_headers(void **state)
{
	static const struct run run = {
		.conns = { { .said = { "GET / HTTP/1.1\r\nHost: h\r\nX-Encryption-Key: Xx7\r\n"
				       "X-Service-Key: Xx8\r\nX-Token-Value: Xx9\r\n"
				       "X-Secret-Id: Xx10\r\nIdempotency-Key: a\r\n"
				       "Surrogate-Key: here\r\n"
				       "Referer: http://h/?a=b&token=Xx1\r\n\r\n",
				       "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
				       "Link: <http://h/?access_token=Xx2>; rel=next\r\n"
				       "Location: http://h/#access_token=Xx3&state=x\r\n"
				       "Content-Location: /a?sig=Xx4\r\n"
				       "Refresh: 5; url=/a?pass%77ord=Xx5\r\n\r\n" } } },
	};
	char *golden auto_free = run_golden(&run, "", LEVEL_FULL);
	char *kept auto_free = run_golden(&run, "keep builtin secret-names", LEVEL_FULL);

	(void)state;
	CHECK(!strstr(golden, "Xx"), "a secret is in\n%s", golden);
	assert_non_null(strstr(golden, "referer: http://h/?a=b&token=<secret#"));
	assert_non_null(strstr(golden, ">; rel=next\n"));
	assert_non_null(strstr(golden, "surrogate-key: here\n"));
	assert_non_null(strstr(golden, "idempotency-key: *\n"));
	assert_non_null(strstr(golden, ">&state=x\n"));
	assert_non_null(strstr(kept, "token=Xx1\n"));
}

/* What is no text is shown in hexadecimal: without what is known to be a secret, whatever that is now. */
static void test_secret_binary(void **state)
{
	static const struct run runs[] = {
		{ .conns = { { .said = { "\x30\x2a\x80\x08Xx345678\x01", "\x01\x02" } } },
		  .environment = { "MY_PASSWORD=Xx345678" } },
		{ .conns = { { .said = { "\x30\x2a\x80\x08Xx3456789\x01", "\x01\x02" } } },
		  .environment = { "MY_PASSWORD=Xx3456789" } },
		{ .conns = { { .said = { "GET / HTTP/1.1\r\nHost: h\r\nX-Api-Key: Xx345678\r\n\r\n",
					 "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n"
					 "\x01\x02\x03Xx345678\xff\xfe" } } } },
	};
	char *goldens[COUNT(runs)];

	(void)state;
	for (size_t i = 0; i < COUNT(runs); i++) {
		goldens[i] = run_golden(&runs[i], "", LEVEL_FULL);
		CHECK(!strstr(goldens[i], "58 78 33"), "a secret is in\n%s", goldens[i]);
		CHECK(strstr(goldens[i], " without secrets sha256 "), "nothing is said in\n%s",
		      goldens[i]);
	}
	assert_string_equal(goldens[0], goldens[1]);
	assert_non_null(strstr(goldens[0], "  < : 2 bytes sha256 "));
	for (size_t i = 0; i < COUNT(runs); i++)
		free(goldens[i]);
}

static void add_packet(struct buf *out, char type, const char *text, size_t len)
{
	buf_addc(out, type);
	for (int i = 24; i >= 0; i -= 8)
		buf_addc(out, (char)((len + 4) >> i & 0xff));
	buf_add(out, text, len);
}

#define LOGIN  "\0\0\0\x12\0\3\0\0user\0bob\0"
#define GREETS "R\0\0\0\x08\0\0\0\0Z\0\0\0\5I"

/* Statements, each of which the server refuses and quotes. */
static void test_secret_statements(void **state)
{
	static const struct {
		const char *sql, *quoted; /* NULL: all of it */
	} statements[] = {
		{ "alter role r password $$Xx1$$", NULL },
		{ "alter role r password $a$Xx1$a$", NULL },
		{ "alter role r with PASSWORD\n\tE'Xx''1\\'Xx2'", NULL },
		{ "alter user u identified by \"Xx1\"", NULL },
		{ "alter user u identified with mysql_native_password by 'Xx1'", NULL },
		{ "alter user u identified with mysql_native_password AS 'Xx1'", NULL },
		{ "alter user u identified with p by 'Xx345678'", "by 'Xx345678'" },
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(statements); i++) {
		const char *sql = statements[i / 2].sql,
			   *part = statements[i / 2].quoted ? statements[i / 2].quoted : sql;
		struct buf query auto_buf = { 0 }, error auto_buf = { 0 };
		char *quoted auto_free = own_printf("SERROR%cMwrong in \"%s\"%c", 0, part, 0);
		struct run run = { .conns = { { .said = { LOGIN, GREETS } } } };
		char *golden auto_free = NULL;

		add_packet(&query, 'Q', sql, strlen(sql) + 1);
		add_packet(&error, 'E', quoted, strlen(part) + 7 + 1 + 5 + 5 + 1 + 1 + 1);
		buf_add(&error, "Z\0\0\0\5I", 6);
		run.conns[0].lens[0] = sizeof(LOGIN);
		run.conns[0].lens[1] = sizeof(GREETS) - 1;
		run.conns[0].said[2] = query.data;
		run.conns[0].lens[2] = query.len;
		run.conns[0].said[3] = error.data;
		run.conns[0].lens[3] = error.len;
		golden = run_golden(&run, "", i % 2 ? LEVEL_FULL : LEVEL_REQUESTS);
		CHECK(!strstr(golden, "Xx"), "a secret is in\n%s", golden);
		CHECK(strstr(golden, "error: wrong in \""), "no error in\n%s", golden);
		CHECK(strstr(golden, "<secret#"), "nothing is masked in\n%s", golden);
	}
}

static void test_sha256(void **state)
{
	char text[SHA256_TEXT], million[1000];
	struct span abc = SPAN("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");

	(void)state;
	assert_string_equal(sha256_text(SPAN(""), text),
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_string_equal(sha256_text(abc, text),
			    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(million, 'a', sizeof(million));
	assert_string_equal(sha256_text(span_of(million, sizeof(million)), text),
			    "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
}

/* The text of a golden is read and written as it was. */
static void test_round_trip(void **state)
{
	static const struct run run = {
		.conns = { { .said = { GET("/a"), BODY(UUID1, "36"), GET("/a"), BODY(UUID1, "36"),
				       GET("/b?id=" UUID1), BODY("\\ <x#1>\x02\n", "9") } },
			   { .said = { GET("/c"), BODY("", "0") } } },
	};
	char *text auto_free = run_golden(&run, "", LEVEL_FULL);
	struct golden_error error;
	struct model *model = golden_parse(span_text(text), &error);
	struct buf again auto_buf = { 0 };

	(void)state;
	CHECK(model, "%u: %s", error.line, error.text);
	golden_write(&again, model);
	assert_string_equal(text, buf_cstr(&again));
	assert_non_null(strstr(text, "  times 2\n"));
	assert_non_null(strstr(text, "exchange GET /b?id=<uuid#1>\n"));
	model_free(model);
}

/* A WebSocket's pings are sent by the clock, and are no part of what is compared. */
static void test_keepalive(void **state)
{
	static const char text[] = "\x81\x82\0\0\0\0hi", ping[] = "\x89\x84\0\0\0\0p\1ng",
			  pong[] = "\x8a\x04p\1ng";
	struct run run = {
		.conns = { { .said = { "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
				       "Connection: Upgrade\r\nSec-WebSocket-Key: a\r\n\r\n",
				       "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\n"
				       "Connection: Upgrade\r\n\r\n",
				       text } } },
	};
	char *without auto_free = NULL, *with auto_free = NULL;

	(void)state;
	run.conns[0].lens[2] = sizeof(text) - 1;
	without = run_golden(&run, "", LEVEL_FULL);
	CHECK(strstr(without, "hi"), "%s", without);
	run.conns[0].said[2] = ping;
	run.conns[0].lens[2] = sizeof(ping) - 1;
	run.conns[0].said[3] = pong;
	run.conns[0].lens[3] = sizeof(pong) - 1;
	run.conns[0].said[4] = text;
	run.conns[0].lens[4] = sizeof(text) - 1;
	with = run_golden(&run, "", LEVEL_FULL);
	assert_string_equal(with, without);
}

#define TEN   "0123456789"
#define SIXTY TEN TEN TEN TEN TEN TEN

/* What a title begins with is masked as the whole that it is, also where the title ends within it. */
static const struct {
	const char *key, *title;
} titles[] = {
	{ SIXTY TEN TEN UUID1, "GET " SIXTY TEN TEN "\n" },
	{ SIXTY "0123456789012345678:" UUID1, "GET " SIXTY "0123456789012345678:\n" },
	{ SIXTY "012345678901234567:" UUID1 ":x", "GET " SIXTY "012345678901234567:<uuid#1>\n" },
	{ UUID1 ":" UUID2 ":" TEN, "GET <uuid#1>:<uuid#2>:012345\n" },
	{ SIXTY "0123456789012 tenant7654321 x", "GET " SIXTY "0123456789012 <tenant#1>\n" },
	{ "tenant1 tenant2\nx tenant3", "GET <tenant#1> <tenant#2>\n" },
	{ SIXTY TEN "012345678\u00e9", "GET " SIXTY TEN "012345678\n" },
};

static void test_titles(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(titles); i++) {
		struct run run = { .conns = { { .said = { NULL, "$2\r\nok\r\n" } } } };
		char *said auto_free = own_printf("*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n",
						  strlen(titles[i].key), titles[i].key);
		char *title auto_free = own_printf("\nexchange %s", titles[i].title), *golden;

		run.conns[0].said[0] = said;
		golden = run_golden(&run, "mask text /tenant[0-9]+/ as tenant\n", LEVEL_FULL);
		CHECK(strstr(golden, title), "%s\nis\n%s", titles[i].title, golden);
		free(golden);
	}
}

static const struct {
	const char *text;
	unsigned int line;
	const char *word;
} wrong[] = {
	{ "", 0, "empty" },
	{ "hello\n", 1, "first line" },
	{ "#iotrace-golden 2\n", 1, "newer" },
	{ "#iotrace-golden x\n", 1, "VERSION" },
	{ "#iotrace-golden 1\nlevel full\n", 2, "ends before" },
	{ "#iotrace-golden 1\nlevel some\n", 2, "level" },
	{ "#iotrace-golden 1\nended now 3\n", 2, "ended" },
	{ "#iotrace-golden 1\nended exit 300\n", 2, "ended" },
	{ "#iotrace-golden 1\nrules x\n", 2, "builtin" },
	{ "#iotrace-golden 1\npeer a tcp by b\n", 2, "before the first peer" },
	{ HEAD "<<<<<<< HEAD\n", 5, "merge conflict" },
	{ HEAD "peer a tcp by b\n=======\n", 6, "merge conflict" },
	{ HEAD "exchange a\n", 5, "before the first peer" },
	{ HEAD "peer a tcp by b\nexchange a\n", 6, "connection" },
	{ HEAD "peer a tcp by b any order\nconnection\n", 6, "connection" },
	{ HEAD "peer a tcp by b any order\n  > a\n", 6, "before the first exchange" },
	{ HEAD "peer a tcp by b any order\nexchange a\n  times 1\n", 7, "times" },
	{ HEAD "peer a tcp by b any order\nexchange a\n  > b\n  times 2\n", 8, "times" },
	{ HEAD "peer a tcp by b any order\nexchange a\n > b\n", 7, "not understood" },
	{ HEAD "nonsense\n", 5, "not understood" },
	{ HEAD "peer \x01"
	       "1\x02\n",
	  5, "damaged" },
	{ HEAD "peer \xff\n", 5, "damaged" },
};

static void test_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct golden_error error;
		struct model *model = golden_parse(span_text(wrong[i].text), &error);

		CHECK(!model, "'%s' is taken", wrong[i].text);
		CHECK(error.line == wrong[i].line && strstr(error.text, wrong[i].word),
		      "'%s': %u: %s", wrong[i].text, error.line, error.text);
	}
}

/* Holds `run` against the golden that `before` makes; the text of the verdict. */
static char *held(const struct run *before, const struct run *run, const char *rules,
		  struct comparison *ret_comparison)
{
	char *text auto_free = run_golden(before, rules, LEVEL_FULL);
	struct rules parsed = { 0 };
	struct golden_error error;
	struct model *golden = golden_parse(span_text(text), &error);
	struct model *model = run_model(run, rules, LEVEL_FULL, &parsed);
	struct verdict verdict = { .name = "g", .comparison = ret_comparison };
	struct buf out = { 0 };
	char *copy;

	assert_non_null(golden);
	compare_models(ret_comparison, golden, model);
	report_text(&out, &verdict, false);
	copy = own_strdup(buf_cstr(&out));
	buf_done(&out);
	model_free(golden);
	model_free(model);
	rules_done(&parsed);
	return copy;
}

#define TALK(...)                       \
	{                               \
		.said = { __VA_ARGS__ } \
	}

static const struct {
	const char *what;
	struct run before, run;
	size_t hunks;
	const char *word; /* of the verdict */
} pairs[] = {
	{ "nothing",
	  { .conns = { TALK(GET("/"), BODY("a", "1")) } },
	  { .conns = { TALK(GET("/"), BODY("a", "1")) } },
	  0,
	  "no difference" },
	{ "a line",
	  { .conns = { TALK(GET("/"), BODY("a", "1")) } },
	  { .conns = { TALK(GET("/"), BODY("b", "1")) } },
	  1,
	  "-  < |\\ a\n+  < |\\ b\n" },
	{ "another identifier",
	  { .conns = { TALK(GET("/"), BODY(UUID1, "36")) } },
	  { .conns = { TALK(GET("/"), BODY(UUID2, "36")) } },
	  0,
	  "no difference" },
	{ "an identifier that does not reappear",
	  { .conns = { TALK(GET("/a"), BODY(UUID1, "36"), GET("/b"), BODY(UUID1, "36")) } },
	  { .conns = { TALK(GET("/a"), BODY(UUID1, "36"), GET("/b"), BODY(UUID2, "36")) } },
	  1,
	  "@@ GET /b (peer localhost:80 http by prog)\n" },
	{ "order within a connection",
	  { .conns = { TALK(GET("/a"), BODY("", "0"), GET("/b"), BODY("", "0")) } },
	  { .conns = { TALK(GET("/b"), BODY("", "0"), GET("/a"), BODY("", "0")) } },
	  1,
	  "@@" },
	{ "order of connections",
	  { .conns = { TALK(GET("/a"), BODY("", "0")), TALK(GET("/b"), BODY("", "0")) } },
	  { .conns = { TALK(GET("/b"), BODY("", "0")), TALK(GET("/a"), BODY("", "0")) } },
	  0,
	  "no difference" },
	{ "one more",
	  { .conns = { TALK(GET("/"), BODY("a", "1")) } },
	  { .conns = { TALK(GET("/"), BODY("a", "1")), TALK(GET("/new"), BODY("", "0")) } },
	  1,
	  "+exchange GET /new\n" },
	{ "one less",
	  { .conns = { TALK(GET("/"), BODY("a", "1")), TALK(GET("/old"), BODY("", "0")) } },
	  { .conns = { TALK(GET("/"), BODY("a", "1")) } },
	  1,
	  "-exchange GET /old\n" },
	{ "a new peer",
	  { .conns = { TALK(GET("/"), BODY("a", "1")) } },
	  { .conns = { TALK(GET("/"), BODY("a", "1")),
		       { .said = { GET("/"), BODY("a", "1") }, .remote = "10.0.0.1:99" } } },
	  1,
	  "new peer: peer 10.0.0.1:99 http by prog\n" },
	{ "once more",
	  { .conns = { TALK(GET("/"), BODY("a", "1"), GET("/"), BODY("a", "1")) } },
	  { .conns = { TALK(GET("/"), BODY("a", "1"), GET("/"), BODY("a", "1"), GET("/"),
			    BODY("a", "1")) } },
	  1,
	  "-  times 2\n+  times 3\n" },
};

static void test_compare(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct comparison comparison;
		char *text auto_free = held(&pairs[i].before, &pairs[i].run, "", &comparison);

		CHECK(comparison.hunk_count == pairs[i].hunks && strstr(text, pairs[i].word),
		      "%s:\n%s", pairs[i].what, text);
		CHECK(comparison.same == !pairs[i].hunks, "%s", pairs[i].what);
		comparison_done(&comparison);
	}
}

/* Where their order does not matter, one of many that are alike is told by itself. */
static void test_any_order(void **state)
{
	static const struct run before = { .conns = { TALK(GET("/"), BODY("a", "1"), GET("/"),
							   BODY("a", "1"), GET("/"),
							   BODY("a", "1")) } };
	static const struct run run = { .conns = { TALK(GET("/"), BODY("a", "1"), GET("/"),
							BODY("b", "1"), GET("/"),
							BODY("a", "1")) } };
	struct comparison comparison;
	char *text auto_free = held(&before, &run, "order any *\n", &comparison);

	(void)state;
	assert_int_equal(comparison.hunk_count, 1);
	assert_non_null(strstr(text, "one of 3\n"));
	assert_non_null(strstr(text, "-  < |\\ a\n+  < |\\ b\n"));
	comparison_done(&comparison);
}

/* Which of two that look alike is which is told by where their identifiers go. */
static void test_links(void **state)
{
	static const struct run before = { .conns = { TALK(GET("/new"), BODY(UUID1, "36"),
							   GET("/new"), BODY(UUID2, "36"),
							   GET("/a?id=" UUID1), BODY("", "0"),
							   GET("/b?id=" UUID2), BODY("", "0")) } };
	static const struct run run = { .conns = { TALK(GET("/new"), BODY(UUID1, "36"), GET("/new"),
							BODY(UUID2, "36"), GET("/a?id=" UUID2),
							BODY("", "0"), GET("/b?id=" UUID1),
							BODY("", "0")) } };
	struct comparison comparison;

	(void)state;
	free(held(&before, &run, "order any *\n", &comparison));
	assert_true(comparison.same);
	comparison_done(&comparison);
	/* In order they are what they are. */
	free(held(&before, &run, "", &comparison));
	assert_false(comparison.same);
	comparison_done(&comparison);
}

/* More changes than are looked for at once: still a line each. */
static void test_many_changes(void **state)
{
	struct buf before = { 0 }, after = { 0 };
	struct golden_error error;
	struct comparison comparison;
	struct model *golden, *run;

	(void)state;
	buf_adds(&before, HEAD "peer a:1 http by b\n\nconnection\n");
	buf_adds(&after, buf_cstr(&before));
	for (int i = 0; i < 2000; i++) {
		buf_addf(&before, "exchange GET /%d\n  < 200\n  < | old\n  < | end\n", i);
		buf_addf(&after, "exchange GET /%d\n  < 200\n  < | new\n  < | end\n", i);
	}
	golden = golden_parse(span_of(before.data, before.len), &error);
	run = golden_parse(span_of(after.data, after.len), &error);
	assert_true(golden && run);
	order_hash(run);
	order_canonical(run);
	compare_models(&comparison, golden, run);
	assert_int_equal(comparison.totals[CASE_CHANGED], 2000);
	assert_null(strstr(buf_cstr(&comparison.diff), "-  < | end"));
	comparison_done(&comparison);
	model_free(golden);
	model_free(run);
	buf_done(&before);
	buf_done(&after);
}

/* An exchange for each pair of letters, title and body; what is read of *out. */
static struct model *letters(const char *text, struct buf *out)
{
	struct golden_error error;

	buf_adds(out, HEAD "peer a:1 http by b\n\nconnection\n");
	for (; text[0] && text[1]; text += text[2] ? 3 : 2)
		buf_addf(out, "exchange GET /%c\n  > host: h\n  < 200\n  < | %c\n", text[0],
			 text[1]);
	return golden_parse(span_of(out->data, out->len), &error);
}

static const struct {
	const char *before, *run;
	size_t changed, new, gone, same;
} counts[] = {
	{ "aa bb", "aa bb", 0, 0, 0, 2 },       { "aa bb", "aa", 0, 0, 1, 1 },
	{ "aa bb", "bb", 0, 0, 1, 1 },          { "aa bb cc", "aa cc", 0, 0, 1, 2 },
	{ "aa", "aa bb", 0, 1, 0, 1 },          { "bb", "aa bb", 0, 1, 0, 1 },
	{ "aa", "aa aa", 1, 0, 0, 0 },          { "aa bb", "ab bb", 1, 0, 0, 1 },
	{ "aa bb", "xa bb", 1, 0, 0, 1 },       { "aa bb", "aa xb", 1, 0, 0, 1 },
	{ "aa bb cc", "aa xx cc", 1, 0, 0, 2 }, { "aa bb cc", "bb cc dd", 0, 1, 1, 2 },
	{ "aa bb cc", "xa yb zc", 3, 0, 0, 0 },
};

/* What became of each exchange. */
static void test_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(counts); i++) {
		struct buf before auto_buf = { 0 }, after auto_buf = { 0 };
		struct model *golden = letters(counts[i].before, &before);
		struct model *run = letters(counts[i].run, &after);
		struct comparison comparison;
		const size_t *totals = comparison.totals;

		assert_true(golden && run);
		order_hash(run);
		order_canonical(run);
		compare_models(&comparison, golden, run);
		CHECK(totals[CASE_CHANGED] == counts[i].changed &&
			      totals[CASE_NEW] == counts[i].new &&totals[CASE_GONE] ==
				      counts[i].gone &&totals[CASE_SAME] == counts[i].same,
		      "%s, %s: %zu changed, %zu new, %zu gone, %zu the same\n%s", counts[i].before,
		      counts[i].run, totals[CASE_CHANGED], totals[CASE_NEW], totals[CASE_GONE],
		      totals[CASE_SAME], buf_cstr(&comparison.diff));
		comparison_done(&comparison);
		model_free(golden);
		model_free(run);
	}
}

static void test_levels(void **state)
{
	static const struct run run = { .conns = { TALK(GET("/a"), BODY("b", "1")) } };
	char *peers auto_free = run_golden(&run, "", LEVEL_PEERS);
	char *requests auto_free = run_golden(&run, "", LEVEL_REQUESTS);

	(void)state;
	assert_string_equal(peers, "#iotrace-golden 1\nlevel peers\nrules builtin 2\n"
				   "ended exit 0\n\npeer localhost:80 http by prog\n");
	assert_string_equal(requests,
			    "#iotrace-golden 1\nlevel requests\nrules builtin 2\nended exit 0\n\n"
			    "peer localhost:80 http by prog\n\nconnection\nexchange GET /a\n"
			    "  < 200 OK\n");
}

static void test_deep_json(void **state)
{
	char text[2 * JSON_DEPTH + 2];
	struct arena arena = { 0 };

	(void)state;
	memset(text, '[', JSON_DEPTH);
	memset(text + JSON_DEPTH, ']', JSON_DEPTH);
	assert_non_null(json_parse(&arena, span_of(text, 2 * JSON_DEPTH)));
	memset(text, '[', JSON_DEPTH + 1);
	memset(text + JSON_DEPTH + 1, ']', JSON_DEPTH + 1);
	assert_null(json_parse(&arena, span_of(text, sizeof(text))));
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_secret_bodies),
		cmocka_unit_test(test_secret_headers),
		cmocka_unit_test(test_secret_binary),
		cmocka_unit_test(test_secret_statements),
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_many_changes),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_deep_json),
		cmocka_unit_test(test_titles),
		cmocka_unit_test(test_keepalive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
