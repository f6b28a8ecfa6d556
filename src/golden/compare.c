#include "golden/compare.h"

#include "base/own.h"
#include "golden/comparer.h"
#include "golden/diff.h"
#include "golden/hunk.h"
#include "golden/order.h"

#include <string.h>

char *comparer_text(const struct model *model, const char *text)
{
	struct buf out = { 0 };
	char *copy;

	value_add_text(&model->values, &out, text);
	copy = own_strdup(buf_cstr(&out));
	buf_done(&out);
	return copy;
}

/*** Binding ***/

/* Both texts look alike: their values, one by one. True where they are, or could be made, the same. */
bool comparer_bind(struct comparer *comparer, const char *golden, const char *run, bool bind)
{
	struct value *one, *other;
	struct span piece;
	bool same = true;

	while (value_next(&comparer->golden->values, &golden, &piece, &one) &&
	       value_next(&comparer->run->values, &run, &piece, &other)) {
		if (!one || !other)
			continue;
		if (bind && !comparer->bound[one->id] && !comparer->back[other->id]) {
			comparer->bound[one->id] = other;
			comparer->back[other->id] = one;
		}
		same &= comparer->bound[one->id] == other;
	}
	return same;
}

/* The next exchange's first line, or the end. */
static size_t next_title(const struct block *block, size_t at)
{
	do
		at++;
	while (at < block->count && !block->lines[at].title);
	return at;
}

/* Hashes of each exchange's first line, and where it is; how many. */
static size_t titles_of(const struct block *block, uint64_t *hashes, size_t *places)
{
	size_t count = 0;

	for (size_t at = 0; at < block->count; at = next_title(block, at)) {
		hashes[count] = block->lines[at].blank;
		places[count++] = at;
	}
	return count;
}

/* Too much differs to be seen at once: exchange by exchange, which are brought together by their titles. */
static void keep_by_title(const struct block *golden, const struct block *run,
			  const uint64_t *hashes, size_t *ret_kept)
{
	size_t size = golden->count + run->count + 1;
	uint64_t *titles auto_free = own_alloc(size * sizeof(*titles));
	size_t *places auto_free = own_alloc(size * sizeof(*places));
	size_t *kept auto_free = own_alloc((golden->count + 1) * sizeof(*kept));
	size_t count = titles_of(golden, titles, places);
	size_t others = titles_of(run, titles + count, places + count);

	for (size_t i = 0; i < golden->count; i++)
		ret_kept[i] = DIFF_NONE;
	diff_lines(titles, count, titles + count, others, kept);
	for (size_t i = 0; i < count; i++) {
		size_t from = places[i], to = next_title(golden, from), other;

		if (kept[i] == DIFF_NONE)
			continue;
		other = places[count + kept[i]];
		diff_lines(hashes + from, to - from, hashes + golden->count + other,
			   next_title(run, other) - other, ret_kept + from);
		for (; from < to; from++)
			if (ret_kept[from] != DIFF_NONE)
				ret_kept[from] += other;
	}
}

void comparer_keep(const struct block *golden, const struct block *run, size_t *ret_kept)
{
	uint64_t *hashes auto_free = own_alloc((golden->count + run->count + 1) * sizeof(*hashes));

	for (size_t i = 0; i < golden->count; i++)
		hashes[i] = golden->lines[i].blank;
	for (size_t i = 0; i < run->count; i++)
		hashes[golden->count + i] = run->lines[i].blank;
	if (!diff_lines(hashes, golden->count, hashes + golden->count, run->count, ret_kept))
		keep_by_title(golden, run, hashes, ret_kept);
}

static void bind_pair(struct comparer *comparer, const struct pair *pair)
{
	const struct block *golden = pair->golden, *run = pair->run;
	size_t *kept auto_free = own_alloc((golden->count + 1) * sizeof(*kept));

	comparer_keep(golden, run, kept);
	for (size_t i = 0; i < golden->count; i++)
		if (kept[i] != DIFF_NONE)
			comparer_bind(comparer, golden->lines[i].text, run->lines[kept[i]].text,
				      true);
}

static void bind_all(struct comparer *comparer)
{
	for (int how = PAIR_COLORED; how <= PAIR_LIKE; how++)
		for (size_t s = 0; s < comparer->alignment.count; s++) {
			const struct aligned_section *section = &comparer->alignment.sections[s];

			if (how == PAIR_COLORED && section->golden && section->run)
				comparer_bind(comparer, section->golden->head, section->run->head,
					      true);
			for (size_t i = 0; i < section->pair_count; i++)
				if (section->pairs[i].how == how)
					bind_pair(comparer, &section->pairs[i]);
		}
}

/* The golden's number for what is bound, else one that is not in it. */
static void number_values(struct comparer *comparer)
{
	const struct values *golden = &comparer->golden->values, *run = &comparer->run->values;
	uint32_t next = 0;

	for (size_t i = 0; i < golden->count; i++)
		if (golden->items[i]->number > next)
			next = golden->items[i]->number;
	for (size_t i = 0; i < run->count; i++) {
		const struct value *bound = comparer->back[i];

		run->items[i]->number = bound ? bound->number : ++next;
	}
}

/*** Cases ***/

size_t comparer_add_case(struct comparer *comparer, const struct model *model,
			 const struct section *section, const struct unit *unit,
			 enum case_kind kind)
{
	struct comparison *result = comparer->result;
	size_t count = result->case_count;

	if (!(count & (count - 1)))
		result->cases = own_realloc(result->cases,
					    (count ? 2 * count : 1) * sizeof(*result->cases));
	result->cases[result->case_count++] = (struct compare_case){
		.title = comparer_text(model, unit->title),
		.peer = comparer_text(model, section->head),
		.kind = kind,
		.line = unit->number,
	};
	map_put(&comparer->cases, (uint64_t)(uintptr_t)unit, (void *)(uintptr_t)result->case_count);
	return result->case_count;
}

size_t comparer_case(const struct comparer *comparer, const struct unit *unit)
{
	return (size_t)(uintptr_t)map_get(&comparer->cases, (uint64_t)(uintptr_t)unit);
}

static void make_cases(struct comparer *comparer)
{
	const struct model *golden = comparer->golden;
	size_t at;

	for (size_t s = 0; s < golden->count; s++)
		for (size_t u = 0; u < golden->sections[s]->count; u++) {
			const struct unit *unit = golden->sections[s]->units[u];

			at = comparer_add_case(comparer, golden, golden->sections[s], unit,
					       CASE_SAME);
			comparer->owner[unit->number] = at;
			for (size_t i = 0; i < unit->count; i++)
				comparer->owner[unit->lines[i].number] = at;
			if (unit->times > 1)
				comparer->owner[unit->number + 1] = at;
		}
}

/*** The result ***/

static int compare_changes(const void *one, const void *other)
{
	const struct change *a = one, *b = other;

	if (a->after != b->after)
		return a->after < b->after ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

static void make_hunks(struct comparer *comparer)
{
	const struct model *golden = comparer->golden;
	struct op *ops auto_free =
		own_alloc((golden->line_count + comparer->added_count + 1) * sizeof(*ops));
	size_t count = 0, next = 0;

	if (comparer->added_count)
		qsort(comparer->added, comparer->added_count, sizeof(*comparer->added),
		      compare_changes);
	for (uint32_t line = 0; line <= golden->line_count; line++) {
		if (line)
			ops[count++] =
				(struct op){ comparer->gone[line] ? '-' : ' ',
					     golden->lines[line - 1], line, comparer->owner[line] };
		for (; next < comparer->added_count && comparer->added[next].after == line; next++)
			ops[count++] = (struct op){ '+', span_text(comparer->added[next].text),
						    line, comparer->added[next].of };
	}
	hunks_add(comparer->result, ops, count, 1, "");
}

static void count_cases(struct comparer *comparer)
{
	struct comparison *result = comparer->result;
	const struct model *golden = comparer->golden, *run = comparer->run;

	for (size_t i = 0; i < result->case_count; i++)
		result->totals[result->cases[i].kind]++;
	result->same = !result->hunk_count && !result->new_peer_count && !result->gone_peer_count;
	result->ended_same = golden->ended == ENDED_UNKNOWN || run->ended == ENDED_UNKNOWN ||
			     (golden->ended == run->ended && golden->status == run->status);
}

void compare_models(struct comparison *ret_comparison, struct model *golden, struct model *run)
{
	struct comparer comparer = { .result = ret_comparison, .golden = golden, .run = run };

	*ret_comparison = (struct comparison){ 0 };
	order_hash(golden);
	align_models(&comparer.alignment, golden, run);
	comparer.bound = own_zalloc((golden->values.count + 1) * sizeof(struct value *));
	comparer.back = own_zalloc((run->values.count + 1) * sizeof(struct value *));
	comparer.gone = own_zalloc(golden->line_count + 2);
	comparer.owner = own_zalloc((golden->line_count + 2) * sizeof(size_t));
	bind_all(&comparer);
	number_values(&comparer);
	make_cases(&comparer);
	comparer_change(&comparer);
	make_hunks(&comparer);
	count_cases(&comparer);
	for (size_t i = 0; i < comparer.added_count; i++)
		free(comparer.added[i].text);
	free(comparer.added);
	free(comparer.bound);
	free(comparer.back);
	free(comparer.gone);
	free(comparer.owner);
	map_done(&comparer.cases);
	alignment_done(&comparer.alignment);
}

static void free_texts(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
}

void comparison_done(struct comparison *comparison)
{
	for (size_t i = 0; i < comparison->case_count; i++) {
		free(comparison->cases[i].title);
		free(comparison->cases[i].peer);
	}
	free(comparison->cases);
	free(comparison->hunks);
	free_texts(comparison->new_peers, comparison->new_peer_count);
	free_texts(comparison->gone_peers, comparison->gone_peer_count);
	buf_done(&comparison->diff);
}
