#include "base/json.h"

#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

/* ASCII that stands for itself: not a control, quote, backslash or DEL. */
static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void add_ascii(struct buf *buf, char c)
{
	static const char digits[] = "0123456789abcdef";
	char *to = buf_reserve(buf, 6);
	char letter = 0;

	switch (c) {
	case '"':
	case '\\':
		letter = c;
		break;
	case '\b':
		letter = 'b';
		break;
	case '\f':
		letter = 'f';
		break;
	case '\n':
		letter = 'n';
		break;
	case '\r':
		letter = 'r';
		break;
	case '\t':
		letter = 't';
		break;
	}
	to[0] = '\\';
	if (letter) {
		to[1] = letter;
		buf->len += 2;
		return;
	}
	memcpy(to + 1, "u00", 3);
	to[4] = digits[(uint8_t)c >> 4];
	to[5] = digits[(uint8_t)c & 15];
	buf->len += 6;
}

/* A character beyond ASCII, or an invalid byte. Returns how many bytes it took. */
static size_t add_wide(struct buf *buf, const char *text, size_t len)
{
	uint32_t code;
	size_t n = utf8_decode(text, len, &code);

	if (!n) {
		buf_adds(buf, "\\ufffd");
		return 1;
	}
	if (utf8_shown(code) || code > 0xffff)
		buf_add(buf, text, n);
	else
		buf_addf(buf, "\\u%04x", code);
	return n;
}

void json_add_escaped(struct buf *buf, const char *text, size_t len)
{
	size_t at = 0, run;

	while (at < len) {
		for (run = at; run < len && is_plain(text[run]); run++)
			continue;
		buf_add(buf, text + at, run - at);
		at = run;
		if (at == len)
			break;
		if ((uint8_t)text[at] < 0x80)
			add_ascii(buf, text[at++]);
		else
			at += add_wide(buf, text + at, len - at);
	}
}

void json_add_string(struct buf *buf, const char *text, size_t len)
{
	buf_addc(buf, '"');
	json_add_escaped(buf, text, len);
	buf_addc(buf, '"');
}

void json_add_key(struct buf *buf, const char *key)
{
	if (buf->len && buf->data[buf->len - 1] != '{')
		buf_addc(buf, ',');
	buf_addc(buf, '"');
	buf_adds(buf, key);
	buf_add(buf, "\":", 2);
}

void json_add_text_member(struct buf *buf, const char *key, const char *text)
{
	json_add_key(buf, key);
	json_add_string(buf, text, strlen(text));
}

void json_add_uint_member(struct buf *buf, const char *key, uint64_t value)
{
	json_add_key(buf, key);
	buf_addu(buf, value);
}

void json_add_int_member(struct buf *buf, const char *key, int64_t value)
{
	json_add_key(buf, key);
	buf_addi(buf, value);
}
