#include "view/pretty.h"

#include <string.h>

#define DEPTH_MAX 64

/* White space of RFC 8259. */
static const char blanks[] = " \t\r\n";

struct pretty {
	struct buf *buf;
	struct span rest;
	char open[DEPTH_MAX]; /* the brackets that would close what is open */
	size_t depth;
};

static void new_line(struct pretty *pretty)
{
	buf_addc(pretty->buf, '\n');
	for (size_t i = 0; i < pretty->depth; i++)
		buf_adds(pretty->buf, "  ");
}

static void skip_blanks(struct pretty *pretty)
{
	while (pretty->rest.len && pretty->rest.data[0] && strchr(blanks, pretty->rest.data[0]))
		pretty->rest = span_cut(pretty->rest, 1, pretty->rest.len);
}

static void copy(struct pretty *pretty, size_t len)
{
	buf_add(pretty->buf, pretty->rest.data, len);
	pretty->rest = span_cut(pretty->rest, len, pretty->rest.len);
}

static bool copy_string(struct pretty *pretty)
{
	size_t len = 1;

	while (len < pretty->rest.len && pretty->rest.data[len] != '"')
		len += pretty->rest.data[len] == '\\' ? 2 : 1;
	if (len >= pretty->rest.len)
		return false;
	copy(pretty, len + 1);
	return true;
}

static bool copy_bare(struct pretty *pretty)
{
	static const char bare[] = "+-.0123456789Eaeflnrstu";
	size_t len = 0;

	while (len < pretty->rest.len && pretty->rest.data[len] &&
	       strchr(bare, pretty->rest.data[len]))
		len++;
	copy(pretty, len);
	return len > 0;
}

static bool open_bracket(struct pretty *pretty, char close)
{
	if (pretty->depth == DEPTH_MAX)
		return false;
	copy(pretty, 1);
	skip_blanks(pretty);
	pretty->open[pretty->depth++] = close;
	if (pretty->rest.len && pretty->rest.data[0] != (uint8_t)close)
		new_line(pretty);
	return true;
}

static bool close_bracket(struct pretty *pretty, char close, bool empty)
{
	if (!pretty->depth || pretty->open[--pretty->depth] != close)
		return false;
	if (!empty)
		new_line(pretty);
	copy(pretty, 1);
	return true;
}

static bool add_token(struct pretty *pretty, uint8_t before)
{
	switch (pretty->rest.data[0]) {
	case '{':
		return open_bracket(pretty, '}');
	case '[':
		return open_bracket(pretty, ']');
	case '}':
		return close_bracket(pretty, '}', before == '{');
	case ']':
		return close_bracket(pretty, ']', before == '[');
	case '"':
		return copy_string(pretty);
	case ',':
		copy(pretty, 1);
		new_line(pretty);
		return pretty->depth > 0;
	case ':':
		copy(pretty, 1);
		buf_addc(pretty->buf, ' ');
		return pretty->depth > 0;
	default:
		return copy_bare(pretty);
	}
}

bool pretty_json(struct buf *buf, struct span text)
{
	struct pretty pretty = { .buf = buf, .rest = span_trim(text, blanks) };
	size_t begin = buf->len;
	uint8_t token = 0, before;
	bool good = pretty.rest.len > 1 && strchr("{[", pretty.rest.data[0]) != NULL;

	while (good && pretty.rest.len) {
		before = token;
		token = pretty.rest.data[0];
		good = add_token(&pretty, before);
		skip_blanks(&pretty);
		/* One value, and nothing behind it. */
		good &= pretty.depth > 0 || !pretty.rest.len;
	}
	if (good && !pretty.depth)
		return true;
	buf->len = begin;
	return false;
}
