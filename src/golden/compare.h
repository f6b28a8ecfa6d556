/*
 * A run held against a golden: what changed, as a unified diff of the golden's text, and exchange by
 * exchange. Identifiers are bound to the golden's numbers where both were used alike.
 */
#ifndef GOLDEN_COMPARE_H
#define GOLDEN_COMPARE_H

#include "golden/align.h"

enum case_kind { CASE_SAME, CASE_CHANGED, CASE_NEW, CASE_GONE, CASE_KINDS };

/* What became of one exchange. */
struct compare_case {
	char *title, *peer;
	enum case_kind kind;
	uint32_t line; /* in the golden; where it would stand */
	size_t hunk;   /* that tells it, plus 1; 0: none */
};

struct hunk {
	size_t at, len; /* in comparison.diff */
	uint32_t line;  /* of its first change in the golden */
	size_t first;   /* the case that it is named after, plus 1; 0: none */
};

struct comparison {
	struct compare_case *cases;
	size_t case_count;
	size_t totals[CASE_KINDS];
	struct hunk *hunks;
	size_t hunk_count;
	struct buf diff; /* hunks without the file names */
	char **new_peers, **gone_peers;
	size_t new_peer_count, gone_peer_count;
	bool same;
	bool ended_same; /* the program ended as the golden says */
};

/*
 * The golden is one that was parsed; the run has been put into its canonical order, and its placeholders
 * are numbered anew by this.
 */
void compare_models(struct comparison *ret_comparison, struct model *golden, struct model *run);
void comparison_done(struct comparison *comparison);

#endif
