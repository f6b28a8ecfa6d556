#include "golden/order.h"

#include "base/own.h"

#include <string.h>

/* How far the use of a value is followed: through so many units. */
#define ROUNDS 3

static uint64_t hash_unit(const struct values *values, const struct unit *unit, bool colors)
{
	uint64_t hash = value_hash_text(values, unit->title, colors);

	for (size_t i = 0; i < unit->count; i++)
		hash = hash_bytes(hash, "\n", 1) +
		       31 * value_hash_text(values, unit->lines[i].text, colors);
	return hash;
}

/* Each value's next color: what it was, and by commutative sum all its places. */
static void add_places(const struct model *model, uint64_t *next, const char *text, uint64_t place,
		       uint64_t times, uint64_t *slot)
{
	struct value *value;
	struct span piece;

	while (value_next(&model->values, &text, &piece, &value)) {
		uint64_t key[2] = { place, ++*slot };

		if (value)
			next[value->id] += times * hash_bytes(7, key, sizeof(key));
	}
}

static void recolor(struct model *model, uint64_t *next, bool first)
{
	memset(next, 0, model->values.count * sizeof(*next));
	for (size_t s = 0; s < model->count; s++) {
		const struct section *section = model->sections[s];

		for (size_t u = 0; u < section->count; u++) {
			const struct unit *unit = section->units[u];
			uint64_t slot = 0, place = first ? unit->blank : unit->colored;
			/* How often a poll succeeds is not to color it. */
			uint64_t times = unit->times == TIMES_ANY ? 1 : unit->times;

			add_places(model, next, unit->title, place, times, &slot);
			for (size_t i = 0; i < unit->count; i++)
				add_places(model, next, unit->lines[i].text, place, times, &slot);
		}
	}
	for (size_t i = 0; i < model->values.count; i++)
		model->values.items[i]->color = next[i];
}

static void hash_all(struct model *model, bool colors)
{
	for (size_t s = 0; s < model->count; s++) {
		const struct section *section = model->sections[s];

		for (size_t u = 0; u < section->count; u++) {
			struct unit *unit = section->units[u];

			unit->colored = hash_unit(&model->values, unit, colors);
			if (!colors)
				unit->blank = unit->colored;
		}
	}
}

void order_hash(struct model *model)
{
	uint64_t *next auto_free = own_alloc((model->values.count + 1) * sizeof(*next));

	for (size_t i = 0; i < model->values.count; i++)
		model->values.items[i]->color = 0;
	hash_all(model, false);
	for (int round = 0; round < ROUNDS && model->values.count; round++) {
		recolor(model, next, !round);
		hash_all(model, true);
	}
}

/* Compares with the types of placeholders alone. */
static int compare_blank(const struct values *values, const char *a, const char *b)
{
	struct span pieces[2];
	struct value *of[2];
	int result;

	for (;;) {
		bool more = value_next(values, &a, &pieces[0], &of[0]);
		bool other = value_next(values, &b, &pieces[1], &of[1]);

		if (!more || !other)
			return (int)more - (int)other;
		for (int i = 0; i < 2; i++)
			if (of[i])
				pieces[i] = span_text(of[i]->type);
		result = memcmp(pieces[0].data, pieces[1].data,
				pieces[0].len < pieces[1].len ? pieces[0].len : pieces[1].len);
		if (result)
			return result;
		if (!of[0] != !of[1])
			return of[0] ? 1 : -1;
		/* Of two pieces that begin the same, the rest decides by its length alone. */
		if (pieces[0].len != pieces[1].len)
			return pieces[0].len < pieces[1].len ? -1 : 1;
	}
}

static int compare_units(const struct values *values, const struct unit *a, const struct unit *b)
{
	size_t count = a->count < b->count ? a->count : b->count;
	int result = compare_blank(values, a->title, b->title);

	if (a->blank == b->blank && !result)
		return 0;
	for (size_t i = 0; i < count && !result; i++)
		result = compare_blank(values, a->lines[i].text, b->lines[i].text);
	if (result)
		return result;
	return a->count < b->count ? -1 : a->count > b->count;
}

/* A connection, or a unit alone: what is sorted. */
struct block {
	struct unit **units;
	size_t count;
	uint64_t colored;
	size_t at;
};

static int compare_blocks(const void *one, const void *other, void *ctx)
{
	const struct block *a = one, *b = other;
	int result = 0;

	for (size_t i = 0; !result; i++) {
		if (i == a->count || i == b->count) {
			result = a->count < b->count ? -1 : a->count > b->count;
			break;
		}
		result = compare_units(ctx, a->units[i], b->units[i]);
	}
	if (!result)
		result = a->colored < b->colored ? -1 : a->colored > b->colored;
	return result ? result : a->at < b->at ? -1 : a->at > b->at;
}

static size_t make_blocks(struct section *section, struct block *blocks)
{
	size_t count = 0;

	for (size_t i = 0; i < section->count; i++) {
		struct unit *unit = section->units[i];

		if (!count || section->any || !unit->conn ||
		    unit->conn != section->units[i - 1]->conn) {
			blocks[count] = (struct block){ .units = &section->units[i], .at = count };
			count++;
		}
		blocks[count - 1].count++;
		blocks[count - 1].colored = blocks[count - 1].colored * 31 + unit->colored;
	}
	return count;
}

/* The units of a section are by connection, each in its order. */
static void sort_section(struct model *model, struct section *section)
{
	struct block *blocks auto_free = own_zalloc((section->count + 1) * sizeof(*blocks));
	struct unit **units = own_alloc((section->count + 1) * sizeof(struct unit *));
	size_t count = make_blocks(section, blocks), at = 0;

	if (!section->strict)
		qsort_r(blocks, count, sizeof(*blocks), compare_blocks, &model->values);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < blocks[i].count; j++) {
			units[at] = blocks[i].units[j];
			units[at++]->conn = section->any ? 0 : (uint32_t)i + 1;
		}
	free(section->units);
	section->units = units;
	section->room = section->count + 1;
	section->conns = section->any ? 0 : (uint32_t)count;
}

static int compare_sections(const void *one, const void *other, void *ctx)
{
	const struct section *a = *(struct section *const *)one,
			     *b = *(struct section *const *)other;
	int result = compare_blank(ctx, a->head, b->head);

	for (size_t i = 0; !result && i < a->count && i < b->count; i++)
		result = compare_units(ctx, a->units[i], b->units[i]);
	return result ? result : a->count < b->count ? -1 : a->count > b->count;
}

static bool is_same(const struct unit *a, const struct unit *b)
{
	if (a->conn != b->conn || a->blank != b->blank || a->count != b->count ||
	    strcmp(a->title, b->title))
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->lines[i].text, b->lines[i].text))
			return false;
	return true;
}

void order_fold(struct section *section)
{
	size_t count = 0;

	for (size_t i = 0; i < section->count; i++) {
		struct unit *unit = section->units[i],
			    *last = count ? section->units[count - 1] : NULL;

		if (!last || !is_same(last, unit)) {
			section->units[count++] = unit;
			continue;
		}
		if (last->times != TIMES_ANY)
			last->times =
				unit->times == TIMES_ANY ? TIMES_ANY : last->times + unit->times;
		free(unit->lines);
		free(unit);
	}
	section->count = count;
}

struct numbers {
	struct {
		const char *type;
		uint32_t last;
	} types[64];
	size_t count;
};

static void number_value(struct numbers *numbers, struct value *value)
{
	size_t i = 0;

	if (value->number)
		return;
	while (i < numbers->count && strcmp(numbers->types[i].type, value->type))
		i++;
	if (i == sizeof(numbers->types) / sizeof(numbers->types[0]))
		return;
	if (i == numbers->count)
		numbers->types[numbers->count++].type = value->type;
	value->number = ++numbers->types[i].last;
}

static void number_text(const struct model *model, struct numbers *numbers, const char *text)
{
	struct value *value;
	struct span piece;

	while (value_next(&model->values, &text, &piece, &value))
		if (value)
			number_value(numbers, value);
}

static void number_section(const struct model *model, struct numbers *numbers,
			   const struct section *section)
{
	number_text(model, numbers, section->head);
	for (size_t u = 0; u < section->count; u++) {
		number_text(model, numbers, section->units[u]->title);
		for (size_t i = 0; i < section->units[u]->count; i++)
			number_text(model, numbers, section->units[u]->lines[i].text);
	}
}

void order_canonical(struct model *model)
{
	struct numbers numbers = { 0 };

	for (size_t i = 0; i < model->count; i++)
		sort_section(model, model->sections[i]);
	if (model->count)
		qsort_r(model->sections, model->count, sizeof(struct section *), compare_sections,
			&model->values);
	for (size_t i = 0; i < model->count; i++)
		order_fold(model->sections[i]);
	for (size_t i = 0; i < model->values.count; i++)
		model->values.items[i]->number = 0;
	for (size_t i = 0; i < model->count; i++)
		number_section(model, &numbers, model->sections[i]);
}
