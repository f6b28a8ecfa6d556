/* What is known to be a secret, by its name, its command, and what is written before it. */
#include "base/buf.h"
#include "secret/command.h"
#include "secret/name.h"
#include "secret/parts.h"
#include "unit.h"

/* The secrets of each text, with a blank behind each. */
static const struct {
	enum secret_form form;
	const char *text, *secrets;
} texts[] = {
	{ SECRET_SQL, "create role r login password 'X1'", "X1 " },
	{ SECRET_SQL, "alter role r with PassWord\n\tE'X1' valid until '2030'", "X1 " },
	{ SECRET_SQL, "alter role r encrypted password /* a 'b' */ 'X1'", "X1 " },
	{ SECRET_SQL, "alter role r password $$X1$$;", "X1 " },
	{ SECRET_SQL, "alter role r password $a_1$X$$1$a_1$;", "X$$1 " },
	{ SECRET_SQL, "alter role r password 'X''1' x 'y'", "X''1 " },
	{ SECRET_SQL, "alter role r password E'X\\'1' x 'y'", "X\\'1 " },
	{ SECRET_SQL, "alter role r password 'X1", "X1 " },
	{ SECRET_SQL, "alter role r password '", "" },
	{ SECRET_SQL, "alter role r password null", "" },
	{ SECRET_SQL, "alter user u identified by \"X\\\"1\"", "X\\\"1 " },
	{ SECRET_SQL, "alter user u IDENTIFIED\r\n BY PASSWORD'X1'", "X1 " },
	{ SECRET_SQL, "alter user u identified with mysql_native_password by 'X1'", "X1 " },
	{ SECRET_SQL, "alter user u identified with 'mysql_native_password' AS 'X1'", "X1 " },
	{ SECRET_SQL, "alter user u identified with p as 0x24AF, x", "0x24AF " },
	{ SECRET_SQL, "alter user u identified via ed25519 using password('X1')", "X1 " },
	{ SECRET_SQL, "create user a identified by 'X1', b identified by 'X2'", "X1 X2 " },
	{ SECRET_SQL, "set password for 'a'@'b' = password('X1')", "X1 " },
	{ SECRET_SQL, "set password='X1'", "X1 " },
	{ SECRET_SQL, "change master to master_user='x', master_password='X1'", "X1 " },
	{ SECRET_SQL, "update t set `password` = md5('X1'), a = 'b'", "X1 " },
	{ SECRET_SQL, "update t set \"password\" := 'X1'", "X1 " },
	{ SECRET_SQL, "update t set [password] = N'X1'", "X1 " },
	{ SECRET_SQL, "prepare s from 'alter user u identified by ''X1'''", "X1 " },
	{ SECRET_SQL, "prepare s from 'alter user u identified by \\'X1\\''", "X1 " },
	{ SECRET_SQL, "error near 'identified by \"X1\"' at line 1", "X1 " },
	{ SECRET_SQL, "update t set password = $1 where a = $2", "" },
	{ SECRET_SQL, "update t set password = '' where a = 'b'", "" },
	{ SECRET_SQL, "select password, 'a' from t where b = 'c'", "" },
	{ SECRET_SQL, "insert into t (password) values ('a')", "" },
	{ SECRET_SQL, "set password_encryption = 'scram-sha-256'", "" },
	{ SECRET_SQL, "password authentication failed for user \"a\"", "" },
	{ SECRET_SQL, "column \"password\" of relation \"users\"", "" },

	{ SECRET_QUERY, "password=X1&a=b&token=X2", "X1 X2 " },
	{ SECRET_QUERY, "pass%77ord=X1&a=b", "X1 " },
	{ SECRET_QUERY, "/path?code=X1#access_token=X2", "X1#access_token=X2 " },
	{ SECRET_QUERY, "/path?a=1#access_token=X2", "X2 " },
	{ SECRET_QUERY, "/path/token=no?page=2&token=&b", "" },
	{ SECRET_QUERY, "password=a\"b <c>&d=e", "a\"b <c> " },
	{ SECRET_QUERY, "next=http%3A%2F%2Fh%2F%3Ftoken%3DX1%26a%3Db&token=X%262", "X1 X%262 " },
	{ SECRET_URL, "<http://h/x?access_token=X1>; rel=next, <http://h/?a=b>", "X1 " },
	{ SECRET_URL, "5; url=/x?a=b&sig=X1", "X1 " },
	{ SECRET_URL, "token=no; a=b", "" },
	{ SECRET_URL, "http://h/#access_token=X1&state=a", "X1 " },

	{ SECRET_LOGIN, "{\"a\":\"x://X:1@h/\",\"b\":\"http://h:80/@\"}", "X:1 " },
	{ SECRET_LOGIN, "://://X:1@h http://u@h", "X:1 " },
	{ SECRET_JSON, "{\"password\":\"X1\",\"a\":\"b\"}", "X1 " },
	{ SECRET_JSON, "{\"a\":\"password\",\"b\":\"c\"}", "" },
	{ SECRET_JSON, "{\"token\" : {\"value\":\"X1\",\"exp\": -1.5e3},\"a\":1}", "X1 -1.5e3 " },
	{ SECRET_JSON, "{\"secrets\":[\"X1\",[\"X2\"],true,null],\"a\":[\"b\"]}", "X1 X2 " },
	{ SECRET_JSON, "{\"pass\\u0077ord\":\"X\\\"1\"}", "X\\\"1 " },
	{ SECRET_JSON, "{\"password\":\"X1\"}\n{\"password\":\"X2\"}\n", "X1 X2 " },
	{ SECRET_JSON, "it's \" a quote\ndata: {\"token\":\"X1\"}\n", "X1 " },
	{ SECRET_JSON, "{\"password\":\"X1", "X1 " },
	{ SECRET_JSON, "{\"password\":null,\"a\":\"b\",\"token\":true}", "" },
	{ SECRET_JSON, "[\"requirepass\",\"X1\",\"port\",\"6379\"]", "X1 " },
	{ SECRET_JSON, "{\"prompt_tokens\":12,\"password\":\"\"}", "" },

	{ SECRET_DATA, "USER a\r\nPASS X 1\r\nLIST\r\n", "X 1 " },
	{ SECRET_DATA, "a1 login \"a \\\" b\" \"X1\"\r\na2 LIST x\r\n", "\"X1\" " },
	{ SECRET_DATA, "a1 AUTHENTICATE PLAIN WDE=\r\nAUTH PLAIN WDI=\r\n", "WDE= WDI= " },
	{ SECRET_DATA, "AUTHINFO USER a\r\nauthinfo pass X1\r\n", "X1 " },
	{ SECRET_DATA, "CONNECT {\"user\":\"a\",\"pass\":\"X1\"}\r\nPASS X2", "X1 X2 " },
	{ SECRET_DATA, "AUTH XOAUTH2 WDM=\r\na1 AUTHENTICATE PLAIN\r\n", "WDM= " },
	{ SECRET_DATA, "AG1lAFgx\r\n", "AG1lAFgx " },
	{ SECRET_DATA, "dXNlcj1hAWF1dGg9QmVhcmVyIFgxAQE=\r\n",
	  "dXNlcj1hAWF1dGg9QmVhcmVyIFgxAQE= " },
	/* Without a user or a password, with more, no UTF-8, no base64. */
	{ SECRET_DATA, "AABYMQ==\nAG1lAA==\nAGEAYgBj\nAGEA/w==\nAG1lAFgx=\nbWVtZW1l\n", "" },
	{ SECRET_DATA, "REGISTER sip:h SIP/2.0\r\nProxy-Authorization: Digest X1\r\nCSeq: 1\r\n",
	  "Digest X1 " },
	{ SECRET_DATA, "COOKIE:X1\nX-Api-Key:  X2 \nPassword: \nThe token: a\n\"token\": a\n",
	  "X1 X2 " },
	{ SECRET_JSON, "Cookie: a\n", "" },
	{ SECRET_DATA, "COMPASS a\r\n PASS b\nPASS \r\na LOGIN b\r\n", "" },
	{ SECRET_JSON, "PASS src/a.test\n", "" },
	{ SECRET_MULTIPART,
	  "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nX\r\n1\r\n--b\r\n"
	  "Content-Disposition: form-data; filename=\"token\"; name=file\r\n\r\nabc\r\n--b\r\n"
	  "content-disposition: form-data; name=api_key\r\nContent-Type: text/plain\r\n\r\nX2\r\n"
	  "--b--\r\n",
	  "X\r\n1 X2 " },
	{ SECRET_MULTIPART, "Content-Disposition: form-data; name=\"token\"\n\nX1", "X1 " },
};

static void test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct span text = span_text(texts[i].text);
		struct secret_parts parts = secret_parts_of(texts[i].form, text);
		struct buf got auto_buf = { 0 };
		struct secret_part part;

		while (secret_parts_next(&parts, &part)) {
			buf_add(&got, part.text.data, part.text.len);
			buf_addc(&got, ' ');
		}
		CHECK(!strcmp(buf_cstr(&got), texts[i].secrets), "%s\nhas: %s", texts[i].text,
		      buf_cstr(&got));
	}
}

/* Texts that end anywhere, and long ones that repeat what is looked for. */
static void test_hostile(void **state)
{
	static const char *const words[] = { "password ", "identified with ", "password/*",
					     "\"\\\"",    "%3Ftoken",         "{\"token\":" };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		for (size_t len = 0; len < strlen(texts[i].text); len++) {
			struct secret_parts parts =
				secret_parts_of(texts[i].form, span_of(texts[i].text, len));
			struct secret_part part;

			while (secret_parts_next(&parts, &part))
				assert_true(part.text.len);
		}
	for (size_t i = 0; i < COUNT(words); i++) {
		struct buf text auto_buf = { 0 };

		while (text.len < 1U << 20)
			buf_adds(&text, words[i]);
		for (int form = SECRET_QUERY; form <= SECRET_SQL; form++) {
			struct secret_parts parts = secret_parts_of((enum secret_form)form,
								    span_of(text.data, text.len));
			struct secret_part part;

			while (secret_parts_next(&parts, &part))
				assert_true(part.text.len);
		}
	}
}

static const struct {
	const char *name;
	bool header, name_too, query, variable;
} names[] = {
	{ "Authorization", true, true, true, false },
	{ "Ocp-Apim-Subscription-Key", true, true, true, false },
	{ "X-Functions-Key", true, true, true, false },
	{ "X-Encryption-Key", true, true, true, false },
	{ "X-Session-Id", true, true, true, false },
	{ "X-Hub-Signature", true, true, true, false },
	{ "X-Token-Hint", true, false, false, false },
	{ "X-Any-Key", true, false, false, false },
	{ "key", false, false, true, false },
	{ "new_password2", true, true, true, true },
	{ "user[password_confirmation]", true, true, true, true },
	{ "passwordConfirm", true, true, true, true },
	{ "key1", false, false, false, false },
	{ "2", false, false, false, false },
	{ "user[password]", true, true, true, true },
	{ "MY_SECRET_NAME", true, false, false, true },
	{ "SIGNING_KEY", true, true, true, true },
	{ "Sec-WebSocket-Key", false, false, false, false },
	{ "monkey", false, false, false, false },
	{ "keyboard", false, false, false, false },
	{ "Content-Type", false, false, false, false },
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct span name = span_text(names[i].name);

		CHECK(secret_is_header(name) == names[i].header, "%s", names[i].name);
		CHECK(secret_is_name(name, false) == names[i].name_too, "%s", names[i].name);
		CHECK(secret_is_name(name, true) == names[i].query, "%s", names[i].name);
		if (names[i].variable)
			CHECK(secret_is_variable(name), "%s", names[i].name);
	}
	assert_false(secret_is_variable(SPAN("PATH")));
}

static const struct {
	const char *words; /* the command and its arguments */
	size_t first;
} commands[] = {
	{ "AUTH user pass", 0 },
	{ "HELLO 3", SIZE_MAX },
	{ "hello 3 auth user pass", 2 },
	{ "CONFIG SET masterauth X", 2 },
	{ "SENTINEL SET mm auth-pass X", 3 },
	{ "CONFIG SET port 1", SIZE_MAX },
	{ "ACL SETUSER joe on >X", 2 },
	{ "ACL LIST", SIZE_MAX },
	{ "GET AUTH", SIZE_MAX },
};

static void test_commands(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(commands); i++) {
		struct message *message =
			message_new(PROTOCOL_REDIS, MESSAGE_REQUEST, DIR_OUT, 1000);
		struct span rest = span_text(commands[i].words);

		message_add(message, ATTR_COMMAND, span_split(&rest, ' '));
		while (rest.len)
			message_add(message, ATTR_ARG, span_split(&rest, ' '));
		CHECK(secret_argument(message) == commands[i].first, "%s", commands[i].words);
		message_unref(message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
