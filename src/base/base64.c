#include "base/base64.h"

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
