/* The only file that knows pcre2. */
#include "base/match.h"

#include "base/own.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* Steps of one match. */
#define STEPS_MAX 1000000U

struct match {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *context;
};

struct match *match_new(const char *pattern)
{
	PCRE2_SIZE offset;
	int error;
	pcre2_code *code =
		pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, 0, &error, &offset, NULL);
	struct match *match;

	if (!code)
		return NULL;
	match = own_zalloc(sizeof(*match));
	match->code = code;
	pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
	match->data = pcre2_match_data_create(1, NULL);
	match->context = pcre2_match_context_create(NULL);
	pcre2_set_match_limit(match->context, STEPS_MAX);
	return match;
}

void match_free(struct match *match)
{
	if (!match)
		return;
	pcre2_match_context_free(match->context);
	pcre2_match_data_free(match->data);
	pcre2_code_free(match->code);
	free(match);
}

bool match_found(const struct match *match, const void *data, size_t len)
{
	int result =
		pcre2_match(match->code, data ? data : "", len, 0, 0, match->data, match->context);

	return result != PCRE2_ERROR_NOMATCH;
}

bool match_find(const struct match *match, const void *data, size_t len, size_t from,
		size_t *ret_start, size_t *ret_end)
{
	const PCRE2_SIZE *ends;

	if (from > len || pcre2_match(match->code, data ? data : "", len, from, 0, match->data,
				      match->context) < 0)
		return false;
	ends = pcre2_get_ovector_pointer(match->data);
	/* \K can put the start behind the end. */
	if (ends[0] < from || ends[1] < ends[0])
		return false;
	*ret_start = ends[0];
	*ret_end = ends[1];
	return true;
}
