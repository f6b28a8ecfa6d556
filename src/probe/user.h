/* The user's own rows: --probe 'SYMBOL entry|return in|out BUFFER LENGTH'. */
#ifndef PROBE_USER_H
#define PROBE_USER_H

#include "probe/row.h"

/*
 * BUFFER and LENGTH are go[N] or c[N] (argument N), *c[N] (the 8-byte word it points to, at the
 * return), or ret (the first result). The symbol may end in '*'. Fills *ret_row, whose symbol is the
 * caller's to free; false, and *ret_why says what is wrong.
 */
bool user_row_parse(const char *text, struct probe_row *ret_row, const char **ret_why);

#endif
