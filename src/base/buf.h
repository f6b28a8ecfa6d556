/* A growing run of bytes, for text and records on their way out. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
};

/* A zeroed struct buf is an empty one; buf_done releases it and leaves it empty. */
void buf_done(struct buf *buf);

/* Makes the buffer larger by `extra` bytes at least, behind its end. */
void buf_grow(struct buf *buf, size_t extra);

/* Room for `extra` bytes behind the end; the pointer is valid until the next call. */
static inline char *buf_reserve(struct buf *buf, size_t extra)
{
	if (buf->cap - buf->len < extra)
		buf_grow(buf, extra);
	return buf->data ? buf->data + buf->len : NULL;
}

static inline void buf_add(struct buf *buf, const void *data, size_t len)
{
	if (!len)
		return;
	memcpy(buf_reserve(buf, len), data, len);
	buf->len += len;
}

void buf_addc(struct buf *buf, char c);
void buf_adds(struct buf *buf, const char *text);
void buf_addu(struct buf *buf, uint64_t value);
void buf_addi(struct buf *buf, int64_t value);
void buf_addf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_addv(struct buf *buf, const char *format, va_list args);

/* The content as a C string, owned by the buffer. */
const char *buf_cstr(struct buf *buf);

#define auto_buf __attribute__((cleanup(buf_done)))

#endif
