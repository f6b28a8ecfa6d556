/* How a rule for one difference is written: a place as narrow as the language can say, and a check of it. */
#ifndef GOLDEN_LEARN_RULE_H
#define GOLDEN_LEARN_RULE_H

#include "golden/model.h"
#include "golden/rules.h"

/* Something of the first run that another one has otherwise. */
struct difference {
	enum rule_what what; /* WHAT_EXCHANGE: how often it happens */
	const char *head;    /* of the section */
	const struct unit *unit;
	const struct line *line; /* NULL: it is the title that differs */
	struct span name;        /* of a parameter in the title */
	const char *type;        /* of the placeholder */
	size_t run;              /* the other one */
};

struct differences {
	struct difference *items;
	size_t count;
	struct map checked; /* rules, by hash: why not, or "" */
};

/* What rules for that line are about. False: there are none for such a line. */
bool learn_what(const struct line *line, enum rule_what *ret_what);

/* The rule; the caller's. NULL: there is none that hides no more than this, and *ret_why says why. */
char *learn_rule(const struct model *model, struct differences *all,
		 const struct difference *difference, const char **ret_why);

#endif
