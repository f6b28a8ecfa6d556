#include "sink/pcap_tls.h"

#include "unit.h"

/* A ClientHello with a session, two suites and an extension before the server's name. */
#define HELLO                                                \
	"\x16\x03\x01\x00\x5c\x01\x00\x00\x58\x03\x03"       \
	"0123456789abcdef0123456789abcdef"                   \
	"\x04sess\x00\x04\x13\x01\x13\x02\x01\x00\x00\x29"   \
	"\x00\x17\x00\x00"                                   \
	"\x00\x00\x00\x13\x00\x11\x00\x00\x0eserver.example" \
	"\x00\x0b\x00\x02\x01\x00"

#define SERVER "\x16\x03\x03\x00\x30\x02\x00\x00\x2c\x03\x03"
#define RETRY                                                                     \
	SERVER "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91" \
	       "\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"

static void name_of_the_server(void **state)
{
	struct pcap_tls tls;
	char name[TLS_NAME];

	(void)state;
	pcap_tls_init(&tls);
	pcap_tls_add(&tls, 0, BYTES(HELLO));
	assert_true(tls.has_random && tls.client == 0);
	assert_memory_equal(tls.random, "0123456789abcdef0123456789abcdef", TLS_RANDOM);
	assert_true(pcap_tls_name(&tls, name));
	assert_string_equal(name, "server.example");
	pcap_tls_done(&tls);
}

/* Read byte by byte, as some programs do, and cut anywhere. */
static void in_pieces(void **state)
{
	static const char hello[] = HELLO;
	char name[TLS_NAME];

	(void)state;
	for (size_t len = 0; len <= sizeof(hello) - 1; len++) {
		struct pcap_tls tls;

		pcap_tls_init(&tls);
		for (size_t i = 0; i < len; i++)
			pcap_tls_add(&tls, 1, hello + i, 1);
		CHECK(!tls.is_none, "%zu", len);
		CHECK(pcap_tls_name(&tls, name) == (len >= sizeof(hello) - 1 - 6), "%zu", len);
		pcap_tls_done(&tls);
	}
}

static void what_is_no_tls(void **state)
{
	static const char *const beginnings[] = { "GET / HTTP/1.1\r\n", "\x16\x04", "SSH-2.0" };
	char name[TLS_NAME];

	(void)state;
	for (size_t i = 0; i < COUNT(beginnings); i++) {
		struct pcap_tls tls;

		pcap_tls_init(&tls);
		pcap_tls_add(&tls, 0, beginnings[i], strlen(beginnings[i]));
		assert_true(tls.is_none);
		assert_false(pcap_tls_wants_secrets(&tls) || pcap_tls_name(&tls, name));
		pcap_tls_done(&tls);
	}
}

/* While the server's first flight goes on, and no longer. */
static void when_secrets_are_wanted(void **state)
{
	struct pcap_tls tls;

	(void)state;
	pcap_tls_init(&tls);
	pcap_tls_add(&tls, 0, BYTES(HELLO));
	assert_false(pcap_tls_wants_secrets(&tls));
	pcap_tls_add(&tls, 1, BYTES(SERVER));
	assert_true(pcap_tls_wants_secrets(&tls));
	pcap_tls_add(&tls, 1, "more", 4);
	pcap_tls_add(&tls, 0, "finished", 8);
	assert_true(pcap_tls_wants_secrets(&tls));
	pcap_tls_add(&tls, 1, "answer", 6);
	assert_false(pcap_tls_wants_secrets(&tls));
	pcap_tls_done(&tls);
}

/* A server that asks for another hello has one flight more. */
static void a_retry(void **state)
{
	struct pcap_tls tls;

	(void)state;
	pcap_tls_init(&tls);
	pcap_tls_add(&tls, 0, BYTES(HELLO));
	pcap_tls_add(&tls, 1, BYTES(RETRY));
	pcap_tls_add(&tls, 0, BYTES(HELLO));
	pcap_tls_add(&tls, 1, BYTES(SERVER));
	assert_true(pcap_tls_wants_secrets(&tls));
	pcap_tls_add(&tls, 0, "finished", 8);
	pcap_tls_add(&tls, 1, "answer", 6);
	assert_false(pcap_tls_wants_secrets(&tls));
	pcap_tls_done(&tls);
}

#define RANDOM_HEX "00112233445566778899aAbBcCdDeEfF00112233445566778899aabbccddeeff"

static void key_log_lines(void **state)
{
	static const struct {
		const char *line;
		bool ok;
		unsigned int label;
	} cases[] = {
		{ "CLIENT_RANDOM " RANDOM_HEX " 1234", true, 1 },
		{ "CLIENT_HANDSHAKE_TRAFFIC_SECRET " RANDOM_HEX " 12", true, 2 },
		{ "SERVER_TRAFFIC_SECRET_0 " RANDOM_HEX " 12", true, 16 },
		{ "EXPORTER_SECRET " RANDOM_HEX " 12", true, 0 },
		{ "CLIENT_RANDOM 0011", false, 0 },
		{ "CLIENT_RANDOM", false, 0 },
		{ "", false, 0 },
		{ "# comment", false, 0 },
		{ "CLIENT_RANDOM x0112233445566778899aAbBcCdDeEfF00112233445566778899aabbccddeeff "
		  "1",
		  false, 0 },
	};
	uint8_t random[TLS_RANDOM];
	unsigned int label;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CHECK(pcap_tls_parse(cases[i].line, random, &label) == cases[i].ok, "%s",
		      cases[i].line);
		if (!cases[i].ok)
			continue;
		CHECK(label == cases[i].label, "%s", cases[i].line);
		assert_int_equal(random[11], 0xbb);
	}
}

static void complete_sets(void **state)
{
	(void)state;
	assert_true(pcap_tls_is_complete(1));
	assert_true(pcap_tls_is_complete(0x1e));
	assert_false(pcap_tls_is_complete(0x1c));
	assert_false(pcap_tls_is_complete(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_of_the_server),
		cmocka_unit_test(in_pieces),
		cmocka_unit_test(what_is_no_tls),
		cmocka_unit_test(when_secrets_are_wanted),
		cmocka_unit_test(a_retry),
		cmocka_unit_test(key_log_lines),
		cmocka_unit_test(complete_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
