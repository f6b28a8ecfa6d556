/* The shortest way from one run of lines to another (E. Myers, 1986), by their hashes. */
#ifndef GOLDEN_DIFF_H
#define GOLDEN_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Beyond so many edits, what differs is replaced as a whole. */
#define DIFF_EDITS 1024

/*
 * For each line of `a` the line of `b` that it stays as, or DIFF_NONE, in *ret_kept (a_count of them);
 * kept lines are in order in both. The hashes are borrowed. False where there are more edits: then only
 * what is the same at both ends is kept.
 */
#define DIFF_NONE SIZE_MAX
bool diff_lines(const uint64_t *a, size_t a_count, const uint64_t *b, size_t b_count,
		size_t *ret_kept);

#endif
