/* A regular expression on bytes. */
#ifndef SINK_MATCH_H
#define SINK_MATCH_H

#include <stdbool.h>
#include <stddef.h>

struct match;

/* Perl syntax, on bytes. NULL where it is not valid. */
struct match *match_new(const char *pattern);
void match_free(struct match *match);

/* An expression that needs too many steps counts as found: better too much than silence. */
bool match_found(const struct match *match, const void *data, size_t len);

#endif
