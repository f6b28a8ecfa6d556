#include "base/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct buf *buf, const void *data, size_t len)
{
	char *to = buf_reserve(buf, (len + 2) / 3 * 4);
	const uint8_t *p = data;
	uint32_t word;

	for (; len >= 3; len -= 3, p += 3) {
		word = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		*to++ = alphabet[word >> 18];
		*to++ = alphabet[word >> 12 & 63];
		*to++ = alphabet[word >> 6 & 63];
		*to++ = alphabet[word & 63];
	}
	if (len) {
		word = (uint32_t)p[0] << 16 | (len == 2 ? (uint32_t)p[1] << 8 : 0);
		*to++ = alphabet[word >> 18];
		*to++ = alphabet[word >> 12 & 63];
		*to++ = len == 2 ? alphabet[word >> 6 & 63] : '=';
		*to++ = '=';
	}
	buf->len = (size_t)(to - buf->data);
}

/* The alphabet the other way round, from '+' on. */
static const int8_t values[] = {
	62, -1, -1, -1, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1, -1,
	-1, -1, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17,
	18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1, -1, -1, 26, 27, 28, 29, 30, 31,
	32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
};

static int value_of(char c)
{
	size_t index = (size_t)(uint8_t)c - '+';

	return index < sizeof(values) ? values[index] : -1;
}

/* Four letters, of which the last `padding` are '='; false where one is none. */
static bool decode_group(const char *from, size_t padding, uint8_t to[3])
{
	uint32_t word = 0;
	int value;

	for (size_t i = 0; i < 4; i++) {
		value = i < 4 - padding ? value_of(from[i]) : 0;
		if (value < 0)
			return false;
		word = word << 6 | (uint32_t)value;
	}
	to[0] = (uint8_t)(word >> 16);
	to[1] = (uint8_t)(word >> 8);
	to[2] = (uint8_t)word;
	return true;
}

bool base64_decode(struct buf *buf, size_t from)
{
	size_t len = buf->len - from, padding = 0;
	const char *in;
	uint8_t bytes[3];
	char *out;

	/* There may be no memory at all then. */
	if (!len)
		return true;
	if (len % 4)
		return false;
	in = out = buf->data + from;
	if (in[len - 1] == '=')
		padding = in[len - 2] == '=' ? 2 : 1;
	for (size_t at = 0; at < len; at += 4) {
		size_t less = at + 4 == len ? padding : 0;

		if (!decode_group(in + at, less, bytes))
			return false;
		memcpy(out, bytes, 3 - less);
		out += 3 - less;
	}
	buf->len = (size_t)(out - buf->data);
	return true;
}
