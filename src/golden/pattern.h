/* What identifiers, times and secrets look like: a row each. */
#ifndef GOLDEN_PATTERN_H
#define GOLDEN_PATTERN_H

#include "golden/builtin.h"

#include <stdbool.h>

struct pattern {
	enum builtin builtin;
	const char *type;  /* of the placeholder */
	bool numbered;     /* an identifier, which must reappear where it did */
	const char *start; /* bytes that it may begin with; "0" stands for any digit */
	/*
	 * Length of it at the beginning of text, 0: it is none. The byte before is no letter or digit.
	 * *ret_keep bytes at its beginning are not of the value.
	 */
	size_t (*match)(struct span text, size_t *ret_keep);
};

/* In the order in which they are tried; the last has no match. */
extern const struct pattern patterns[];

bool pattern_is_word(uint8_t c);

#endif
