/* Writing JSON (RFC 8259), compactly and safely for terminals. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Adds a string with its quotes. The bytes must be UTF-8 (anything else becomes U+FFFD). Controls,
 * C1 controls and the line separators are escaped, so no output line is ever broken by it.
 */
void json_add_string(struct buf *buf, const char *text, size_t len);

/* The same without the quotes, for a string that is added in pieces; they end between characters. */
void json_add_escaped(struct buf *buf, const char *text, size_t len);

/* Adds `,"key":` or, as the first member after `{`, `"key":`. The key is one of ours. */
void json_add_key(struct buf *buf, const char *key);

void json_add_text_member(struct buf *buf, const char *key, const char *text);
void json_add_uint_member(struct buf *buf, const char *key, uint64_t value);
void json_add_int_member(struct buf *buf, const char *key, int64_t value);

#endif
