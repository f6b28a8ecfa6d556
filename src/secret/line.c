#include "secret/line.h"

#include "base/base64.h"
#include "base/utf8.h"
#include "secret/name.h"

#include <string.h>

/* What stands before a password, word by word, in any case; * is any one. */
static const char *const commands[] = {
	"PASS",             /* FTP (RFC 959), POP3 (RFC 1939), IRC (RFC 2812) */
	"* LOGIN *",        /* IMAP (RFC 9051) */
	"* AUTHENTICATE *", /* … with SASL-IR */
	"AUTH *",           /* POP3: SASL (RFC 5034) */
	"AUTHINFO PASS",    /* NNTP (RFC 4643) */
	"OPER *",           /* IRC */
	NULL,
};

/* The base64 of a longer login is none. */
#define LOGIN_MAX 4096U

/* The next word, or string in quotes, with the blanks behind it taken. */
static struct span take_word(struct span *line)
{
	struct span all = *line, word;
	size_t len = 0;

	if (all.len && all.data[0] == '"') {
		for (len = 1; len < all.len && all.data[len] != '"'; len++)
			len += all.data[len] == '\\';
		len += len < all.len;
	}
	while (len < all.len && all.data[len] != ' ')
		len++;
	word = span_cut(all, 0, len);
	while (len < all.len && all.data[len] == ' ')
		len++;
	*line = span_cut(all, len, all.len);
	return word;
}

static bool follows(struct span *line, const char *command)
{
	struct span words = span_text(command);

	while (words.len) {
		struct span word = span_split(&words, ' '), said = take_word(line);

		if (!said.len || (!span_equal(word, SPAN("*")) && !span_equal_nocase(word, said)))
			return false;
	}
	return true;
}

static bool is_letter(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* What follows the name of a secret in a header, as HTTP's relatives have them: RTSP, SIP, ICAP. */
static struct span header_value(struct span line)
{
	size_t len = 0;

	while (len < line.len && (is_letter(line.data[len]) || (line.data[len] == '-' && len)))
		len++;
	if (len == line.len || line.data[len] != ':' || !secret_is_header(span_cut(line, 0, len)))
		return (struct span){ 0 };
	return span_trim(span_cut(line, len + 1, line.len), " \t");
}

/*
 * A line that is nothing but a login of SASL in base64: PLAIN's (RFC 4616), of two names and a password with
 * NUL between them, or one with a bearer's token (RFC 7628). Clients send it so when the server has asked.
 */
static bool is_login(struct span line)
{
	struct buf plain auto_buf = { 0 };
	struct span password, name;

	if (line.len < 8 || line.len > LOGIN_MAX)
		return false;
	buf_add(&plain, line.data, line.len);
	if (!base64_decode(&plain, 0) || !plain.len)
		return false;
	if (memmem(plain.data, plain.len, "\1auth=", 6))
		return true;
	password = span_of(plain.data, plain.len);
	span_split(&password, 0);
	name = span_split(&password, 0);
	return name.len && password.len && !memchr(password.data, 0, password.len) &&
	       utf8_valid(plain.data, plain.len);
}

struct span secret_line(struct span line)
{
	struct span value;

	line = span_trim(line, "\r");
	if (is_login(line))
		return line;
	value = header_value(line);
	if (value.len)
		return value;
	for (const char *const *command = commands; *command; command++) {
		struct span rest = line;

		if (follows(&rest, *command) && rest.len)
			return rest;
	}
	return (struct span){ 0 };
}
