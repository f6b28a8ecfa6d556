#include "golden/pattern.h"

#include "golden/day.h"

#include <string.h>

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool pattern_is_word(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Base64 for URLs. */
static bool is_token(uint8_t c)
{
	return pattern_is_word(c) || c == '-';
}

static bool ends_at(struct span text, size_t at)
{
	return at >= text.len || !pattern_is_word(text.data[at]);
}

/*
 * Follows a form: 0 a digit, x a hex digit, a a letter, anything else itself. Length, 0: it does not
 * match.
 */
static size_t follow(struct span text, const char *form)
{
	size_t len = strlen(form);

	if (text.len < len)
		return 0;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = text.data[i], letter = c | 0x20;

		if (form[i] == '0'   ? !is_digit(c)
		    : form[i] == 'x' ? !is_hex(c)
		    : form[i] == 'a' ? letter < 'a' || letter > 'z'
				     : c != (uint8_t)form[i])
			return 0;
	}
	return len;
}

static size_t count(struct span text, size_t at, bool (*is)(uint8_t c))
{
	size_t start = at;

	while (at < text.len && is(text.data[at]))
		at++;
	return at - start;
}

static size_t match_uuid(struct span text, size_t *ret_keep)
{
	size_t len = follow(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");

	(void)ret_keep;
	return len && ends_at(text, len) ? len : 0;
}

static size_t match_ulid(struct span text, size_t *ret_keep)
{
	size_t digits = 0;

	(void)ret_keep;
	if (text.len < 26 || text.data[0] > '7' || !ends_at(text, 26))
		return 0;
	for (size_t i = 0; i < 26; i++) {
		uint8_t c = text.data[i];

		digits += is_digit(c);
		if (!is_digit(c) && (c < 'A' || c > 'Z' || strchr("ILOU", c)))
			return 0;
	}
	/* 26 digits are a number. The times of our days begin with 0. */
	return digits < 26 && text.data[0] == '0' ? 26 : 0;
}

/* ".123", "Z", "+01:00" behind a time. */
static size_t zone(struct span text, size_t at)
{
	struct span rest;

	if (at < text.len && (text.data[at] == '.' || text.data[at] == ',') &&
	    count(text, at + 1, is_digit))
		at += 1 + count(text, at + 1, is_digit);
	rest = span_cut(text, at, text.len);
	if (rest.len && (rest.data[0] == 'Z' || rest.data[0] == 'z'))
		return at + 1;
	if (!rest.len || (rest.data[0] != '+' && rest.data[0] != '-'))
		return at;
	rest = span_cut(rest, 1, rest.len);
	if (follow(rest, "00:00"))
		return at + 6;
	return follow(rest, "0000") ? at + 5 : follow(rest, "00") ? at + 3 : at;
}

/* Of the first form that the text follows; 0: it follows none. */
static size_t follow_any(struct span text, const char *const *forms)
{
	size_t len = 0;

	while (*forms && !len)
		len = follow(text, *forms++);
	return len;
}

/* Go's Time.String(): a zone, and the monotonic clock. */
static size_t go_tail(struct span text, size_t at)
{
	size_t len = follow(span_cut(text, at, text.len), " +0000 UTC m=+");

	if (!len)
		return at;
	len += at;
	len += count(text, len, is_digit);
	if (len < text.len && text.data[len] == '.')
		len += 1 + count(text, len + 1, is_digit);
	return len;
}

/* RFC 3339 and ISO 8601; without seconds as in listings of directories. */
static size_t match_rfc3339(struct span text, size_t *ret_keep)
{
	static const char *const forms[] = { "0000-00-00T00:00:00",
					     "0000-00-00 00:00:00",
					     "0000-00-00t00:00:00",
					     "00000000T000000",
					     "0000-00-00T00:00",
					     "0000-00-00 00:00",
					     NULL };
	size_t len = follow_any(text, forms);

	(void)ret_keep;
	if (!len)
		return 0;
	len = go_tail(text, zone(text, len));
	return ends_at(text, len) ? len : 0;
}

static size_t match_http_time(struct span text, size_t *ret_keep)
{
	static const char *const forms[] = {
		"aaa, 00 aaa 0000 00:00:00 GMT", "aaa, 00 aaa 0000 00:00:00 +0000",
		"aaa, 00 aaa 0000 00:00:00 -0000", "aaa, 00-aaa-0000 00:00:00 GMT",
		"aaa aaa 00 00:00:00 0000", "aaa aaa  0 00:00:00 0000",
		/* date(1), and JavaScript's toString(). */
		"aaa aaa 00 00:00:00 aaa 0000", "aaa aaa  0 00:00:00 aaa 0000",
		"aaa aaa 00 00:00:00 aaaa 0000", "aaa aaa  0 00:00:00 aaaa 0000",
		"aaa aaa 00 0000 00:00:00 GMT+0000", "aaa aaa 00 0000 00:00:00 GMT-0000", NULL
	};
	size_t len = follow_any(text, forms);

	(void)ret_keep;
	return ends_at(text, len) ? len : 0;
}

/* Of Apache's logs, its and nginx's lists of files, and syslog. */
static size_t match_log_time(struct span text, size_t *ret_keep)
{
	static const char *const forms[] = { "00/aaa/0000:00:00:00 +0000",
					     "00/aaa/0000:00:00:00 -0000", "00-aaa-0000 00:00:00",
					     "00-aaa-0000 00:00", NULL };
	size_t len = follow_any(text, forms);

	(void)ret_keep;
	return ends_at(text, len) ? len : 0;
}

/* syslog's "Jan  2 03:04:05". */
static size_t match_syslog_time(struct span text, size_t *ret_keep)
{
	static const char *const forms[] = { "aaa 00 00:00:00", "aaa  0 00:00:00", NULL };
	size_t len = follow_any(text, forms);
	int month;

	(void)ret_keep;
	return len && day_month(text, &month) && ends_at(text, len) ? len : 0;
}

/* 2015 to 2039: other numbers of so many digits are numbers. */
static size_t match_unix_time(struct span text, size_t *ret_keep)
{
	size_t digits = count(text, 0, is_digit), len = digits;
	uint64_t number;

	(void)ret_keep;
	if ((digits != 10 && digits != 13) || !span_number(span_cut(text, 0, 10), 10, &number) ||
	    number < 1420070400 || number >= 2208988800)
		return 0;
	if (digits == 10 && len < text.len && text.data[len] == '.')
		len += 1 + count(text, len + 1, is_digit);
	return ends_at(text, len) ? len : 0;
}

static size_t match_jwt(struct span text, size_t *ret_keep)
{
	size_t len = 0, part;

	(void)ret_keep;
	if (!span_starts(text, SPAN("eyJ")))
		return 0;
	for (int i = 0; i < 3; i++) {
		part = count(text, len, is_token);
		if (part < 4 && i < 2)
			return 0;
		len += part;
		if (i < 2 && (len >= text.len || text.data[len++] != '.'))
			return 0;
	}
	return len;
}

/* "Signature=…", "X-Amz-Signature=…", "sig=…" in text. */
static size_t match_signature(struct span text, size_t *ret_keep)
{
	static const char *const names[] = { "signature=", "x-amz-signature=", "x-goog-signature=",
					     "sha256=", NULL };

	for (const char *const *name = names; *name; name++) {
		size_t at = strlen(*name), len;

		if (!span_starts_nocase(text, span_text(*name)))
			continue;
		len = count(text, at, is_hex);
		*ret_keep = at;
		return len >= 32 && ends_at(text, at + len) ? at + len : 0;
	}
	return 0;
}

struct shape {
	const char *start;
	size_t least; /* bytes behind it */
};

/* How their makers tell that they are secrets. */
static const struct shape shapes[] = {
	{ "AKIA", 16 },     { "ASIA", 16 },     { "ghp_", 30 },     { "gho_", 30 },
	{ "ghu_", 30 },     { "ghs_", 30 },     { "ghr_", 30 },     { "github_pat_", 30 },
	{ "glpat-", 20 },   { "sk_live_", 16 }, { "sk_test_", 16 }, { "rk_live_", 16 },
	{ "pk_live_", 16 }, { "sk-", 20 },      { "xoxb-", 10 },    { "xoxp-", 10 },
	{ "xoxa-", 10 },    { "xoxr-", 10 },    { "xapp-", 10 },    { "AIza", 30 },
	{ "ya29.", 20 },    { "npm_", 30 },     { "pypi-", 30 },    { "dop_v1_", 30 },
	{ "hvs.", 20 },     { "SG.", 20 },      { "shpat_", 20 },   { "whsec_", 16 },
	{ NULL, 0 },
};

static bool is_secret_byte(uint8_t c)
{
	return is_token(c) || c == '.';
}

static size_t match_secret_shape(struct span text, size_t *ret_keep)
{
	(void)ret_keep;
	for (const struct shape *shape = shapes; shape->start; shape++) {
		size_t at = strlen(shape->start), len;

		if (!span_starts(text, span_text(shape->start)))
			continue;
		len = count(text, at, is_secret_byte);
		if (len >= shape->least)
			return at + len;
	}
	return 0;
}

/* https://user:password@host, "Bearer …", "Basic …". */
static size_t match_credentials(struct span text, size_t *ret_keep)
{
	static const char *const schemes[] = { "Bearer ", "Basic ", NULL };
	size_t at, colon = 0;

	for (const char *const *scheme = schemes; *scheme; scheme++) {
		at = strlen(*scheme);
		if (span_starts(text, span_text(*scheme))) {
			size_t len = at;

			while (len < text.len &&
			       (is_secret_byte(text.data[len]) || strchr("+/=~", text.data[len])))
				len++;
			*ret_keep = at;
			return len >= at + 8 ? len : 0;
		}
	}
	for (at = 0; at < text.len && at < 32 && pattern_is_word(text.data[at]); at++)
		;
	if (at < 2 || !span_starts(span_cut(text, at, text.len), SPAN("://")))
		return 0;
	*ret_keep = at += 3;
	for (;
	     at < text.len && at < 512 && text.data[at] > ' ' && !strchr("/?#\"'<>", text.data[at]);
	     at++) {
		if (text.data[at] == ':' && !colon)
			colon = at;
		if (text.data[at] == '@')
			return colon ? at : 0;
	}
	return 0;
}

static size_t match_private_key(struct span text, size_t *ret_keep)
{
	static const struct span end = { (const uint8_t *)"-----END", 8 };
	const uint8_t *found;

	(void)ret_keep;
	if (!span_starts(text, SPAN("-----BEGIN ")) ||
	    !memmem(text.data, text.len < 64 ? text.len : 64, "PRIVATE KEY", 11))
		return 0;
	found = memmem(text.data, text.len, end.data, end.len);
	return found ? (size_t)(found - text.data) : text.len;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

const struct pattern patterns[] = {
	{ BUILTIN_SECRET_SHAPES, "secret", true, "-", match_private_key },
	{ BUILTIN_SECRET_SHAPES, "secret", true, "AghsrpxynSdw", match_secret_shape },
	{ BUILTIN_SECRET_SHAPES, "secret", true, LETTERS, match_credentials },
	{ BUILTIN_JWT, "jwt", true, "e", match_jwt },
	{ BUILTIN_SIGNATURE, "signature", true, "sSxX", match_signature },
	{ BUILTIN_UUID, "uuid", true, "0abcdefABCDEF", match_uuid },
	{ BUILTIN_ULID, "ulid", true, "0", match_ulid },
	{ BUILTIN_TIME_RFC3339, "time", false, "0", match_rfc3339 },
	{ BUILTIN_TIME_LOG, "time", false, "0", match_log_time },
	{ BUILTIN_TIME_LOG, "time", false, "JFMASOND", match_syslog_time },
	{ BUILTIN_TIME_UNIX, "time", false, "0", match_unix_time },
	{ BUILTIN_TIME_HTTP, "time", false, "SMTWF", match_http_time },
	{ .match = NULL },
};
