#include "golden/hunk.h"

#include "base/own.h"

#define CONTEXT 3

static bool is_change(const struct op *op)
{
	return op->sign != ' ';
}

/* End of the hunk that begins with the change at `at`: behind its last change. */
static size_t last_change(const struct op *ops, size_t count, size_t at)
{
	size_t end = at + 1;

	for (size_t i = end; i < count && i < end + 2 * CONTEXT + 1; i++)
		if (is_change(&ops[i]))
			end = i + 1;
	return end;
}

static void add_name(struct comparison *comparison, const struct op *op, const char *note)
{
	const struct compare_case *of = op->of ? &comparison->cases[op->of - 1] : NULL;

	if (of)
		buf_addf(&comparison->diff, " %s (%s)", of->title, of->peer);
	if (*note)
		buf_addf(&comparison->diff, " %s", note);
	buf_addc(&comparison->diff, '\n');
}

static struct hunk *new_hunk(struct comparison *comparison)
{
	size_t count = comparison->hunk_count;

	if (!(count & (count - 1)))
		comparison->hunks = own_realloc(comparison->hunks,
						(count ? 2 * count : 1) * sizeof(struct hunk));
	return &comparison->hunks[comparison->hunk_count++];
}

struct range {
	size_t from, to;
	uint32_t old_line, new_line;
};

static void add_hunk(struct comparison *comparison, const struct op *ops, const struct range *range,
		     size_t change, const char *note)
{
	struct hunk *hunk = new_hunk(comparison);
	size_t old_count = 0, new_count = 0, number = comparison->hunk_count;

	*hunk = (struct hunk){ .at = comparison->diff.len,
			       .line = ops[change].line,
			       .first = ops[change].of };
	for (size_t i = range->from; i < range->to; i++) {
		old_count += ops[i].sign != '+';
		new_count += ops[i].sign != '-';
	}
	buf_addf(&comparison->diff, "@@ -%u,%zu +%u,%zu @@",
		 old_count ? range->old_line : range->old_line - 1, old_count,
		 new_count ? range->new_line : range->new_line - 1, new_count);
	add_name(comparison, &ops[change], note);
	for (size_t i = range->from; i < range->to; i++) {
		buf_addc(&comparison->diff, ops[i].sign);
		buf_add(&comparison->diff, ops[i].text.data, ops[i].text.len);
		buf_addc(&comparison->diff, '\n');
		if (is_change(&ops[i]) && ops[i].of && !comparison->cases[ops[i].of - 1].hunk)
			comparison->cases[ops[i].of - 1].hunk = number;
	}
	hunk->len = comparison->diff.len - hunk->at;
}

void hunks_add(struct comparison *comparison, const struct op *ops, size_t count,
	       uint32_t first_new, const char *note)
{
	uint32_t old_line = count ? ops[0].line : 1, new_line = first_new;
	size_t at = 0, change = 0;

	if (count && ops[0].sign == '+')
		old_line++;
	while (change < count) {
		struct range range;
		size_t end;

		while (change < count && !is_change(&ops[change]))
			change++;
		if (change == count)
			return;
		end = last_change(ops, count, change);
		range.from = change - at > CONTEXT ? change - CONTEXT : at;
		for (; at < range.from; at++) {
			old_line++;
			new_line++;
		}
		range.to = count - end > CONTEXT ? end + CONTEXT : count;
		range.old_line = old_line;
		range.new_line = new_line;
		add_hunk(comparison, ops, &range, change, note);
		for (; at < range.to; at++) {
			old_line += ops[at].sign != '+';
			new_line += ops[at].sign != '-';
		}
		change = at;
	}
}
