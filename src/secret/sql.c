#include "secret/sql.h"

#include <string.h>

/* Of a name, a comment, a tag: a longer one is none. */
#define WORD_MAX 256U

/* What stands before a password: blanks are any white space, and * is a name. */
static const char *const forms[] = {
	"password",
	"password for * =",
	"identified by",
	"identified by values",
	"identified with * by",
	"identified with * as",
	"identified with * using",
	"identified via * using",
	"identified via * as",
	NULL,
};

static int byte_at(struct span text, size_t at)
{
	return at < text.len ? text.data[at] : -1;
}

static bool is_of(const char *set, int c)
{
	return c > 0 && strchr(set, c);
}

static bool is_blank(int c)
{
	return is_of(" \t\r\n\f\v", c);
}

static bool is_word(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '&' || c >= 0x80;
}

static size_t word_len(struct span text, size_t at)
{
	size_t len = 0;

	while (len < WORD_MAX && is_word(byte_at(text, at + len)))
		len++;
	return len;
}

/* White space and comments. */
static size_t blanks(struct span text, size_t at)
{
	size_t start = at;

	for (;;) {
		struct span comment = span_cut(text, at, WORD_MAX);
		const uint8_t *end;

		while (is_blank(byte_at(text, at)))
			at++;
		comment = span_cut(text, at, WORD_MAX);
		end = span_starts(comment, SPAN("/*")) ? memmem(comment.data, comment.len, "*/", 2)
						       : NULL;
		if (!end)
			return at - start;
		at += (size_t)(end - comment.data) + 2;
	}
}

static size_t form_len(struct span text, const char *form)
{
	struct span rest = span_text(form), word;
	size_t at = 0, len;

	while (rest.len) {
		word = span_split(&rest, ' ');
		len = 0;
		if (!span_equal(word, SPAN("*")))
			len = span_starts_nocase(span_cut(text, at, word.len), word) ? word.len : 0;
		else
			while (len < WORD_MAX && at + len < text.len &&
			       !is_blank(text.data[at + len]) && text.data[at + len] != '=')
				len++;
		if (!len)
			return 0;
		at += len;
		at += rest.len ? blanks(text, at) : 0;
	}
	return at;
}

/* Between a form and the password: " = ", ":=", a function's name and "(". */
static size_t gap_len(struct span text, size_t at)
{
	size_t start = at, len;

	do {
		len = blanks(text, at);
		while (is_of("=:<>!(", byte_at(text, at + len)))
			len++;
		at += len;
		if (!len && is_word(byte_at(text, at))) {
			len = word_len(text, at);
			len = byte_at(text, at + len) == '(' ? len + 1 : 0;
			at += len;
		}
	} while (len);
	return at - start;
}

/* Up to that delimiter, or to the end. */
static struct span up_to(struct span text, size_t at, struct span delimiter)
{
	struct span rest = span_cut(text, at, text.len);
	const uint8_t *end =
		rest.len ? memmem(rest.data, rest.len, delimiter.data, delimiter.len) : NULL;

	return end ? span_of(rest.data, (size_t)(end - rest.data)) : rest;
}

/* Of 'it''s' and 'it\'s', behind the first quote. */
static struct span quoted(struct span text, size_t at, int quote)
{
	size_t start = at;

	for (; at < text.len; at++)
		if (text.data[at] == '\\')
			at++;
		else if (text.data[at] != quote)
			continue;
		else if (byte_at(text, at + 1) == quote)
			at++;
		else
			break;
	return span_cut(text, start, at - start);
}

/* $$…$$ and $tag$…$tag$; $1 is none. */
static struct span dollar_quoted(struct span text, size_t at)
{
	size_t len = 1 + word_len(text, at + 1);
	int first = byte_at(text, at + 1);

	if (byte_at(text, at + len) != '$' || (first >= '0' && first <= '9'))
		return (struct span){ 0 };
	return up_to(text, at + len + 1, span_cut(text, at, len + 1));
}

/* True where ''…'' is a text within a text, not an empty one. */
static bool is_doubled(struct span text, size_t at)
{
	int quote = byte_at(text, at), next = byte_at(text, at + 2);

	return byte_at(text, at + 1) == quote && next >= 0 && next != quote && !is_blank(next) &&
	       !is_of(",;)@]}", next);
}

/* What is between the quotes there, of whichever kind; empty: none are. */
static struct span literal(struct span text, size_t at)
{
	size_t prefix = word_len(text, at);
	int c;

	if (span_starts_nocase(span_cut(text, at, 2), SPAN("0x")))
		return span_cut(text, at, prefix);
	/* E'…', _utf8'…' */
	at += byte_at(text, at + prefix) == '\'' ? prefix : 0;
	c = byte_at(text, at);
	if (c == '$')
		return dollar_quoted(text, at);
	if (c == '\\' && is_of("'\"", byte_at(text, at + 1)))
		return up_to(text, at + 2, span_cut(text, at, 2));
	if (!is_of("'\"", c))
		return (struct span){ 0 };
	if (is_doubled(text, at))
		return up_to(text, at + 2, span_cut(text, at, 2));
	return quoted(text, at + 1, c);
}

/* The password behind a form that begins there; empty: there is none. */
static struct span secret_at(struct span text, size_t at)
{
	struct span rest = span_cut(text, at, text.len), found = { 0 };

	for (const char *const *form = forms; *form && !found.len; form++) {
		size_t len = form_len(rest, *form);

		if (!len)
			continue;
		/* A name in quotes. */
		if (at && is_of("\"'`[", text.data[at - 1]) &&
		    byte_at(rest, len) == (text.data[at - 1] == '[' ? ']' : text.data[at - 1]))
			len++;
		found = literal(rest, len + gap_len(rest, len));
	}
	return found;
}

bool secret_sql_next(struct secret_parts *parts, struct secret_part *ret_part)
{
	struct span text = parts->rest, found;

	for (size_t at = 0; at < text.len; at++) {
		if (!is_of("pPiI", text.data[at]))
			continue;
		found = secret_at(text, at);
		if (!found.len)
			continue;
		*ret_part = (struct secret_part){ found, false };
		at = (size_t)(found.data - text.data) + found.len;
		parts->rest = span_cut(text, at, text.len);
		return true;
	}
	return false;
}
