/*
 * Passwords in the lines that clients of mail, files and news say, and in headers. Nothing outside src/secret
 * includes this.
 */
#ifndef SECRET_LINE_H
#define SECRET_LINE_H

#include "base/span.h"

/*
 * What follows the command or the name of a header that the line begins with, up to its end, or all of a line
 * that is a login in base64; empty: it has no password.
 */
struct span secret_line(struct span line);

#endif
