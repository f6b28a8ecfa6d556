#include "golden/json_tree.h"

#include "base/utf8.h"

#include <string.h>

struct cursor {
	struct arena *arena;
	struct span rest;
	unsigned int depth;
};

static void skip_space(struct cursor *cursor)
{
	while (cursor->rest.len && cursor->rest.data[0] && strchr(" \t\r\n", cursor->rest.data[0]))
		cursor->rest = span_of(cursor->rest.data + 1, cursor->rest.len - 1);
}

static bool take(struct cursor *cursor, char c)
{
	skip_space(cursor);
	if (!cursor->rest.len || cursor->rest.data[0] != (uint8_t)c)
		return false;
	cursor->rest = span_of(cursor->rest.data + 1, cursor->rest.len - 1);
	return true;
}

static bool is_hex(struct span text)
{
	uint64_t value;

	return text.len == 4 && span_number(text, 16, &value);
}

/* Behind the opening quote; the closing one is taken, too. */
static bool take_string(struct cursor *cursor, struct span *ret_inside)
{
	struct span rest = cursor->rest;
	size_t at = 0;

	for (; at < rest.len && rest.data[at] != '"'; at++) {
		if (rest.data[at] < 0x20)
			return false;
		if (rest.data[at] != '\\')
			continue;
		if (++at == rest.len || !rest.data[at] || !strchr("\"\\/bfnrtu", rest.data[at]))
			return false;
		if (rest.data[at] == 'u' && !is_hex(span_cut(rest, at + 1, 4)))
			return false;
	}
	*ret_inside = span_cut(rest, 0, at);
	if (at >= rest.len || !utf8_valid(rest.data, at))
		return false;
	cursor->rest = span_of(rest.data + at + 1, rest.len - at - 1);
	return true;
}

static size_t digits(struct span text, size_t at)
{
	size_t start = at;

	while (at < text.len && text.data[at] >= '0' && text.data[at] <= '9')
		at++;
	return at - start;
}

/* Length of a number, 0: it is none. */
static size_t number_len(struct span text)
{
	size_t at = text.len && text.data[0] == '-', n = digits(text, at);

	if (!n || (n > 1 && text.data[at] == '0'))
		return 0;
	at += n;
	if (at < text.len && text.data[at] == '.') {
		n = digits(text, at + 1);
		if (!n)
			return 0;
		at += 1 + n;
	}
	if (at < text.len && (text.data[at] | 0x20) == 'e') {
		at++;
		if (at < text.len && (text.data[at] == '+' || text.data[at] == '-'))
			at++;
		n = digits(text, at);
		if (!n)
			return 0;
		at += n;
	}
	return at;
}

static struct json *parse_value(struct cursor *cursor);

static struct json *new_json(struct cursor *cursor, enum json_kind kind)
{
	struct json *json = arena_alloc(cursor->arena, sizeof(*json));

	*json = (struct json){ .kind = kind };
	return json;
}

/* Behind the opening bracket. */
static struct json *parse_children(struct cursor *cursor, enum json_kind kind)
{
	struct json *json = new_json(cursor, kind), **last = &json->first;
	char end = kind == JSON_OBJECT ? '}' : ']';

	if (take(cursor, end))
		return json;
	do {
		struct span key = { 0 };

		if (kind == JSON_OBJECT &&
		    (!take(cursor, '"') || !take_string(cursor, &key) || !take(cursor, ':')))
			return NULL;
		*last = parse_value(cursor);
		if (!*last)
			return NULL;
		(*last)->key = key;
		last = &(*last)->next;
		json->count++;
	} while (take(cursor, ','));
	return take(cursor, end) ? json : NULL;
}

static struct json *parse_scalar(struct cursor *cursor)
{
	static const char *const words[] = { "true", "false", "null" };
	struct json *json = new_json(cursor, JSON_WORD);
	size_t len = number_len(cursor->rest);

	if (len)
		json->kind = JSON_NUMBER;
	for (size_t i = 0; !len && i < 3; i++)
		if (span_starts(cursor->rest, span_text(words[i])))
			len = strlen(words[i]);
	json->text = span_cut(cursor->rest, 0, len);
	cursor->rest = span_of(cursor->rest.data + len, cursor->rest.len - len);
	return len ? json : NULL;
}

static struct json *parse_value(struct cursor *cursor)
{
	struct json *json = NULL;
	const uint8_t *start;

	if (cursor->depth == JSON_DEPTH)
		return NULL;
	cursor->depth++;
	skip_space(cursor);
	start = cursor->rest.data;
	if (take(cursor, '{')) {
		json = parse_children(cursor, JSON_OBJECT);
	} else if (take(cursor, '[')) {
		json = parse_children(cursor, JSON_ARRAY);
	} else if (take(cursor, '"')) {
		json = new_json(cursor, JSON_STRING);
		if (!take_string(cursor, &json->text))
			json = NULL;
	} else if (cursor->rest.len) {
		json = parse_scalar(cursor);
	}
	cursor->depth--;
	if (json)
		json->whole = span_of(start, (size_t)(cursor->rest.data - start));
	return json;
}

struct json *json_parse(struct arena *arena, struct span text)
{
	struct cursor cursor = { .arena = arena, .rest = text };
	struct json *json;

	if (!text.len || text.len > JSON_MAX)
		return NULL;
	json = parse_value(&cursor);
	skip_space(&cursor);
	return json && !cursor.rest.len ? json : NULL;
}

static void add_utf8(struct buf *out, uint32_t code)
{
	char text[4];
	size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const uint8_t heads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = len; i-- > 1; code >>= 6)
		text[i] = (char)(0x80 | (code & 0x3f));
	text[0] = (char)(heads[len] | code);
	buf_add(out, text, len);
}

/* "\uD83D\uDE00" from its first backslash on; length, 0 for a lone surrogate. */
static size_t add_unicode(struct buf *out, struct span text)
{
	uint64_t high = 0, low = 0;

	span_number(span_cut(text, 2, 4), 16, &high);
	if (high < 0xd800 || high > 0xdfff) {
		add_utf8(out, (uint32_t)high);
		return 6;
	}
	if (high > 0xdbff || !span_starts(span_cut(text, 6, 2), SPAN("\\u")) ||
	    !span_number(span_cut(text, 8, 4), 16, &low) || low < 0xdc00 || low > 0xdfff)
		return 0;
	add_utf8(out, (uint32_t)(0x10000 + ((high & 0x3ff) << 10 | (low & 0x3ff))));
	return 12;
}

bool json_decode(struct buf *out, struct span inside)
{
	static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
	size_t at = 0;

	while (at < inside.len) {
		const uint8_t *slash = memchr(inside.data + at, '\\', inside.len - at);
		size_t len = slash ? (size_t)(slash - inside.data) - at : inside.len - at;
		const char *letter;
		char c;

		buf_add(out, inside.data + at, len);
		at += len;
		if (at == inside.len)
			break;
		c = (char)inside.data[at + 1];
		if (c == 'u') {
			len = add_unicode(out, span_cut(inside, at, inside.len));
			if (!len)
				return false;
			at += len;
			continue;
		}
		letter = strchr(letters, c);
		buf_addc(out, letter ? meanings[letter - letters] : c);
		at += 2;
	}
	return true;
}
