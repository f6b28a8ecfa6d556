#include "base/span.h"

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool span_starts_nocase(struct span span, struct span start)
{
	if (span.len < start.len)
		return false;
	for (size_t i = 0; i < start.len; i++)
		if (lower(span.data[i]) != lower(start.data[i]))
			return false;
	return true;
}

bool span_equal_nocase(struct span a, struct span b)
{
	return a.len == b.len && span_starts_nocase(a, b);
}

bool span_has_nocase(struct span span, struct span part)
{
	for (size_t at = 0; at + part.len <= span.len; at++)
		if (span_starts_nocase(span_cut(span, at, part.len), part))
			return true;
	return false;
}

static bool is_of(const char *set, uint8_t c)
{
	return c && strchr(set, c);
}

struct span span_trim(struct span span, const char *set)
{
	while (span.len && is_of(set, span.data[span.len - 1]))
		span.len--;
	while (span.len && is_of(set, span.data[0])) {
		span.data++;
		span.len--;
	}
	return span;
}

struct span span_split(struct span *rest, char c)
{
	const uint8_t *found = rest->len ? memchr(rest->data, c, rest->len) : NULL;
	struct span head = *rest;

	if (!found) {
		*rest = span_cut(*rest, rest->len, 0);
		return head;
	}
	head.len = (size_t)(found - head.data);
	*rest = span_of(found + 1, rest->len - head.len - 1);
	return head;
}

static int digit_of(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

bool span_number(struct span span, int base, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!span.len)
		return false;
	for (size_t i = 0; i < span.len; i++) {
		int digit = digit_of(span.data[i]);

		if (digit >= base || value > (UINT64_MAX >> 1) / (uint64_t)base - 1)
			return false;
		value = value * (uint64_t)base + (uint64_t)digit;
	}
	*ret_value = value;
	return true;
}

struct span reader_take(struct reader *reader, size_t len)
{
	struct span span = span_of(reader->at, len);

	if (len > reader_left(reader)) {
		reader->bad = true;
		reader->at = reader->end;
		return (struct span){ 0 };
	}
	reader->at += len;
	return span;
}

struct span reader_string(struct reader *reader)
{
	size_t left = reader_left(reader);
	const uint8_t *nul = left ? memchr(reader->at, 0, left) : NULL;
	struct span span = reader_take(reader, nul ? (size_t)(nul - reader->at) : left);

	if (nul)
		reader->at++;
	else
		reader->bad = true;
	return span;
}

uint64_t reader_be(struct reader *reader, size_t bytes)
{
	struct span span = reader_take(reader, bytes);
	uint64_t value = 0;

	for (size_t i = 0; i < span.len; i++)
		value = value << 8 | span.data[i];
	return value;
}

uint64_t reader_le(struct reader *reader, size_t bytes)
{
	struct span span = reader_take(reader, bytes);
	uint64_t value = 0;

	for (size_t i = span.len; i > 0; i--)
		value = value << 8 | span.data[i - 1];
	return value;
}
