/* What differs between the blocks of a golden and of a run, as lines that go and come. */
#include "base/own.h"
#include "golden/comparer.h"
#include "golden/diff.h"
#include "golden/hunk.h"

#include <stdio.h>
#include <string.h>

static void mark_case(struct comparer *comparer, size_t of, enum case_kind kind)
{
	if (of && comparer->result->cases[of - 1].kind == CASE_SAME)
		comparer->result->cases[of - 1].kind = kind;
}

/*** Changes ***/

static void add_line(struct comparer *comparer, uint32_t after, const char *before,
		     const char *text, size_t of)
{
	size_t count = comparer->added_count;
	struct buf out = { 0 };

	if (!(count & (count - 1)))
		comparer->added = own_realloc(comparer->added,
					      (count ? 2 * count : 1) * sizeof(*comparer->added));
	buf_adds(&out, before);
	value_add_text(&comparer->run->values, &out, text);
	comparer->added[comparer->added_count++] =
		(struct change){ after, own_strdup(buf_cstr(&out)), of, count };
	buf_done(&out);
}

static const char *indent_of(const struct block_line *line)
{
	return line->title ? "" : "  ";
}

/* The run's unit that a line came with: the golden's it stands for, or a new one. */
static size_t new_case(struct comparer *comparer, const struct aligned_section *section,
		       struct unit *unit)
{
	size_t of = comparer_case(comparer, unit);

	return of ? of : comparer_add_case(comparer, comparer->run, section->run, unit, CASE_NEW);
}

/*
 * Which of the run's exchanges are the golden's, changed: first those whose titles have stayed, then those
 * in which anything has. *ret_stays: by the golden's first lines.
 */
static void match_units(struct comparer *comparer, const struct pair *pair, const size_t *kept,
			bool *ret_stays)
{
	const struct block *golden = pair->golden;

	for (int titles = 1; titles >= 0; titles--)
		for (size_t i = 0, at = 0; i < golden->count; i++) {
			const struct block_line *other;

			at = golden->lines[i].title ? i : at;
			if (kept[i] == DIFF_NONE || ret_stays[at])
				continue;
			other = &pair->run->lines[kept[i]];
			if ((titles && !(golden->lines[i].title && other->title)) ||
			    comparer_case(comparer, other->unit))
				continue;
			map_put(&comparer->cases, (uint64_t)(uintptr_t)other->unit,
				(void *)(uintptr_t)comparer_case(comparer, golden->lines[i].unit));
			ret_stays[at] = true;
		}
}

static void drop_line(struct comparer *comparer, const struct block_line *line, enum case_kind kind)
{
	comparer->gone[line->number] = true;
	mark_case(comparer, comparer_case(comparer, line->unit), kind);
}

/* Two lines that look alike, with other values. */
static bool is_other(struct comparer *comparer, const struct pair *pair, size_t golden, size_t run)
{
	return !comparer_bind(comparer, pair->golden->lines[golden].text,
			      pair->run->lines[run].text, false);
}

/* The run's lines from *next up to `until`, behind that line of the golden. */
static void add_lines(struct comparer *comparer, const struct aligned_section *section,
		      const struct block *run, size_t *next, size_t until, uint32_t after)
{
	for (; *next < until; ++*next) {
		const struct block_line *added = &run->lines[*next];
		size_t of = new_case(comparer, section, added->unit);

		mark_case(comparer, of, CASE_CHANGED);
		add_line(comparer, after, indent_of(added), added->text, of);
	}
}

/* The lines of a pair that differ, in place. */
static void change_pair(struct comparer *comparer, const struct aligned_section *section,
			const struct pair *pair)
{
	const struct block *golden = pair->golden, *run = pair->run;
	size_t *kept auto_free = own_alloc((golden->count + 1) * sizeof(*kept));
	bool *stays auto_free = own_zalloc((golden->count + 1) * sizeof(*stays));
	uint32_t after = golden->lines[0].number - 1;
	size_t next = 0, title = 0;

	comparer_keep(golden, run, kept);
	match_units(comparer, pair, kept, stays);
	for (size_t i = 0; i < golden->count; i++) {
		const struct block_line *line = &golden->lines[i];

		title = line->title ? i : title;
		if (kept[i] == DIFF_NONE) {
			drop_line(comparer, line, stays[title] ? CASE_CHANGED : CASE_GONE);
		} else {
			add_lines(comparer, section, run, &next, kept[i], after);
			if (is_other(comparer, pair, i, kept[i])) {
				add_lines(comparer, section, run, &next, kept[i] + 1, line->number);
				drop_line(comparer, line, CASE_CHANGED);
			}
			next = kept[i] + 1;
		}
		after = line->number;
	}
	add_lines(comparer, section, run, &next, run->count, after);
}

static char *line_text(const struct comparer *comparer, const struct block_line *line)
{
	struct buf text = { 0 };
	char *copy;

	buf_adds(&text, indent_of(line));
	value_add_text(&comparer->run->values, &text, line->text);
	copy = own_strdup(buf_cstr(&text));
	buf_done(&text);
	return copy;
}

/* True where each line looks alike and has the values that it should have. */
static bool is_equal(struct comparer *comparer, const struct pair *pair)
{
	if (pair->how == PAIR_LIKE || pair->golden->count != pair->run->count)
		return false;
	for (size_t i = 0; i < pair->golden->count; i++)
		if (is_other(comparer, pair, i, i))
			return false;
	return true;
}

/* One of several that the golden has as one: its own small diff. */
static void add_variant(struct comparer *comparer, const struct pair *pair)
{
	const struct block *golden = pair->golden, *run = pair->run;
	size_t *kept auto_free = own_alloc((golden->count + 1) * sizeof(*kept));
	struct op *ops auto_free = own_alloc((golden->count + run->count) * sizeof(*ops));
	char **texts auto_free = own_zalloc((run->count + 1) * sizeof(char *));
	size_t count = 0, next = 0, of = comparer_case(comparer, golden->unit);
	char note[48];

	mark_case(comparer, of, CASE_CHANGED);
	comparer_keep(golden, run, kept);
	for (size_t i = 0; i < golden->count || next < run->count;) {
		bool old = i < golden->count &&
			   (kept[i] == DIFF_NONE || is_other(comparer, pair, i, kept[i]));
		bool stays = i < golden->count && !old && kept[i] == next;
		uint32_t line = i < golden->count ? golden->lines[i].number : golden->last_line;

		if (old || stays) {
			ops[count++] = (struct op){ old ? '-' : ' ',
						    comparer->golden->lines[line - 1], line, of };
			i++;
			next += stays;
			continue;
		}
		texts[next] = line_text(comparer, &run->lines[next]);
		ops[count++] = (struct op){ '+', span_text(texts[next++]), line, of };
	}
	snprintf(note, sizeof(note), "one of %u", golden->found);
	hunks_add(comparer->result, ops, count, golden->lines[0].number, note);
	for (size_t i = 0; i < run->count; i++)
		free(texts[i]);
}

static void remove_block(struct comparer *comparer, const struct block *golden)
{
	for (size_t i = 0; i < golden->count; i++) {
		comparer->gone[golden->lines[i].number] = true;
		mark_case(comparer, comparer_case(comparer, golden->lines[i].unit), CASE_GONE);
	}
	/* The word `connection` above it, and an empty line. */
	for (uint32_t line = golden->lines[0].number - 1; line > 1 && !comparer->owner[line];
	     line--) {
		struct span text = comparer->golden->lines[line - 1];

		if (text.len && !span_equal(text, SPAN("connection")))
			break;
		comparer->gone[line] = true;
		if (!text.len)
			break;
	}
	if (golden->times > 1)
		comparer->gone[golden->lines[0].number + 1] = true;
}

static void add_block(struct comparer *comparer, const struct aligned_section *section,
		      const struct block *run, uint32_t after)
{
	size_t of = 0;
	char times[32];

	add_line(comparer, after, "", "", new_case(comparer, section, run->unit));
	if (!section->any)
		add_line(comparer, after, "", "connection", new_case(comparer, section, run->unit));
	for (size_t i = 0; i < run->count; i++) {
		of = new_case(comparer, section, run->lines[i].unit);
		add_line(comparer, after, indent_of(&run->lines[i]), run->lines[i].text, of);
		if (i || !section->any || run->times == 1)
			continue;
		if (run->times == TIMES_ANY)
			snprintf(times, sizeof(times), "times any");
		else
			snprintf(times, sizeof(times), "times %u", run->times);
		add_line(comparer, after, "  ", times, of);
	}
}

static void change_times(struct comparer *comparer, const struct block *golden)
{
	size_t of = comparer_case(comparer, golden->unit);
	char text[32];

	if (golden->times == TIMES_ANY || golden->found == golden->times || !golden->found)
		return;
	mark_case(comparer, of, CASE_CHANGED);
	if (golden->times > 1)
		comparer->gone[golden->unit->number + 1] = true;
	snprintf(text, sizeof(text), "times %u", golden->found);
	if (golden->found > 1)
		add_line(comparer, golden->unit->number + (golden->times > 1), "  ", text, of);
}

static void change_section(struct comparer *comparer, const struct aligned_section *section)
{
	uint32_t last =
		section->golden ? section->golden->number : (uint32_t)comparer->golden->line_count;

	for (size_t i = 0; i < section->pair_count; i++) {
		const struct pair *pair = &section->pairs[i];

		if (is_equal(comparer, pair) || pair->golden->times == TIMES_ANY)
			continue;
		if (pair->golden->times > 1)
			add_variant(comparer, pair);
		else
			change_pair(comparer, section, pair);
	}
	for (size_t i = 0; i < section->golden_count; i++) {
		const struct block *golden = &section->golden_blocks[i];

		if (!golden->found && golden->times != TIMES_ANY)
			remove_block(comparer, golden);
		change_times(comparer, golden);
		last = golden->last_line > last ? golden->last_line : last;
	}
	for (size_t i = 0; i < section->run_count; i++)
		if (!section->run_paired[i])
			add_block(comparer, section, &section->run_blocks[i], last);
}

static void note_peer(char ***peers, size_t *count, char *peer)
{
	*peers = own_realloc(*peers, (*count + 1) * sizeof(char *));
	(*peers)[(*count)++] = peer;
}

/* Peers that came and went, with their lines. */
void comparer_change(struct comparer *comparer)
{
	struct comparison *result = comparer->result;
	uint32_t last = (uint32_t)comparer->golden->line_count;

	for (size_t i = 0; i < comparer->alignment.count; i++) {
		const struct aligned_section *section = &comparer->alignment.sections[i];

		if (!section->run) {
			comparer->gone[section->golden->number] = true;
			note_peer(&result->gone_peers, &result->gone_peer_count,
				  comparer_text(comparer->golden, section->golden->head));
		} else if (!section->golden) {
			add_line(comparer, last, "", "", 0);
			add_line(comparer, last, "", section->run->head, 0);
			note_peer(&result->new_peers, &result->new_peer_count,
				  comparer_text(comparer->run, section->run->head));
		}
		change_section(comparer, section);
	}
}
