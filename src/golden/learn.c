#include "golden/learn.h"

#include "base/own.h"
#include "golden/diff.h"
#include "golden/learner.h"
#include "golden/order.h"

#include <string.h>

#define NOT_IN_EVERY_RUN "not in every run"

/*** Titles ***/

/* With the types of placeholders alone. */
static char *blank_of(const struct model *model, const char *text)
{
	struct buf out auto_buf = { 0 };
	struct value *value;
	struct span piece;

	while (value_next(&model->values, &text, &piece, &value)) {
		if (value)
			buf_addf(&out, "<%s>", value->type);
		else
			buf_add(&out, piece.data, piece.len);
	}
	return own_strdup(buf_cstr(&out));
}

static struct span target_of(const char *title)
{
	struct span rest = span_text(title);

	span_split(&rest, ' ');
	return rest;
}

/* The one step that differs; SIZE_MAX: none, or more than one, which *ret_same tells. */
static size_t moving_step(struct span a, struct span b, bool *ret_same)
{
	size_t found = SIZE_MAX, number = 0;

	*ret_same = true;
	span_split(&a, '/');
	span_split(&b, '/');
	for (; a.data && b.data; number++) {
		if (span_equal(span_split(&a, '/'), span_split(&b, '/')))
			continue;
		*ret_same = false;
		if (found != SIZE_MAX)
			return SIZE_MAX;
		found = number;
	}
	*ret_same &= !a.data == !b.data;
	return a.data || b.data || number > 64 ? SIZE_MAX : found;
}

/* True where both have the same names, in order. */
static bool same_names(struct span a, struct span b)
{
	while (a.len && b.len) {
		struct span one = span_split(&a, '&'), other = span_split(&b, '&');

		if (!span_equal(span_split(&one, '='), span_split(&other, '=')))
			return false;
	}
	return !a.len && !b.len;
}

/* `own`: the first run's title, whose text lives on. */
static void learn_query(struct learner *learner, struct unit *unit, struct span own, struct span a,
			struct span b)
{
	while (own.len) {
		struct span value = span_split(&own, '&'), name = span_split(&value, '=');

		if (span_equal(span_split(&a, '&'), span_split(&b, '&')))
			continue;
		learner_differs(learner, (struct difference){ .what = WHAT_QUERY,
							      .unit = unit,
							      .name = name,
							      .type = learner_type(value) });
	}
}

static struct span step_of(struct span path, size_t number)
{
	struct span step = span_split(&path, '/');

	for (size_t i = 0; i <= number; i++)
		step = span_split(&path, '/');
	return step;
}

/* Both are HTTP's. False where no rule is for what differs. */
static bool learn_target(struct learner *learner, struct unit *a, const struct unit *b)
{
	char *one auto_free = blank_of(learner->golden, a->title);
	char *other auto_free = blank_of(learner->model, b->title);
	struct span own = target_of(a->title), query = target_of(one), run = target_of(other);
	struct span path = span_split(&query, '?'), run_path = span_split(&run, '?');
	struct span own_path = span_split(&own, '?');
	bool same;
	size_t step = moving_step(path, run_path, &same);

	if (!span_equal(a->place->method, b->place->method) || (!same && step == SIZE_MAX) ||
	    !same_names(query, run))
		return false;
	if (!same) {
		a->moving |= 1ULL << step;
		learner_differs(learner, (struct difference){
						 .what = WHAT_PATH,
						 .unit = a,
						 .type = learner_type(step_of(own_path, step)) });
	}
	learn_query(learner, a, own, query, run);
	return true;
}

static bool learn_title(struct learner *learner, struct unit *a, const struct unit *b)
{
	char *part;

	if (value_hash_text(&learner->golden->values, a->title, false) ==
	    value_hash_text(&learner->model->values, b->title, false))
		return true;
	if (a->place->path.len && b->place->path.len) {
		if (learn_target(learner, a, b))
			return true;
		learner_refuse_unit(learner, a, "its address differs in more than one step", NULL);
		return false;
	}
	part = learner_part(learner, a->title, b->title);
	learner_refuse_unit(learner, a, "what it says differs: mask text /…/ for what it is", part);
	free(part);
	return false;
}

/*** How often ***/

static struct unit *find_title(const struct model *model, const struct section *section,
			       uint64_t title)
{
	for (size_t i = 0; i < section->count; i++)
		if (value_hash_text(&model->values, section->units[i]->title, false) == title)
			return section->units[i];
	return NULL;
}

/* One of the first run, or (`b`) of the other, that has nothing to answer to it, or too often. */
static void learn_count(struct learner *learner, const struct unit *unit, bool b)
{
	const struct aligned_section *section = learner->section;
	const struct model *model = b ? learner->model : learner->golden;
	uint64_t title = value_hash_text(&model->values, unit->title, false);
	const struct unit *golden = find_title(learner->golden, section->golden, title);

	if (!golden || !find_title(learner->model, section->run, title))
		learner_refuse(learner, model, section->golden->head, unit->title, NOT_IN_EVERY_RUN,
			       NULL);
	else if (section->any)
		learner_differs(learner,
				(struct difference){ .what = WHAT_EXCHANGE, .unit = golden });
	else
		learner_refuse_unit(
			learner, golden,
			"in every run, but not as often, or not in the same place: "
			"count any is for it where order does not matter, see order any",
			NULL);
}

static bool is_elsewhere(const struct learner *learner, const struct unit *a, const struct unit *b)
{
	uint64_t title = value_hash_text(&learner->golden->values, a->title, false);
	uint64_t other = value_hash_text(&learner->model->values, b->title, false);

	return title != other && (find_title(learner->model, learner->section->run, title) ||
				  find_title(learner->golden, learner->section->golden, other));
}

/*** Exchanges ***/

static void learn_units(struct learner *learner, struct unit *a, const struct unit *b)
{
	if (is_elsewhere(learner, a, b)) {
		learn_count(learner, a, false);
		learn_count(learner, b, true);
		return;
	}
	if (!learn_title(learner, a, b))
		return;
	if (a->times != b->times && !learner->section->any)
		learner_differs(learner, (struct difference){ .what = WHAT_EXCHANGE, .unit = a });
	learner_lines(learner, a, b);
}

static struct unit **units_of(const struct block *block, uint64_t *ret_titles, size_t *ret_count)
{
	struct unit **units = own_alloc((block->count + 1) * sizeof(struct unit *));
	size_t count = 0;

	for (size_t i = 0; i < block->count; i++)
		if (block->lines[i].title) {
			ret_titles[count] = block->lines[i].blank;
			units[count++] = block->lines[i].unit;
		}
	*ret_count = count;
	return units;
}

/* Those between two that have the same titles: as many answer to each other, others to none. */
static void learn_gap(struct learner *learner, struct unit **a, size_t a_count, struct unit **b,
		      size_t b_count)
{
	for (size_t i = 0; i < a_count && a_count == b_count; i++)
		learn_units(learner, a[i], b[i]);
	for (size_t i = 0; i < a_count && a_count != b_count; i++)
		learn_count(learner, a[i], false);
	for (size_t i = 0; i < b_count && a_count != b_count; i++)
		learn_count(learner, b[i], true);
}

static void learn_pair(struct learner *learner, const struct pair *pair)
{
	const struct block *golden = pair->golden, *run = pair->run;
	uint64_t *titles auto_free = own_alloc((golden->count + 1) * sizeof(*titles));
	uint64_t *others auto_free = own_alloc((run->count + 1) * sizeof(*others));
	size_t *kept auto_free = own_alloc((golden->count + 1) * sizeof(*kept));
	size_t a_count, b_count, from = 0, at = 0;
	struct unit **a auto_free = units_of(golden, titles, &a_count);
	struct unit **b auto_free = units_of(run, others, &b_count);

	diff_lines(titles, a_count, others, b_count, kept);
	for (size_t i = 0; i <= a_count; i++) {
		size_t to = i == a_count ? b_count : kept[i];

		if (to == DIFF_NONE)
			continue;
		learn_gap(learner, a + from, i - from, b + at, to - at);
		if (i < a_count)
			learn_units(learner, a[i], b[to]);
		from = i + 1;
		at = to + 1;
	}
}

static void learn_section(struct learner *learner, const struct aligned_section *section)
{
	learner->section = section;
	if (!section->golden || !section->run) {
		learner_refuse(learner, section->golden ? learner->golden : learner->model,
			       section->golden ? section->golden->head : section->run->head, "",
			       NOT_IN_EVERY_RUN ": ignore peer …, if it is to be", NULL);
		return;
	}
	for (size_t i = 0; i < section->pair_count; i++)
		if (section->pairs[i].how == PAIR_LIKE)
			learn_pair(learner, &section->pairs[i]);
	for (size_t i = 0; i < section->golden_count; i++) {
		const struct block *block = &section->golden_blocks[i];

		if (block->times != TIMES_ANY && block->found != block->times)
			learn_count(learner, block->unit, false);
	}
	for (size_t i = 0; i < section->run_count; i++)
		if (!section->run_paired[i])
			learn_count(learner, section->run_blocks[i].unit, true);
}

static void propose(struct learner *learner)
{
	for (size_t i = 0; i < learner->all.count; i++) {
		const struct difference *difference = &learner->all.items[i];
		const struct unit *unit = difference->unit;
		const char *why;
		char *rule = learn_rule(learner->golden, &learner->all, difference, &why);
		char *name auto_free =
			own_printf("%.*s", (int)difference->name.len,
				   difference->name.len ? (const char *)difference->name.data : "");

		if (rule)
			learner_add(learner, rule, own_strdup(unit->title), difference->run);
		else
			learner_refuse(learner, learner->golden, difference->head, unit->title, why,
				       *name && !strstr(why, "masked") ? name : NULL);
	}
}

void learn(struct learned *ret_learned, struct model *const *runs, size_t count)
{
	struct learner learner = { .learned = ret_learned, .golden = count ? runs[0] : NULL };

	*ret_learned = (struct learned){ 0 };
	for (size_t i = 0; i < count; i++)
		order_canonical(runs[i]);
	for (size_t i = 1; i < count; i++) {
		struct alignment alignment;

		learner.run = i;
		learner.model = runs[i];
		align_models(&alignment, runs[0], runs[i]);
		for (size_t s = 0; s < alignment.count; s++)
			learn_section(&learner, &alignment.sections[s]);
		alignment_done(&alignment);
	}
	propose(&learner);
	free(learner.all.items);
	map_done(&learner.all.checked);
	map_done(&learner.told);
}

void learned_done(struct learned *learned)
{
	for (size_t i = 0; i < learned->count; i++) {
		free(learned->items[i].rule);
		free(learned->items[i].what);
	}
	free(learned->items);
	*learned = (struct learned){ 0 };
}
