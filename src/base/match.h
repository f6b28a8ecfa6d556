/* A regular expression on bytes. */
#ifndef BASE_MATCH_H
#define BASE_MATCH_H

#include <stdbool.h>
#include <stddef.h>

struct match;

/* Perl syntax, on bytes. NULL where it is not valid. */
struct match *match_new(const char *pattern);
void match_free(struct match *match);

/* An expression that needs too many steps counts as found: better too much than silence. */
bool match_found(const struct match *match, const void *data, size_t len);

/*
 * The first place at or behind `from` where it matches, *ret_start up to *ret_end (offsets). False
 * where there is none, or where it needs too many steps.
 */
bool match_find(const struct match *match, const void *data, size_t len, size_t from,
		size_t *ret_start, size_t *ret_end);

#endif
