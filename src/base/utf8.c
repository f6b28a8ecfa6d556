#include "base/utf8.h"

#include <string.h>

size_t utf8_decode(const void *data, size_t len, uint32_t *ret_code)
{
	const uint8_t *p = data;
	uint32_t code, low;
	size_t n;

	if (!len)
		return 0;
	if (p[0] < 0x80) {
		*ret_code = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len < n)
		return 0;
	code = p[0] & (0x7fU >> n);
	low = n == 2 ? 0x80 : n == 3 ? 0x800 : 0x10000;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3fU);
	}
	if (code < low || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return n;
}

size_t utf8_valid_prefix(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t word;
	uint32_t code;
	size_t at = 0, n;

	while (at < len) {
		if (len - at >= sizeof(word)) {
			memcpy(&word, p + at, sizeof(word));
			if (!(word & 0x8080808080808080ULL)) {
				at += sizeof(word);
				continue;
			}
		}
		n = utf8_decode(p + at, len - at, &code);
		if (!n)
			break;
		at += n;
	}
	return at;
}

bool utf8_valid(const void *data, size_t len)
{
	return utf8_valid_prefix(data, len) == len;
}

struct range {
	uint32_t first, last;
};

static bool in_ranges(uint32_t code, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

/* Unicode 15: categories Cc, Cf (but U+00AD), Zl, Zp, and the non-characters a terminal can
 * misread. */
static const struct range hidden[] = {
	{ 0x0000, 0x001f },   { 0x007f, 0x009f },   { 0x0600, 0x0605 },    { 0x061c, 0x061c },
	{ 0x06dd, 0x06dd },   { 0x070f, 0x070f },   { 0x0890, 0x0891 },    { 0x08e2, 0x08e2 },
	{ 0x180e, 0x180e },   { 0x200b, 0x200f },   { 0x2028, 0x202e },    { 0x2060, 0x206f },
	{ 0xfdd0, 0xfdef },   { 0xfeff, 0xfeff },   { 0xfff9, 0xfffb },    { 0xfffe, 0xffff },
	{ 0x110bd, 0x110bd }, { 0x110cd, 0x110cd }, { 0x13430, 0x1343f },  { 0x1bca0, 0x1bca3 },
	{ 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff }, { 0xf0000, 0x10ffff },
};

bool utf8_shown(uint32_t code)
{
	if (code >= 0x20 && code < 0x7f)
		return true;
	return !in_ranges(code, hidden, sizeof(hidden) / sizeof(hidden[0]));
}

/* The blocks that East Asian Width (UAX 11) calls W or F, and the emoji planes. */
static const struct range wide[] = {
	{ 0x1100, 0x115f },   { 0x231a, 0x231b },   { 0x2e80, 0x303e },   { 0x3041, 0x33ff },
	{ 0x3400, 0x4dbf },   { 0x4e00, 0x9fff },   { 0xa000, 0xa4cf },   { 0xac00, 0xd7a3 },
	{ 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },
	{ 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
};

static const struct range combining[] = {
	{ 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd },
	{ 0x064b, 0x065f }, { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff },
	{ 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
};

int utf8_width(uint32_t code)
{
	if (code < 0x300)
		return 1;
	if (in_ranges(code, combining, sizeof(combining) / sizeof(combining[0])))
		return 0;
	return in_ranges(code, wide, sizeof(wide) / sizeof(wide[0])) ? 2 : 1;
}

size_t utf8_clean(const void *data, size_t len, char *out)
{
	const char *p = data;
	size_t at = 0, to = 0, n;

	while (at < len) {
		n = utf8_valid_prefix(p + at, len - at);
		memcpy(out + to, p + at, n);
		at += n;
		to += n;
		if (at < len) {
			memcpy(out + to, "\xef\xbf\xbd", 3);
			to += 3;
			at++;
		}
	}
	return to;
}
