#include "probe/user.h"

#include "base/own.h"

#include <stdlib.h>
#include <string.h>

#define WORDS 5

/* Arguments that a function can have in our tables. */
#define ARGS_MAX 15

static bool parse_index(const char *text, uint8_t *ret_index)
{
	char *end;
	unsigned long index;

	if (*text < '0' || *text > '9')
		return false;
	index = strtoul(text, &end, 10);
	if (strcmp(end, "]") || index > ARGS_MAX)
		return false;
	*ret_index = (uint8_t)index;
	return true;
}

/* The language of the function shows in its places: go[…] or c[…]; `ret` says nothing of it. */
static bool parse_place(const char *text, struct place *ret_place, int *abi)
{
	int seen = -1;

	if (!strcmp(text, "ret")) {
		*ret_place = (struct place){ .kind = PLACE_RESULT };
		return true;
	}
	ret_place->kind = *text == '*' ? PLACE_AT_ARG : PLACE_ARG;
	ret_place->size = 8;
	text += *text == '*';
	if (!strncmp(text, "go[", 3))
		seen = ABI_GO;
	else if (!strncmp(text, "c[", 2))
		seen = ABI_C;
	if (seen < 0 || (*abi >= 0 && *abi != seen))
		return false;
	*abi = seen;
	return parse_index(strchr(text, '[') + 1, &ret_place->index);
}

static bool fail(const char **ret_why, const char *why)
{
	*ret_why = why;
	return false;
}

bool user_row_parse(const char *text, struct probe_row *ret_row, const char **ret_why)
{
	char *copy auto_free = own_strdup(text), *save = NULL, *words[WORDS + 1];
	struct probe_row row = { .maker = "--probe", .success = ALWAYS };
	size_t count = 0;
	int abi = -1;

	for (char *word = strtok_r(copy, " \t", &save); word && count <= WORDS;
	     word = strtok_r(NULL, " \t", &save))
		words[count++] = word;
	if (count != WORDS)
		return fail(ret_why,
			    "it takes five words: SYMBOL entry|return in|out BUFFER LENGTH");
	if (strcmp(words[1], "entry") && strcmp(words[1], "return"))
		return fail(ret_why, "the second word is entry or return");
	if (strcmp(words[2], "in") && strcmp(words[2], "out"))
		return fail(ret_why, "the third word is in or out");
	row.at_entry = !strcmp(words[1], "entry");
	row.dir = !strcmp(words[2], "in") ? ROW_IN : ROW_OUT;
	if (!parse_place(words[3], &row.buffer, &abi) || !parse_place(words[4], &row.length, &abi))
		return fail(ret_why,
			    "buffer and length are go[N], c[N], *c[N] or ret, of one language");
	if (row.at_entry && (row.buffer.kind == PLACE_RESULT || row.length.kind == PLACE_RESULT))
		return fail(ret_why, "at the entry there is no result yet");
	if (row.length.kind == PLACE_RESULT)
		row.success = IF_POSITIVE;
	row.abi = abi == ABI_GO ? ABI_GO : ABI_C;
	row.symbol = own_strdup(words[0]);
	*ret_row = row;
	return true;
}
