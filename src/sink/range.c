#include "sink/range.h"

#include <errno.h>
#include <stdlib.h>

bool range_number(const char *text, uint64_t *ret_number, const char **ret_end)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret_number = strtoull(text, &end, 10);
	*ret_end = end;
	return !errno;
}

bool range_parse(const char *text, uint64_t *ret_low, uint64_t *ret_high)
{
	if (!range_number(text, ret_low, &text))
		return false;
	*ret_high = *ret_low;
	if (*text != '-')
		return !*text;
	*ret_high = UINT64_MAX;
	return !text[1] ||
	       (range_number(text + 1, ret_high, &text) && !*text && *ret_low <= *ret_high);
}
