/* A strict reader of JSON (RFC 8259), without white space, for what the project writes. */
#ifndef UNIT_PARSE_H
#define UNIT_PARSE_H

#include "base/buf.h"

#include <stddef.h>

/* Length of the one value that text begins with, 0 where it is none. */
size_t parse_value(const char *text, size_t len);

/* Length of the string that text begins with, quotes included; its characters go to ret_text. */
size_t parse_string(const char *text, size_t len, struct buf *ret_text);

#endif
