/* What is found out while a run is held against the first one. */
#ifndef GOLDEN_LEARNER_H
#define GOLDEN_LEARNER_H

#include "golden/align.h"
#include "golden/learn.h"
#include "golden/learn_rule.h"

struct learner {
	struct learned *learned;
	struct differences all;
	struct map told; /* refusals, by what is refused and why */
	struct model *golden, *model;
	size_t run; /* the one at hand */
	const struct aligned_section *section;
};

/* Takes both texts. The same rule is there once. */
void learner_add(struct learner *learner, char *rule, char *what, size_t run);

/* Once for each title and reason; `part`: what differs, or NULL. */
void learner_refuse(struct learner *learner, const struct model *model, const char *head,
		    const char *title, const char *why, const char *part);

/* Of the section at hand. */
void learner_refuse_unit(struct learner *learner, const struct unit *unit, const char *why,
			 const char *part);
void learner_differs(struct learner *learner, struct difference difference);

/* The lines of two exchanges that answer to each other. */
void learner_lines(struct learner *learner, const struct unit *a, const struct unit *b);

/* The placeholder's type for what was sent so. */
const char *learner_type(struct span raw);

/* What differs of the first run's text, with the words that it is in; the caller's. */
char *learner_part(const struct learner *learner, const char *one, const char *other);

#endif
