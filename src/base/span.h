/* A run of bytes that belongs to somebody else, and a reader that cannot leave it. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *data;
	size_t len;
};

#define SPAN(literal) ((struct span){ (const uint8_t *)(literal), sizeof(literal) - 1 })

static inline struct span span_of(const void *data, size_t len)
{
	return (struct span){ data, len };
}

static inline struct span span_text(const char *text)
{
	return span_of(text, text ? strlen(text) : 0);
}

/* At most len bytes from offset `at` on; nothing where that is beyond the end. */
static inline struct span span_cut(struct span span, size_t at, size_t len)
{
	if (at >= span.len)
		return (struct span){ 0 };
	return span_of(span.data + at, len < span.len - at ? len : span.len - at);
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len));
}

static inline bool span_starts(struct span span, struct span start)
{
	return span.len >= start.len && !memcmp(span.data, start.data, start.len);
}

/* ASCII letters without regard to case. */
bool span_equal_nocase(struct span a, struct span b);
bool span_starts_nocase(struct span span, struct span start);
bool span_has_nocase(struct span span, struct span part);

/* Without the bytes of `set` (a C string) at both ends. */
struct span span_trim(struct span span, const char *set);

/* Cuts off what stands before the first `c` (which goes, too); all of it where there is none. */
struct span span_split(struct span *rest, char c);

/* Digits of base 10 or 16 and nothing else, in 63 bits; false otherwise. */
bool span_number(struct span span, int base, uint64_t *ret_value);

/*
 * Reading past the end gives zeros and empty spans, and sets `bad`: a parser reads on and asks once.
 */
struct reader {
	const uint8_t *at, *end;
	bool bad;
};

static inline struct reader reader_of(struct span span)
{
	const uint8_t *start = span.data ? span.data : (const uint8_t *)"";

	return (struct reader){ start, start + span.len, false };
}

static inline size_t reader_left(const struct reader *reader)
{
	return (size_t)(reader->end - reader->at);
}

struct span reader_take(struct reader *reader, size_t len);
/* Up to a NUL, which is skipped. Bad where there is none. */
struct span reader_string(struct reader *reader);
/* Big and little endian, of 1 to 8 bytes. */
uint64_t reader_be(struct reader *reader, size_t bytes);
uint64_t reader_le(struct reader *reader, size_t bytes);

static inline uint8_t reader_u8(struct reader *reader)
{
	return (uint8_t)reader_be(reader, 1);
}

static inline uint16_t reader_u16(struct reader *reader)
{
	return (uint16_t)reader_be(reader, 2);
}

static inline uint32_t reader_u32(struct reader *reader)
{
	return (uint32_t)reader_be(reader, 4);
}

static inline struct span reader_rest(struct reader *reader)
{
	return reader_take(reader, reader_left(reader));
}

#endif
