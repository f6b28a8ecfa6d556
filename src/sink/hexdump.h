/* Payload for people: as text with escapes, or as a hexdump. Every line of it is indented. */
#ifndef SINK_HEXDUMP_H
#define SINK_HEXDUMP_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* True where the bytes read as text: UTF-8 (cut characters at the ends allowed), few controls. */
bool payload_is_text(const void *data, size_t len);

/*
 * One line per line of text, each behind the indent; a backslash and all that a terminal would obey
 * is escaped as in C.
 */
void payload_add_text(struct buf *buf, const char *indent, const void *data, size_t len);

/* Offset, 16 bytes, their ASCII; as hexdump -C. Or only from a multiple of 16 on, up to an end. */
void payload_add_hex(struct buf *buf, const char *indent, const void *data, size_t len);
void payload_add_hex_part(struct buf *buf, const char *indent, const void *data, size_t from,
			  size_t to);

/* One line's worth of text escaped the same way, without a line break. */
void payload_add_line(struct buf *buf, const void *data, size_t len);

#endif
