/*
 * Which parts of an exchange are not compared: the built-in rules, and those of a file.
 *
 * A rules file has one rule a line; the first that matches wins, then the built-in ones:
 *
 *	mask header NAME [in PLACE] [as TYPE]
 *	mask json POINTER [in PLACE] [as TYPE]      RFC 6901, and * for any one step, ~* for a star
 *	mask query NAME [in PLACE] [as TYPE]        also of bodies that are forms
 *	mask path PATTERN [in PLACE] [as TYPE]      /a/{…}/b: the step in braces, * for any one step
 *	mask text /REGEX/ [in PLACE] [as TYPE]      wherever it is, Perl's syntax
 *	keep header|json|query|path …               not masked, also by no built-in rule
 *	keep builtin NAME
 *	ignore peer PEER
 *	ignore exchange PLACE
 *	order any|strict PEER
 *	count any PLACE
 *
 * PLACE is [METHOD] PEER[/PATH]; in PEER and in each step of PATH * stands for any characters, and a
 * last step ** for any steps. METHOD is also a command's name ("Query"), in any case; in quotes it is all
 * that is said ("Query select 1"), with * for any characters. TYPE names the placeholder; without it:
 * `masked`. A name or pointer that has blanks is in quotes, too, with \" and \\ for those two.
 */
#ifndef GOLDEN_RULES_H
#define GOLDEN_RULES_H

#include "golden/builtin.h"

#include <stdbool.h>

enum rule_action {
	RULE_MASK,
	RULE_KEEP,
	RULE_IGNORE,
	RULE_ORDER_ANY,
	RULE_ORDER_STRICT,
	RULE_COUNT
};
enum rule_what {
	WHAT_HEADER,
	WHAT_JSON,
	WHAT_QUERY,
	WHAT_PATH,
	WHAT_TEXT,
	WHAT_PEER,
	WHAT_EXCHANGE,
	WHAT_BUILTIN,
};

struct match;

/* Of an exchange: "GET", "localhost:80", "/a/b", and all that it says (said.h). */
struct place {
	struct span method, peer, path, said;
};

struct rule {
	enum rule_action action;
	enum rule_what what;
	struct span name;    /* header, pointer, parameter, pattern */
	struct match *regex; /* WHAT_TEXT */
	struct place place;  /* patterns; empty: any */
	const char *type;
	unsigned int line; /* in the file */
	uint64_t hits;
	/* Of what it masked: a sum that does not depend on the order. */
	uint64_t sum;
	uint64_t settled_hits, settled_sum;
};

struct rules {
	struct rule *items;
	size_t count;
	bool off[BUILTINS];
	bool says; /* one has a place with what is said */
	uint64_t hits[BUILTINS], settled[BUILTINS];
	char *text; /* that the rules point into */
};

struct rules_error {
	unsigned int line, column;
	char text[160];
};

/* A file is refused that has more. */
#define RULES_MAX      4096U
#define RULES_FILE_MAX (1U << 20)

/* Zeroed rules are the built-in ones alone. False and *ret_error where the text makes no sense. */
bool rules_parse(struct rules *rules, struct span text, struct rules_error *ret_error);
void rules_done(struct rules *rules);

/* True, and counted, where the built-in rule is on. */
bool rules_use(struct rules *rules, enum builtin builtin);
static inline bool rules_has(const struct rules *rules, enum builtin builtin)
{
	return !rules->off[builtin];
}

/*
 * The first rule for what bears that name (a header in lower case, a pointer, a parameter) at that
 * place; NULL. It may be one to keep. It is counted as used.
 */
struct rule *rules_find(struct rules *rules, enum rule_what what, struct span name,
			const struct place *place);

/* The same for rules that need no name: WHAT_PEER, WHAT_EXCHANGE. */
struct rule *rules_find_action(struct rules *rules, enum rule_action action, enum rule_what what,
			       const struct place *place);

/* True where the rule is for that place. */
bool rule_is_for(const struct rule *rule, const struct place *place);

/* True where the rule is to mask or keep what bears that name. */
bool rule_is_meant(const struct rule *rule, enum rule_what what, struct span name);

/* A rule for a path: true where it matches; then the step it is about, by number from 0. */
bool rule_path_step(const struct rule *rule, struct span path, size_t *ret_step);

/* What was masked in this run so far is not to count: it is gone through once more. */
void rules_forget(struct rules *rules);
/* And what was masked up to now is to count, whatever is forgotten later. */
void rules_settle(struct rules *rules);

/* Notes what a rule has masked, for who asks whether it was needed. */
void rule_masked(struct rule *rule, struct span raw);

/* One rule as it is written in a file. */
struct buf;
void rule_add_text(struct buf *out, const struct rule *rule);

/* A name or pointer as it is written in a rule: in quotes where it needs them. */
void rule_add_name(struct buf *out, struct span name);

#endif
