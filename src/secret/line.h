/* Passwords in the lines that clients of mail, files and news say. Nothing outside src/secret includes this. */
#ifndef SECRET_LINE_H
#define SECRET_LINE_H

#include "base/span.h"

/* What follows the command that the line begins with, up to its end; empty: it has no password. */
struct span secret_line(struct span line);

#endif
