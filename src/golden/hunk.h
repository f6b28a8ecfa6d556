/* Hunks of a unified diff, from lines that stay, go and come. */
#ifndef GOLDEN_HUNK_H
#define GOLDEN_HUNK_H

#include "golden/compare.h"

struct op {
	char sign; /* ' ', '-', '+' */
	struct span text;
	uint32_t line; /* in the golden: its own; of what comes: the one before */
	size_t of;     /* its case, plus 1; 0: none */
};

/*
 * Adds hunks with three lines around each change. `note` follows their names ("" for none); `first_new`
 * is the number of the new file's first line.
 */
void hunks_add(struct comparison *comparison, const struct op *ops, size_t count,
	       uint32_t first_new, const char *note);

#endif
