/* SHA-256 (FIPS 180-4), for bodies that are too long or too binary to be read. */
#ifndef GOLDEN_SHA256_H
#define GOLDEN_SHA256_H

#include "base/span.h"

#define SHA256_TEXT 65

/* In hexadecimal digits. Returns text. */
const char *sha256_text(struct span bytes, char text[SHA256_TEXT]);

#endif
