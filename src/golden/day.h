/* Dates without a time, as programs write them: 2026-01-02, 02.01.2026, 1/2/2026, Jan 2, 2026, 20260102. */
#ifndef GOLDEN_DAY_H
#define GOLDEN_DAY_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* Days since 1970-01-01. */
struct days {
	int64_t first, last;
};

/*
 * Those of a run from one time to another (nanoseconds since the epoch), wherever on earth: with the day
 * before and the day behind.
 */
struct days days_of(uint64_t first, uint64_t last);

/* The name of a month that the text begins with, whole or three letters of it; 0: there is none. */
size_t day_month(struct span text, int *ret_month);

/* True where a date, or the name of a day before it, can begin with that byte. */
bool day_may_begin(uint8_t c);

/*
 * Length of a date in that range that the text begins with, with the name of the day before it; 0: there is
 * none. The byte before is no letter or digit. Where it can be read in two ways, either will do.
 */
size_t day_match(const struct days *days, struct span text);

#endif
