#include "base/buf.h"

#include "base/own.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_done(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf){ 0 };
}

void buf_grow(struct buf *buf, size_t extra)
{
	size_t cap = buf->cap ? buf->cap : 256;

	while (cap < buf->len + extra)
		cap *= 2;
	buf->data = own_realloc(buf->data, cap);
	buf->cap = cap;
}

void buf_addc(struct buf *buf, char c)
{
	*buf_reserve(buf, 1) = c;
	buf->len++;
}

void buf_adds(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_addu(struct buf *buf, uint64_t value)
{
	char digits[20];
	size_t n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	buf_add(buf, digits + n, sizeof(digits) - n);
}

void buf_addi(struct buf *buf, int64_t value)
{
	if (value < 0)
		buf_addc(buf, '-');
	buf_addu(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void buf_addf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_addv(buf, format, args);
	va_end(args);
}

void buf_addv(struct buf *buf, const char *format, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n <= 0)
		return;
	vsnprintf(buf_reserve(buf, (size_t)n + 1), (size_t)n + 1, format, args);
	buf->len += (size_t)n;
}

const char *buf_cstr(struct buf *buf)
{
	*buf_reserve(buf, 1) = '\0';
	return buf->data;
}
