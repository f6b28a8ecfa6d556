#include "parse.h"

#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

static int hex4(const char *text, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	int value = 0;

	if (len < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		const char *at = text[i] ? strchr(digits, text[i]) : NULL;

		if (!at)
			return -1;
		value = value << 4 | (int)(at - digits);
	}
	return value;
}

static void add_code(struct buf *buf, int code)
{
	if (code < 0x80) {
		buf_addc(buf, (char)code);
	} else if (code < 0x800) {
		buf_addc(buf, (char)(0xc0 | code >> 6));
		buf_addc(buf, (char)(0x80 | (code & 63)));
	} else {
		buf_addc(buf, (char)(0xe0 | code >> 12));
		buf_addc(buf, (char)(0x80 | (code >> 6 & 63)));
		buf_addc(buf, (char)(0x80 | (code & 63)));
	}
}

/* What follows a backslash; its length. Surrogates are not written by us, so they are refused. */
static size_t parse_escape(const char *text, size_t len, struct buf *ret_text)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *letter;
	int code;

	if (!len || !text[0])
		return 0;
	letter = strchr(letters, text[0]);
	if (letter) {
		buf_addc(ret_text, meant[letter - letters]);
		return 1;
	}
	if (text[0] != 'u')
		return 0;
	code = hex4(text + 1, len - 1);
	if (code < 0 || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	add_code(ret_text, code);
	return 5;
}

size_t parse_string(const char *text, size_t len, struct buf *ret_text)
{
	size_t at = 1, n;
	uint32_t code;

	if (!len || text[0] != '"')
		return 0;
	while (at < len && text[at] != '"') {
		if (text[at] == '\\') {
			n = parse_escape(text + at + 1, len - at - 1, ret_text);
			if (!n)
				return 0;
			at += n + 1;
			continue;
		}
		n = utf8_decode(text + at, len - at, &code);
		if (!n || code < 0x20)
			return 0;
		buf_add(ret_text, text + at, n);
		at += n;
	}
	return at < len ? at + 1 : 0;
}

static size_t skip_string(const char *text, size_t len)
{
	struct buf ignored auto_buf = { 0 };

	return parse_string(text, len, &ignored);
}

/* All numbers of ours are integers. */
static size_t skip_number(const char *text, size_t len)
{
	size_t at = len && text[0] == '-', first = at;

	while (at < len && text[at] >= '0' && text[at] <= '9')
		at++;
	return at == first || (text[first] == '0' && at > first + 1) ? 0 : at;
}

/* A list between brackets, of values or of members. */
static size_t skip_list(const char *text, size_t len, bool members, char end)
{
	size_t at = 1, n;

	if (len > 1 && text[1] == end)
		return 2;
	while (at < len) {
		if (members) {
			n = skip_string(text + at, len - at);
			if (!n || at + n >= len || text[at + n] != ':')
				return 0;
			at += n + 1;
		}
		n = parse_value(text + at, len - at);
		if (!n || at + n >= len)
			return 0;
		at += n;
		if (text[at] == end)
			return at + 1;
		if (text[at++] != ',')
			return 0;
	}
	return 0;
}

size_t parse_value(const char *text, size_t len)
{
	if (!len)
		return 0;
	switch (text[0]) {
	case '{':
		return skip_list(text, len, true, '}');
	case '[':
		return skip_list(text, len, false, ']');
	case '"':
		return skip_string(text, len);
	default:
		return skip_number(text, len);
	}
}
