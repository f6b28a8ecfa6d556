#include "sink/hexdump.h"

#include "base/utf8.h"

#include <string.h>

/* ASCII that is shown as it is. */
static bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '\\';
}

static bool is_text_control(uint32_t code)
{
	return code == '\n' || code == '\r' || code == '\t';
}

/* What remains could be the beginning of a character: some bytes behind it would make one of it. */
static bool is_cut_character(const char *rest, size_t len)
{
	static const char fill[2] = { '\x80', '\xbf' };
	char whole[4];
	uint32_t code;

	if (len >= sizeof(whole))
		return false;
	for (int i = 0; i < 2; i++) {
		memset(whole, fill[i], sizeof(whole));
		memcpy(whole, rest, len);
		for (size_t n = len + 1; n <= sizeof(whole); n++)
			if (utf8_decode(whole, n, &code) == n)
				return true;
	}
	return false;
}

bool payload_is_text(const void *data, size_t len)
{
	const char *p = data;
	size_t controls = 0, at = 0, n;
	uint32_t code;

	/* A call can begin and end in the middle of a character. */
	while (at < len && at < 3 && ((uint8_t)p[at] & 0xc0) == 0x80)
		at++;
	for (; at < len; at += n) {
		n = 1;
		if (is_plain(p[at]))
			continue;
		n = utf8_decode(p + at, len - at, &code);
		if (!n)
			return at > 0 && is_cut_character(p + at, len - at);
		if (!code)
			return false;
		if (code < 0x20 && !is_text_control(code) && ++controls * 20 > len)
			return false;
	}
	return len > 0;
}

static void add_escaped(struct buf *buf, uint32_t code, const char *bytes, size_t len)
{
	static const char letters[] = "\a\b\t\n\v\f\r\x1b\\";
	static const char names[] = "abtnvfre\\";
	const char *letter = code < 0x80 && code ? strchr(letters, (int)code) : NULL;

	if (letter) {
		buf_addc(buf, '\\');
		buf_addc(buf, names[letter - letters]);
		return;
	}
	for (size_t i = 0; i < len; i++)
		buf_addf(buf, "\\x%02x", (unsigned int)(uint8_t)bytes[i]);
}

/* Adds one character; returns its length. */
static size_t add_character(struct buf *buf, const char *text, size_t len)
{
	uint32_t code = 0xffffffff;
	size_t n = utf8_decode(text, len, &code);

	if (!n)
		n = 1;
	if (code != 0xffffffff && code != '\\' && utf8_shown(code))
		buf_add(buf, text, n);
	else
		add_escaped(buf, code, text, n);
	return n;
}

void payload_add_line(struct buf *buf, const void *data, size_t len)
{
	const char *p = data;
	size_t at = 0, run;

	while (at < len) {
		for (run = at; run < len && is_plain(p[run]); run++)
			continue;
		buf_add(buf, p + at, run - at);
		at = run;
		if (at < len)
			at += add_character(buf, p + at, len - at);
	}
}

void payload_add_text(struct buf *buf, const char *indent, const void *data, size_t len)
{
	const char *p = data, *newline;
	size_t line;

	while (len) {
		newline = memchr(p, '\n', len);
		line = newline ? (size_t)(newline - p) : len;
		buf_adds(buf, indent);
		payload_add_line(buf, p, line);
		buf_addc(buf, '\n');
		if (newline)
			line++;
		p += line;
		len -= line;
	}
}

static void add_byte(char *to, uint8_t byte)
{
	static const char digits[] = "0123456789abcdef";

	to[0] = digits[byte >> 4];
	to[1] = digits[byte & 15];
}

/* At least 8 digits. Returns how many characters, with the spaces behind. */
static size_t put_offset(char *to, uint64_t offset)
{
	size_t bytes = 4;

	while (bytes < 8 && offset >> (8 * bytes))
		bytes++;
	for (size_t i = 0; i < bytes; i++)
		add_byte(to + 2 * i, (uint8_t)(offset >> (8 * (bytes - 1 - i))));
	memset(to + 2 * bytes, ' ', 2);
	return 2 * bytes + 2;
}

/* The hexadecimal half, and how it reads. */
#define HEX_LEN  50
#define LINE_LEN 80

static size_t put_line(char *to, const uint8_t *bytes, size_t n)
{
	char *text = to + HEX_LEN;

	memset(to, ' ', HEX_LEN);
	*text++ = '|';
	for (size_t i = 0; i < n; i++) {
		add_byte(to + i * 3 + (i >= 8), bytes[i]);
		*text++ = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '.';
	}
	*text++ = '|';
	*text++ = '\n';
	return (size_t)(text - to);
}

void payload_add_hex_part(struct buf *buf, const char *indent, const void *data, size_t from,
			  size_t to)
{
	const uint8_t *p = data;
	size_t indented = strlen(indent);
	char *line;

	for (size_t at = from; at < to; at += 16) {
		line = buf_reserve(buf, indented + LINE_LEN + 24);
		memcpy(line, indent, indented);
		line += indented;
		line += put_offset(line, at);
		line += put_line(line, p + at, to - at < 16 ? to - at : 16);
		buf->len = (size_t)(line - buf->data);
	}
}

void payload_add_hex(struct buf *buf, const char *indent, const void *data, size_t len)
{
	payload_add_hex_part(buf, indent, data, 0, len);
}
