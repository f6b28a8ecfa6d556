/* Base64 with padding (RFC 4648, section 4). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

#include <stddef.h>

void base64_add(struct buf *buf, const void *data, size_t len);

#endif
