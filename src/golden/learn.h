/*
 * Rules for what differs between runs of one program: proposed where the difference has a name of its own
 * (a header, a member of JSON, a parameter), refused where a rule would hide what a golden is for.
 */
#ifndef GOLDEN_LEARN_H
#define GOLDEN_LEARN_H

#include "golden/model.h"

struct proposal {
	char *rule;  /* a line for a rules file; NULL: refused */
	char *what;  /* what differed, for people */
	size_t runs; /* in so many of them */
};

struct learned {
	struct proposal *items;
	size_t count;
};

/*
 * Holds each run against the first. The models were gathered with `explain`, and are put into their
 * canonical order by this.
 */
void learn(struct learned *ret_learned, struct model *const *runs, size_t count);
void learned_done(struct learned *learned);

#endif
