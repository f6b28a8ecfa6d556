#include "golden/report.h"

#include <string.h>

void report_totals(struct buf *out, const struct comparison *comparison)
{
	const size_t *totals = comparison->totals;

	if (comparison->same) {
		buf_addf(out, "no difference in %zu exchanges", totals[CASE_SAME]);
		return;
	}
	buf_addf(out, "exchanges: %zu changed, %zu new, %zu gone, %zu the same",
		 totals[CASE_CHANGED], totals[CASE_NEW], totals[CASE_GONE], totals[CASE_SAME]);
}

static void add_peers(struct buf *out, const char *sign, char *const *peers, size_t count)
{
	for (size_t i = 0; i < count && i < 100; i++)
		buf_addf(out, "%s %s\n", sign, peers[i]);
	if (count > 100)
		buf_addf(out, "%s … and %zu more\n", sign, count - 100);
}

static const char *color_of(char first)
{
	if (first == '@')
		return "\033[36m";
	if (first == '-')
		return "\033[31m";
	return first == '+' ? "\033[32m" : NULL;
}

static void add_diff(struct buf *out, struct span diff, bool color)
{
	while (diff.len) {
		struct span line = span_split(&diff, '\n');
		const char *on = color && line.len ? color_of((char)line.data[0]) : NULL;

		buf_adds(out, on ? on : "");
		buf_add(out, line.data, line.len);
		buf_adds(out, on ? "\033[0m\n" : "\n");
	}
}

/* Hunks up to so many bytes; those beyond are counted. */
static size_t hunks_within(const struct comparison *comparison, size_t max)
{
	size_t count = 0;

	while (count < comparison->hunk_count &&
	       comparison->hunks[count].at + comparison->hunks[count].len <= max)
		count++;
	return count;
}

static struct span diff_within(const struct comparison *comparison, size_t max)
{
	size_t count = hunks_within(comparison, max);

	return span_of(comparison->diff.data,
		       count ? comparison->hunks[count - 1].at + comparison->hunks[count - 1].len
			     : 0);
}

static void add_rest(struct buf *out, const struct comparison *comparison, size_t max)
{
	size_t count = hunks_within(comparison, max);

	if (count < comparison->hunk_count)
		buf_addf(out, "… and %zu more hunks\n", comparison->hunk_count - count);
}

void report_text(struct buf *out, const struct verdict *verdict, bool color)
{
	const struct comparison *comparison = verdict->comparison;

	for (size_t i = 0; i < verdict->problem_count; i++)
		buf_addf(out, "%s: %s\n", verdict->name, verdict->problems[i]);
	if (!comparison)
		return;
	buf_addf(out, "%s: ", verdict->name);
	report_totals(out, comparison);
	buf_addc(out, '\n');
	if (comparison->same)
		return;
	add_peers(out, "new peer:", comparison->new_peers, comparison->new_peer_count);
	add_peers(out, "gone peer:", comparison->gone_peers, comparison->gone_peer_count);
	if (comparison->hunk_count)
		buf_addf(out, "--- %s\n+++ %s\n", verdict->name,
			 verdict->other ? verdict->other : "this run");
	add_diff(out, diff_within(comparison, REPORT_TEXT_MAX), color);
	add_rest(out, comparison, REPORT_TEXT_MAX);
	if (verdict->accept)
		buf_addf(out, "If that is as it should be: %s\n", verdict->accept);
}

/*** GitHub ***/

/* Workflow commands take these escaped; properties also ':' and ','. */
static void add_escaped(struct buf *out, const char *text, bool property)
{
	for (; *text; text++) {
		if (*text == '%' || *text == '\n' || *text == '\r' ||
		    (property && (*text == ':' || *text == ',')))
			buf_addf(out, "%%%02X", (unsigned int)*text);
		else
			buf_addc(out, *text);
	}
}

static const char *const kind_words[CASE_KINDS] = { "the same", "changed", "new", "gone" };

static void add_annotation(struct buf *out, const struct verdict *verdict, uint32_t line,
			   const char *text)
{
	buf_adds(out, "::error file=");
	add_escaped(out, verdict->name, true);
	if (line)
		buf_addf(out, ",line=%u", line);
	buf_adds(out, ",title=iotrace check::");
	add_escaped(out, text, false);
	buf_addc(out, '\n');
}

static void add_case(struct buf *out, const struct verdict *verdict, const struct compare_case *one)
{
	const struct comparison *comparison = verdict->comparison;
	struct buf text = { 0 };

	buf_addf(&text, "%s: %s (%s)\n", kind_words[one->kind], one->title, one->peer);
	if (one->hunk) {
		const struct hunk *hunk = &comparison->hunks[one->hunk - 1];

		buf_add(&text, comparison->diff.data + hunk->at,
			hunk->len < 2000 ? hunk->len : 2000);
	}
	add_annotation(out, verdict, one->hunk ? comparison->hunks[one->hunk - 1].line : one->line,
		       buf_cstr(&text));
	buf_done(&text);
}

void report_annotations(struct buf *out, const struct verdict *verdict)
{
	const struct comparison *comparison = verdict->comparison;
	size_t count = 0, differ = 0;
	struct buf rest auto_buf = { 0 };

	for (size_t i = 0; i < verdict->problem_count && count < REPORT_ANNOTATIONS; i++, count++)
		add_annotation(out, verdict, 0, verdict->problems[i]);
	for (size_t i = 0; comparison && i < comparison->case_count; i++) {
		if (comparison->cases[i].kind == CASE_SAME)
			continue;
		differ++;
		if (count < REPORT_ANNOTATIONS) {
			add_case(out, verdict, &comparison->cases[i]);
			count++;
			differ--;
		}
	}
	if (!differ)
		return;
	buf_addf(&rest, "and %zu more exchanges differ", differ);
	add_annotation(out, verdict, 0, buf_cstr(&rest));
}

/* A run of backticks in the diff must not end the block. */
static void add_fenced(struct buf *out, struct span diff)
{
	buf_adds(out, "``````diff\n");
	while (diff.len) {
		struct span line = span_split(&diff, '\n');

		for (size_t i = 0; i < line.len; i++)
			buf_addc(out, line.data[i] == '`' ? '\'' : (char)line.data[i]);
		buf_addc(out, '\n');
	}
	buf_adds(out, "``````\n");
}

static void add_markdown(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("\\`*_{}[]<>#|&", *text))
			buf_addf(out, "&#%d;", *text);
		else
			buf_addc(out, *text);
	}
}

static void add_bullet(struct buf *out, const char *before, const char *text)
{
	buf_addf(out, "- %s", before);
	add_markdown(out, text);
	buf_addc(out, '\n');
}

void report_summary(struct buf *out, const struct verdict *verdict)
{
	const struct comparison *comparison = verdict->comparison;

	buf_adds(out, "### iotrace check ");
	add_markdown(out, verdict->name);
	buf_adds(out, "\n\n");
	for (size_t i = 0; i < verdict->problem_count; i++)
		add_bullet(out, "", verdict->problems[i]);
	if (!comparison)
		return;
	buf_adds(out, "- ");
	report_totals(out, comparison);
	buf_addc(out, '\n');
	for (size_t i = 0; i < comparison->new_peer_count && i < 50; i++)
		add_bullet(out, "new peer: ", comparison->new_peers[i]);
	for (size_t i = 0; i < comparison->gone_peer_count && i < 50; i++)
		add_bullet(out, "gone peer: ", comparison->gone_peers[i]);
	buf_addc(out, '\n');
	if (comparison->hunk_count)
		add_fenced(out, diff_within(comparison, REPORT_SUMMARY_MAX));
	add_rest(out, comparison, REPORT_SUMMARY_MAX);
}
