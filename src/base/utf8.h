/* UTF-8 (RFC 3629): what is text, and what may reach a terminal. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Length in bytes (1 to 4) of the character that data begins with, its code point in *ret_code;
 * 0 where the bytes are no valid character: overlong forms, surrogates, beyond U+10FFFF, cut off.
 */
size_t utf8_decode(const void *data, size_t len, uint32_t *ret_code);

/* Length of the longest valid beginning. */
size_t utf8_valid_prefix(const void *data, size_t len);
bool utf8_valid(const void *data, size_t len);

/*
 * True for what a terminal may be shown as it is: no control (C0, DEL, C1), no character that
 * reorders or hides text (bidirectional controls, zero-width, line and paragraph separators, BOM).
 */
bool utf8_shown(uint32_t code);

/* Columns of a shown character on a terminal: 0, 1 or 2. */
int utf8_width(uint32_t code);

/* Copies text, with each invalid byte replaced by U+FFFD; out needs 3 * len bytes. Returns its
 * length. */
size_t utf8_clean(const void *data, size_t len, char *out);

#endif
