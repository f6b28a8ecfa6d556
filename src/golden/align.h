/*
 * Which part of a run answers to which part of a golden: sections by their heads, in them connections or
 * exchanges, by all that they say, else by what is most like them.
 */
#ifndef GOLDEN_ALIGN_H
#define GOLDEN_ALIGN_H

#include "golden/model.h"

/* A line of a block with what it looks like. */
struct block_line {
	const char *text; /* with marks, as written but for the two blanks */
	uint64_t blank;
	uint32_t number;   /* in the golden's file */
	struct unit *unit; /* it belongs to */
	bool title;
};

/* A connection, or one exchange where their order does not matter. */
struct block {
	struct block_line *lines;
	size_t count;
	uint64_t blank, colored, title;
	uint32_t times;     /* it is to happen so often */
	uint32_t found;     /* … and did */
	uint32_t last_line; /* in the golden's file */
	struct unit *unit;  /* the first */
};

#define PAIR_COLORED 0 /* the same, also in where else its values occur */
#define PAIR_BLANK   1 /* the same but for its values */
#define PAIR_LIKE    2 /* changed */

struct pair {
	struct block *golden, *run;
	int how;
};

struct aligned_section {
	struct section *golden, *run; /* NULL: there is none */
	bool any;
	struct block *golden_blocks, *run_blocks;
	size_t golden_count, run_count;
	struct pair *pairs; /* golden's order within each way of pairing */
	size_t pair_count;
	bool *run_paired; /* by block of the run */
};

struct alignment {
	struct aligned_section *sections; /* the golden's in their order, then the run's new ones */
	size_t count;
};

/* Both models have been hashed, and the run put into its canonical order (order.h). */
void align_models(struct alignment *ret_alignment, struct model *golden, struct model *run);
void alignment_done(struct alignment *alignment);

#endif
