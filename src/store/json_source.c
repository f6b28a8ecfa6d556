/* An event out of a line of JSON (RFC 8259). Strings are taken in pieces, so a line has no bound. */
#include "base/addr.h"
#include "iotrace/capture.h"
#include "store/source.h"

#include <errno.h>
#include <string.h>

/* Behind spaces; -ENODATA at the end. A line break is no space: it ends the event. */
static int peek(struct source *source)
{
	uint8_t c;

	while (input_fill(source->input, 1)) {
		c = *input_data(source->input);
		if (c != ' ' && c != '\t' && c != '\r')
			return c;
		input_take(source->input, 1);
	}
	return -ENODATA;
}

/* Takes this character; 0, or what is wrong. */
static int expect(struct source *source, char c)
{
	int found = peek(source);

	if (found != c)
		return found < 0 ? found : -EBADMSG;
	input_take(source->input, 1);
	return 0;
}

static int json_enter(struct source *source, bool map)
{
	int result = expect(source, map ? '{' : '[');

	if (result)
		return result;
	if (source->depth == SOURCE_LEVELS)
		return -EBADMSG;
	source->levels[source->depth++] = (struct source_level){ .map = map, .first = true };
	return 0;
}

static int json_next(struct source *source)
{
	struct source_level *level = &source->levels[source->depth - 1];
	int found = peek(source);

	if (found < 0)
		return found;
	if (found == (level->map ? '}' : ']')) {
		input_take(source->input, 1);
		source->depth--;
		return 0;
	}
	if (!level->first) {
		if (found != ',')
			return -EBADMSG;
		input_take(source->input, 1);
	}
	level->first = false;
	return 1;
}

/* A string's content on its way into a buffer. */
struct taking {
	struct buf *to;
	uint64_t room, len;
};

static void add(struct taking *taking, const void *data, size_t len)
{
	size_t keep = len < taking->room ? len : (size_t)taking->room;

	buf_add(taking->to, data, keep);
	taking->room -= keep;
	taking->len += len;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_hex4(struct source *source, uint32_t *ret_code)
{
	const uint8_t *data;
	uint32_t code = 0;
	int digit;

	if (input_fill(source->input, 4) < 4)
		return -ENODATA;
	data = input_data(source->input);
	for (int i = 0; i < 4; i++) {
		digit = hex_digit(data[i]);
		if (digit < 0)
			return -EBADMSG;
		code = code << 4 | (uint32_t)digit;
	}
	input_take(source->input, 4);
	*ret_code = code;
	return 0;
}

static size_t encode_utf8(uint32_t code, uint8_t to[4])
{
	static const uint8_t leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--) {
		to[i] = (uint8_t)(0x80 | (code & 0x3f));
		code >>= 6;
	}
	to[0] = (uint8_t)(leads[n] | code);
	return n;
}

/* Behind "\u"; characters beyond U+FFFF are two of them. */
static int take_unicode(struct source *source, struct taking *taking)
{
	uint32_t code, low;
	uint8_t bytes[4];
	int result = take_hex4(source, &code);

	if (result)
		return result;
	if (code >= 0xd800 && code <= 0xdbff) {
		if (input_fill(source->input, 2) < 2)
			return -ENODATA;
		if (memcmp(input_data(source->input), "\\u", 2) != 0)
			return -EBADMSG;
		input_take(source->input, 2);
		result = take_hex4(source, &low);
		if (result)
			return result;
		if (low < 0xdc00 || low > 0xdfff)
			return -EBADMSG;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	} else if (code >= 0xdc00 && code <= 0xdfff) {
		return -EBADMSG;
	}
	add(taking, bytes, encode_utf8(code, bytes));
	return 0;
}

static int take_escape(struct source *source, struct taking *taking)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *letter;
	uint8_t c;

	if (input_fill(source->input, 2) < 2)
		return -ENODATA;
	c = input_data(source->input)[1];
	input_take(source->input, 2);
	if (c == 'u')
		return take_unicode(source, taking);
	letter = c ? strchr(letters, c) : NULL;
	if (!letter)
		return -EBADMSG;
	add(taking, &meant[letter - letters], 1);
	return 0;
}

/* Characters that stand for themselves, as many as the window holds. */
static void take_run(struct source *source, struct taking *taking)
{
	size_t ready = input_fill(source->input, 1), n = 0;
	const uint8_t *data = input_data(source->input);

	while (n < ready && data[n] >= 0x20 && data[n] != '"' && data[n] != '\\')
		n++;
	add(taking, data, n);
	input_take(source->input, n);
}

static int take_string(struct source *source, struct taking *taking)
{
	int result = expect(source, '"');
	uint8_t c;

	while (!result) {
		take_run(source, taking);
		if (!input_fill(source->input, 1))
			return -ENODATA;
		c = *input_data(source->input);
		if (c == '\\') {
			result = take_escape(source, taking);
		} else if (c == '"') {
			input_take(source->input, 1);
			return 0;
		} else if (c < 0x20) {
			return -EBADMSG;
		}
	}
	return result;
}

static int json_text(struct source *source, struct buf *to, uint64_t max, uint64_t *ret_len)
{
	struct taking taking = { .to = to, .room = max };
	int result = take_string(source, &taking);

	*ret_len = taking.len;
	return result;
}

static int json_key(struct source *source, struct source_key *ret_key)
{
	/* Never grows: it takes no more than it has room for. */
	struct buf key = { .data = ret_key->text, .cap = sizeof(ret_key->text) };
	struct taking taking = { .to = &key, .room = sizeof(ret_key->text) };
	int result = take_string(source, &taking);

	if (result)
		return result;
	ret_key->len = taking.len <= sizeof(ret_key->text) ? taking.len : 0;
	return expect(source, ':');
}

/* Integers only: no number of ours is another. */
static int json_number(struct source *source, struct source_number *ret_number)
{
	uint64_t value = 0;
	int c = peek(source), digits = 0;

	if (c < 0)
		return c;
	ret_number->negative = c == '-';
	input_take(source->input, c == '-');
	while (input_fill(source->input, 1)) {
		c = *input_data(source->input) - '0';
		if (c < 0 || c > 9)
			break;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)c, &value))
			return -EBADMSG;
		input_take(source->input, 1);
		digits++;
	}
	if (!digits)
		return -EBADMSG;
	if (ret_number->negative && !value)
		ret_number->negative = false;
	ret_number->value = ret_number->negative ? value - 1 : value;
	return 0;
}

/* There are none in JSON: payload is text or base64. */
static int json_bytes(struct source *source, struct buf *to, uint64_t max, uint64_t *ret_len)
{
	(void)source;
	(void)to;
	(void)max;
	*ret_len = 0;
	return -EBADMSG;
}

static int json_addr(struct source *source, struct addr *ret_addr)
{
	char text[ADDR_TEXT_MAX];
	struct buf buf = { .data = text, .cap = sizeof(text) };
	uint64_t len;
	int result = json_text(source, &buf, sizeof(text), &len);

	if (result)
		return result;
	return len < sizeof(text) && addr_parse(ret_addr, text, len) ? 0 : -EBADMSG;
}

/* A number of any form, or true, false, null. */
static int skip_word(struct source *source)
{
	size_t n = 0;
	uint8_t c;

	while (input_fill(source->input, 1)) {
		c = *input_data(source->input);
		if (!strchr("+-.0123456789Eaeflnrstu", c) || !c)
			break;
		input_take(source->input, 1);
		n++;
	}
	return n ? 0 : -EBADMSG;
}

static int skip_string(struct source *source)
{
	struct taking nowhere = { 0 };
	struct buf none = { 0 };

	nowhere.to = &none;
	return take_string(source, &nowhere);
}

/* Brackets are only counted by depth: what is between them is somebody else's. */
static int json_skip(struct source *source)
{
	size_t depth = 0;
	int c, result = 0;

	do {
		c = peek(source);
		if (c < 0)
			return c;
		switch (c) {
		case '{':
		case '[':
			if (++depth > CAPTURE_DEPTH_MAX)
				return -EBADMSG;
			input_take(source->input, 1);
			break;
		case '}':
		case ']':
			if (!depth--)
				return -EBADMSG;
			input_take(source->input, 1);
			break;
		case ',':
		case ':':
			if (!depth)
				return -EBADMSG;
			input_take(source->input, 1);
			break;
		case '"':
			result = skip_string(source);
			break;
		default:
			result = skip_word(source);
		}
	} while (depth && !result);
	return result;
}

const struct source_ops source_json = {
	json_enter, json_next, json_key, json_number, json_text, json_bytes, json_addr, json_skip,
};
