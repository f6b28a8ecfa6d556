#include "secret/line.h"

/* What stands before a password, word by word, in any case; * is any one. */
static const char *const commands[] = {
	"PASS",                 /* FTP (RFC 959), POP3 (RFC 1939), IRC (RFC 2812) */
	"* LOGIN *",            /* IMAP (RFC 9051) */
	"* AUTHENTICATE PLAIN", /* … with SASL-IR */
	"AUTH PLAIN",           /* POP3, ManageSieve: SASL (RFC 5034) */
	"AUTHINFO PASS",        /* NNTP (RFC 4643) */
	"OPER *",               /* IRC */
	NULL,
};

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

struct span secret_line(struct span line)
{
	line = span_trim(line, "\r");
	for (const char *const *command = commands; *command; command++) {
		struct span rest = line;

		if (follows(&rest, *command) && rest.len)
			return rest;
	}
	return (struct span){ 0 };
}
