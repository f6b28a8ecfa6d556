/* Numbers and ranges as the user writes them. */
#ifndef SINK_RANGE_H
#define SINK_RANGE_H

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits from the text's beginning; where they end. False where there are none, or too many. */
bool range_number(const char *text, uint64_t *ret_number, const char **ret_end);

/* N, N-M, or N- for all from there on. */
bool range_parse(const char *text, uint64_t *ret_low, uint64_t *ret_high);

#endif
