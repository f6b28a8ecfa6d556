/* A comparison under way. Nothing outside src/golden includes this. */
#ifndef GOLDEN_COMPARER_H
#define GOLDEN_COMPARER_H

#include "golden/compare.h"

struct change {
	uint32_t after; /* line of the golden */
	char *text;
	size_t of;
	size_t at; /* in the order in which they came */
};

struct comparer {
	struct comparison *result;
	struct model *golden, *run;
	struct alignment alignment;
	struct value **bound; /* by the golden's value: the run's */
	struct value **back;  /* by the run's value: the golden's */
	struct map cases;     /* unit to its number */
	bool *gone;           /* by line of the golden */
	size_t *owner;        /* by line of the golden: its case */
	struct change *added;
	size_t added_count;
};

/* The text with its placeholders; the caller's. */
char *comparer_text(const struct model *model, const char *text);

/*
 * Both texts look alike: their values, one by one. True where they are the same, or could be made so
 * (`bind`).
 */
bool comparer_bind(struct comparer *comparer, const char *golden, const char *run, bool bind);

/* As diff_lines, for the lines of two blocks. */
void comparer_keep(const struct block *golden, const struct block *run, size_t *ret_kept);

/* Cases by number from 1; 0: none. */
size_t comparer_add_case(struct comparer *comparer, const struct model *model,
			 const struct section *section, const struct unit *unit,
			 enum case_kind kind);
size_t comparer_case(const struct comparer *comparer, const struct unit *unit);

/* change.c: fills gone, added, the cases' kinds and the peers. */
void comparer_change(struct comparer *comparer);

#endif
