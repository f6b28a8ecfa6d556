/* The verdict on a comparison, for people and for machines. All of it is bounded. */
#ifndef GOLDEN_REPORT_H
#define GOLDEN_REPORT_H

#include "golden/compare.h"

/* Bytes of hunks in each form; what is beyond is counted. GitHub takes 1 MiB a summary. */
#define REPORT_TEXT_MAX    (1U << 20)
#define REPORT_JUNIT_MAX   (4U << 20)
#define REPORT_SUMMARY_MAX (800U << 10)
#define REPORT_HTML_MAX    (4U << 20)
/* GitHub shows ten of each kind and drops the rest in silence. */
#define REPORT_ANNOTATIONS 9U

struct verdict {
	const char *name;                    /* of the golden; of `diff`, of the first file */
	const char *other;                   /* of the second; NULL: "this run" */
	const struct comparison *comparison; /* NULL: nothing was compared */
	const char *const *problems;         /* besides what differs: each a sentence */
	size_t problem_count;
	const char *accept; /* a command that makes it the golden; NULL: none */
	double seconds;
};

/* Summary, unified diff, and how to accept it. `color` for terminals. */
void report_text(struct buf *out, const struct verdict *verdict, bool color);

/* JUnit XML: a test case for each exchange. */
void report_junit(struct buf *out, const struct verdict *verdict);

/* Workflow commands of GitHub Actions: at most REPORT_ANNOTATIONS, and how many there are besides. */
void report_annotations(struct buf *out, const struct verdict *verdict);

/* Markdown for a step's summary. */
void report_summary(struct buf *out, const struct verdict *verdict);

/* A page of its own with both sides beside each other. */
void report_html(struct buf *out, const struct verdict *verdict);

/* "1 changed, 2 new, 0 gone"; "no difference". */
void report_totals(struct buf *out, const struct comparison *comparison);

#endif
