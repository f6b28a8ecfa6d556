/* Base64 with padding (RFC 4648, section 4). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

void base64_add(struct buf *buf, const void *data, size_t len);

/* Decodes in place what the buffer holds from `from` on; false where that is no base64. */
bool base64_decode(struct buf *buf, size_t from);

#endif
