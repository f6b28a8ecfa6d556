#include "base/addr.h"

#include "unit.h"

#include <arpa/inet.h>

static struct addr inet_addr_of(int family, const char *host, uint16_t port, uint32_t scope)
{
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} raw = { 0 };
	struct addr addr;
	bool is4 = family == AF_INET;

	if (is4) {
		memset(&raw, 0xee, sizeof(raw));
		raw.in.sin_family = AF_INET;
		raw.in.sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, host, &raw.in.sin_addr), 1);
	} else {
		raw.in6.sin6_family = AF_INET6;
		raw.in6.sin6_port = htons(port);
		raw.in6.sin6_flowinfo = 0x12345678;
		raw.in6.sin6_scope_id = scope;
		assert_int_equal(inet_pton(AF_INET6, host, &raw.in6.sin6_addr), 1);
	}
	assert_true(addr_from_bytes(&addr, &raw, is4 ? sizeof(raw.in) : sizeof(raw.in6)));
	return addr;
}

/* len bytes of sun_path, as a program could give them. */
static struct addr unix_addr_of(const char *path, size_t len)
{
	struct sockaddr_un raw = { .sun_family = AF_UNIX };
	struct addr addr;

	assert_true(len <= sizeof(raw.sun_path));
	memcpy(raw.sun_path, path, len);
	assert_true(addr_from_bytes(&addr, &raw, offsetof(struct sockaddr_un, sun_path) + len));
	return addr;
}

static void expect_round_trip(const struct addr *addr, const char *expected)
{
	char text[ADDR_TEXT_MAX], again[ADDR_TEXT_MAX];
	struct addr parsed;

	assert_string_equal(addr_format(addr, text), expected);
	CHECK(addr_parse(&parsed, text, strlen(text)), "%s", text);
	CHECK(addr_equal(addr, &parsed), "%s becomes %s", text, addr_format(&parsed, again));
	assert_string_equal(addr_format(&parsed, again), expected);
}

static const struct inet_case {
	int family;
	const char *host;
	uint16_t port;
	uint32_t scope;
	const char *text;
} inet_cases[] = {
	{ AF_INET, "127.0.0.1", 80, 0, "127.0.0.1:80" },
	{ AF_INET, "0.0.0.0", 0, 0, "0.0.0.0:0" },
	{ AF_INET, "1.2.3.4", 9000, 0, "1.2.3.4:9000" },
	{ AF_INET, "255.255.255.255", 65535, 0, "255.255.255.255:65535" },
	{ AF_INET6, "::1", 80, 0, "[::1]:80" },
	{ AF_INET6, "::", 0, 0, "[::]:0" },
	{ AF_INET6, "fe80::1", 443, 2, "[fe80::1%2]:443" },
	{ AF_INET6, "fe80::1", 443, UINT32_MAX, "[fe80::1%4294967295]:443" },
	{ AF_INET6, "2001:db8:1:2:3:4:5:ffff", 65535, 0, "[2001:db8:1:2:3:4:5:ffff]:65535" },
	/* Mapped ones become IPv4, compatible ones (RFC 4291, 2.5.5.1) do not. */
	{ AF_INET6, "::ffff:10.1.2.3", 53, 0, "10.1.2.3:53" },
	{ AF_INET6, "::ffff:0.0.0.0", 0, 3, "0.0.0.0:0" },
	{ AF_INET6, "::10.1.2.3", 53, 0, "[::10.1.2.3]:53" },
};

static void inet_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(inet_cases); i++) {
		const struct inet_case *c = &inet_cases[i];
		struct addr addr = inet_addr_of(c->family, c->host, c->port, c->scope);

		expect_round_trip(&addr, c->text);
		assert_int_equal(addr_port(&addr), c->port);
		assert_int_equal(addr_is_empty(&addr), c->port == 0);
	}
}

static void mapped_equals_plain(void **state)
{
	struct addr a = inet_addr_of(AF_INET6, "::ffff:1.2.3.4", 5, 0);
	struct addr b = inet_addr_of(AF_INET, "1.2.3.4", 5, 0);

	(void)state;
	assert_int_equal(a.family, AF_INET);
	assert_true(addr_equal(&a, &b));
}

static const struct unix_case {
	const char *path;
	size_t len;
	const char *text;
} unix_cases[] = {
	{ BYTES("/run/x\0"), "/run/x" },
	{ BYTES("/run/x"), "/run/x" },
	{ BYTES("/run/x\0garbage behind the NUL"), "/run/x" },
	{ BYTES("relative"), "relative" },
	{ BYTES("name:80"), "name:80" },
	{ BYTES("1.2.3.4:99999"), "1.2.3.4:99999" },
	{ BYTES("\0abstract"), "@abstract" },
	{ BYTES("\0"), "@" },
	{ BYTES("\0a\0b\0"), "@a\\x00b\\x00" },
	{ BYTES("\0@"), "@@" },
	{ BYTES("\0/x"), "@/x" },
	{ BYTES("/a\\b"), "/a\\x5cb" },
	{ BYTES("/a\\x41"), "/a\\x5cx41" },
	{ BYTES("/two\nlines\r\x1b[31m\x7f"), "/two\\x0alines\\x0d\\x1b[31m\\x7f" },
	{ BYTES("/\xff\xc3"), "/\\xff\\xc3" },
	{ BYTES("/gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"), "/gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80" },
	/* C1's CSI, and a right-to-left override. */
	{ BYTES("/\xc2\x9b"), "/\\xc2\\x9b" },
	{ BYTES("/\xe2\x80\xae"), "/\\xe2\\x80\\xae" },
};

static void unix_addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(unix_cases); i++) {
		struct addr addr = unix_addr_of(unix_cases[i].path, unix_cases[i].len);

		expect_round_trip(&addr, unix_cases[i].text);
		assert_int_equal(addr_port(&addr), 0);
		assert_false(addr_is_empty(&addr));
	}
}

/* A file may be called as another form is written; its address must not turn into that. */
static void paths_that_look_like_other_forms(void **state)
{
	static const char *const paths[] = { "@x", "127.0.0.1:80", "[::1]:80" };
	char text[ADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct addr addr = unix_addr_of(paths[i], strlen(paths[i])), parsed;

		addr_format(&addr, text);
		CHECK(addr_parse(&parsed, text, strlen(text)), "%s", text);
		CHECK(addr_equal(&addr, &parsed), "path %s, text %s", paths[i], text);
	}
}

static void unix_longest(void **state)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)], text[ADDR_TEXT_MAX];
	struct addr addr, parsed;

	(void)state;
	memset(path, 'p', sizeof(path));
	addr = unix_addr_of(path, sizeof(path));
	assert_int_equal(strlen(addr_format(&addr, text)), sizeof(path));
	assert_true(addr_parse(&parsed, text, strlen(text)));
	assert_true(addr_equal(&addr, &parsed));

	memset(path, 1, sizeof(path));
	path[0] = '\0';
	addr = unix_addr_of(path, sizeof(path));
	assert_int_equal(strlen(addr_format(&addr, text)), 1 + 4 * (sizeof(path) - 1));
	assert_true(addr_parse(&parsed, text, strlen(text)));
	assert_true(addr_equal(&addr, &parsed));
}

static void unnamed(void **state)
{
	struct addr addr = unix_addr_of("", 0), none = { 0 };
	char text[ADDR_TEXT_MAX] = "old";

	(void)state;
	assert_string_equal(addr_format(&addr, text), "");
	assert_true(addr_is_empty(&addr));
	assert_string_equal(addr_format(&none, text), "");
	assert_true(addr_is_empty(&none));
	assert_int_equal(addr_port(&none), 0);
	assert_true(addr_equal(&none, &none));
	assert_false(addr_equal(&none, &addr));
}

static bool len_is_valid(int family, size_t len)
{
	if (len > sizeof(struct sockaddr_storage))
		return false;
	switch (family) {
	case AF_INET:
		return len >= sizeof(struct sockaddr_in);
	case AF_INET6:
		return len >= 24; /* RFC 2133's, without a scope */
	case AF_UNIX:
		return len >= sizeof(sa_family_t);
	default:
		return false;
	}
}

static void hostile_lengths(void **state)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC, AF_NETLINK, 0xffff };
	static const struct addr empty;
	char text[ADDR_TEXT_MAX];

	(void)state;
	for (size_t f = 0; f < COUNT(families); f++) {
		for (size_t len = 0; len < 200; len++) {
			/* Exactly as long, so that a sanitizer sees a read behind it. */
			char *raw = malloc(len ? len : 1);
			sa_family_t family = (sa_family_t)families[f];
			struct addr addr;
			bool ok;

			memset(raw, 0x41, len ? len : 1);
			memcpy(raw, &family, len < sizeof(family) ? len : sizeof(family));
			ok = addr_from_bytes(&addr, raw, len);
			free(raw);
			CHECK(ok == len_is_valid(families[f], len), "family %d, %zu bytes",
			      families[f], len);
			if (!ok)
				assert_memory_equal(&addr, &empty, sizeof(addr));
			assert_true(addr.len <= sizeof(addr.un));
			assert_true(strlen(addr_format(&addr, text)) < ADDR_TEXT_MAX);
		}
	}
}

static void short_inet6_has_no_scope(void **state)
{
	struct sockaddr_in6 raw = { .sin6_family = AF_INET6, .sin6_scope_id = 7 };
	struct addr addr;

	(void)state;
	assert_true(addr_from_bytes(&addr, &raw, 24));
	assert_int_equal(addr.in6.sin6_scope_id, 0);
	assert_true(addr_from_bytes(&addr, &raw, 26));
	assert_int_equal(addr.in6.sin6_scope_id, 0);
	assert_int_equal(addr.len, sizeof(raw));
}

static const struct refused_case {
	const char *text;
	size_t len;
} refused_cases[] = {
	{ BYTES("") },
	/* Longer than sun_path. */
	{ BYTES("/23456789012345678901234567890123456789012345678901234567890123456789012345678901"
		"2345678901234567890123456789") },
	{ BYTES("@23456789012345678901234567890123456789012345678901234567890123456789012345678901"
		"2345678901234567890123456789") },
};

static void refused_text(void **state)
{
	struct addr addr = unix_addr_of("/x", 2), before = addr;
	char longest[2 * ADDR_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(refused_cases); i++) {
		CHECK(!addr_parse(&addr, refused_cases[i].text, refused_cases[i].len), "%zu", i);
		assert_true(addr_equal(&addr, &before));
	}
	memset(longest, '1', sizeof(longest));
	longest[4] = ':';
	for (size_t len = ADDR_TEXT_MAX - 1; len < ADDR_TEXT_MAX + 2; len++)
		assert_false(addr_parse(&addr, longest, len));
}

/* From a capture file: JSON can have a NUL in a string, none of the forms can. */
static void text_with_nul(void **state)
{
	static const struct refused_case cases[] = {
		{ BYTES("127.0.0.1:80\0") },
		{ BYTES("127.0.0.1:80\0x") },
		{ BYTES("/path\0x") },
		{ BYTES("\0x") },
	};
	struct addr addr;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		CHECK(!addr_parse(&addr, cases[i].text, cases[i].len), "%zu", i);
}

static void hostile_text(void **state)
{
	static const char letters[] = "0123456789abcdef:.[]%@/\\x\n\xff\xc3\xbc";
	char text[ADDR_TEXT_MAX], again[ADDR_TEXT_MAX];
	uint64_t seed = 1;
	struct addr addr;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		size_t len = unit_random(&seed) % 48;
		char *raw = malloc(len + 1);

		for (size_t at = 0; at < len; at++)
			raw[at] = letters[unit_random(&seed) % (sizeof(letters) - 1)];
		if (len > 2 && unit_random(&seed) % 2) {
			raw[0] = '[';
			raw[len / 2] = ']';
			raw[len / 2 + 1] = ':';
		}
		if (addr_parse(&addr, raw, len)) {
			assert_true(addr.len <= sizeof(addr.un));
			addr_format(&addr, text);
			addr_parse(&addr, text, strlen(text));
			assert_string_equal(addr_format(&addr, again), text);
		}
		free(raw);
	}
}

static void equality(void **state)
{
	struct addr all[] = {
		{ 0 },
		inet_addr_of(AF_INET, "1.2.3.4", 5, 0),
		inet_addr_of(AF_INET, "1.2.3.4", 6, 0),
		inet_addr_of(AF_INET, "1.2.3.5", 5, 0),
		inet_addr_of(AF_INET6, "fe80::1", 5, 0),
		inet_addr_of(AF_INET6, "fe80::1", 5, 1),
		inet_addr_of(AF_INET6, "fe80::1", 6, 1),
		inet_addr_of(AF_INET6, "fe80::2", 5, 1),
		unix_addr_of("", 0),
		unix_addr_of("a", 1),
		unix_addr_of("ab", 2),
		unix_addr_of("\0a", 2),
		unix_addr_of("\0a\0", 3),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++)
		for (size_t j = 0; j < COUNT(all); j++)
			CHECK(addr_equal(&all[i], &all[j]) == (i == j), "%zu and %zu", i, j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inet_addresses),
		cmocka_unit_test(mapped_equals_plain),
		cmocka_unit_test(unix_addresses),
		cmocka_unit_test(paths_that_look_like_other_forms),
		cmocka_unit_test(unix_longest),
		cmocka_unit_test(unnamed),
		cmocka_unit_test(hostile_lengths),
		cmocka_unit_test(short_inet6_has_no_scope),
		cmocka_unit_test(refused_text),
		cmocka_unit_test(text_with_nul),
		cmocka_unit_test(hostile_text),
		cmocka_unit_test(equality),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
