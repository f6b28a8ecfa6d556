#include "golden/align.h"

#include "base/own.h"

#include <string.h>

/* Blocks that are compared with each other to find the one that is most alike. */
#define LIKE_MAX 64

/* Makes a line of the block; `text` lives as long as the model. */
static void add_line(struct model *model, struct block *block, const char *text, uint32_t number,
		     struct unit *unit)
{
	struct block_line *line = &block->lines[block->count++];

	*line = (struct block_line){ .text = text,
				     .blank = value_hash_text(&model->values, text, false),
				     .number = number,
				     .unit = unit };
}

static void add_unit(struct model *model, struct block *block, struct unit *unit, bool any)
{
	struct buf text = { 0 };

	buf_addf(&text, "exchange %s", unit->title);
	add_line(model, block, model_text(model, span_of(text.data, text.len)), unit->number, unit);
	block->lines[block->count - 1].title = true;
	/* Where order does not matter they are counted instead. */
	if (unit->times > 1 && !any) {
		text.len = 0;
		if (unit->times == TIMES_ANY)
			buf_adds(&text, "times any");
		else
			buf_addf(&text, "times %u", unit->times);
		add_line(model, block, model_text(model, span_of(text.data, text.len)),
			 unit->number + 1, unit);
	}
	for (size_t i = 0; i < unit->count; i++)
		add_line(model, block, unit->lines[i].text, unit->lines[i].number, unit);
	buf_done(&text);
}

static struct block *make_blocks(struct model *model, struct section *section, bool any,
				 size_t *ret_count)
{
	struct block *blocks = own_zalloc((section->count + 1) * sizeof(*blocks));
	size_t count = 0, lines;

	for (size_t i = 0, end; i < section->count; i = end) {
		struct block *block = &blocks[count++];

		lines = 0;
		for (end = i;
		     end < section->count &&
		     (end == i || (!any && section->units[end]->conn == section->units[i]->conn));
		     end++)
			lines += section->units[end]->count + 2;
		block->lines = own_alloc(lines * sizeof(*block->lines));
		block->unit = section->units[i];
		block->times = any ? block->unit->times : 1;
		block->title = value_hash_text(&model->values, block->unit->title, false);
		for (size_t u = i; u < end; u++) {
			add_unit(model, block, section->units[u], any);
			block->colored = block->colored * 31 + section->units[u]->colored;
		}
		for (size_t l = 0; l < block->count; l++)
			block->blank = block->blank * 31 + block->lines[l].blank;
		block->last_line = block->lines[block->count - 1].number;
	}
	*ret_count = count;
	return blocks;
}

/*** Blocks of a section ***/

static void add_pair(struct aligned_section *section, struct block *golden, struct block *run,
		     int how)
{
	size_t count = section->pair_count;

	if (!(count & (count - 1)))
		section->pairs = own_realloc(section->pairs,
					     (count ? count * 2 : 1) * sizeof(*section->pairs));
	section->pairs[section->pair_count++] = (struct pair){ golden, run, how };
	section->run_paired[run - section->run_blocks] = true;
	golden->found += run->times == TIMES_ANY ? 1 : run->times;
}

static uint64_t key_of(const struct block *block, int how)
{
	return how == PAIR_COLORED ? hash_bytes(block->colored, &block->blank, sizeof(uint64_t))
	       : how == PAIR_BLANK ? block->blank
				   : block->title;
}

static bool has_room(const struct block *golden)
{
	return golden->times == TIMES_ANY || golden->found < golden->times;
}

/* The run's blocks that are not paired, in lists by key; next[] as numbers plus 1. */
static void list_blocks(const struct aligned_section *section, int how, struct map *map,
			size_t *next)
{
	for (size_t i = section->run_count; i-- > 0;) {
		if (section->run_paired[i])
			continue;
		next[i] = (size_t)(uintptr_t)map_put(map, key_of(&section->run_blocks[i], how),
						     (void *)(uintptr_t)(i + 1));
	}
}

static void pair_same(struct aligned_section *section, int how, size_t *next)
{
	struct map map = { 0 };

	list_blocks(section, how, &map, next);
	for (size_t g = 0; g < section->golden_count; g++) {
		struct block *golden = &section->golden_blocks[g];
		uint64_t key = key_of(golden, how);
		size_t at = (size_t)(uintptr_t)map_get(&map, key);

		while (at && has_room(golden)) {
			add_pair(section, golden, &section->run_blocks[at - 1], how);
			at = next[at - 1];
		}
		if (at)
			map_put(&map, key, (void *)(uintptr_t)at);
		else
			map_take(&map, key);
	}
	map_done(&map);
}

/* Lines that two blocks have in common, in any order. */
static size_t likeness(const struct block *a, const struct block *b)
{
	struct map seen = { 0 };
	size_t common = 0;

	for (size_t i = 0; i < a->count; i++) {
		size_t count = (size_t)(uintptr_t)map_get(&seen, a->lines[i].blank);

		map_put(&seen, a->lines[i].blank, (void *)(uintptr_t)(count + 1));
	}
	for (size_t i = 0; i < b->count; i++) {
		size_t count = (size_t)(uintptr_t)map_get(&seen, b->lines[i].blank);

		if (!count)
			continue;
		common++;
		if (count > 1)
			map_put(&seen, b->lines[i].blank, (void *)(uintptr_t)(count - 1));
		else
			map_take(&seen, b->lines[i].blank);
	}
	map_done(&seen);
	return common;
}

/* Blocks of the run that are not paired, by number. */
struct left {
	size_t *items;
	size_t from, to;
};

/*
 * The best of the first few that are left, which has enough in common; its place among them, or SIZE_MAX.
 */
static size_t most_alike(const struct aligned_section *section, const struct block *golden,
			 const struct left *left, bool same_title)
{
	size_t best = SIZE_MAX, most = 0;

	for (size_t i = left->from; i < left->to && i - left->from < LIKE_MAX; i++) {
		struct block *run = &section->run_blocks[left->items[i]];
		size_t common = likeness(golden, run);

		/* With another title, half of it must be the same. */
		if (!same_title &&
		    2 * common < (golden->count > run->count ? golden->count : run->count))
			continue;
		if (best == SIZE_MAX || common > most) {
			best = i;
			most = common;
		}
	}
	return best;
}

static void pair_left(struct aligned_section *section, struct block *golden, struct left *left,
		      bool same_title)
{
	while (has_room(golden) && golden->times != TIMES_ANY) {
		size_t at = most_alike(section, golden, left, same_title), item;

		if (at == SIZE_MAX)
			return;
		item = left->items[at];
		/* It is one of the first: those before it move up. */
		memmove(left->items + left->from + 1, left->items + left->from,
			(at - left->from) * sizeof(*left->items));
		left->from++;
		add_pair(section, golden, &section->run_blocks[item], PAIR_LIKE);
	}
}

static void pair_alike(struct aligned_section *section)
{
	size_t *items auto_free = own_alloc((section->run_count + 1) * sizeof(*items));
	struct left left = { .items = items };

	for (size_t i = 0; i < section->run_count; i++)
		if (!section->run_paired[i])
			items[left.to++] = i;
	for (size_t g = 0; g < section->golden_count; g++)
		pair_left(section, &section->golden_blocks[g], &left, false);
}

/* The same among those that bear its title. */
static void pair_titled(struct aligned_section *section, size_t *next)
{
	size_t *items auto_free = own_alloc((section->run_count + 1) * sizeof(*items));
	struct left *lefts auto_free = own_zalloc((section->run_count + 1) * sizeof(*lefts));
	struct map map = { 0 };
	size_t count = 0, lists = 0;

	list_blocks(section, PAIR_LIKE, &map, next);
	MAP_FOR_EACH(node, &map) {
		size_t at = (size_t)(uintptr_t)map_value(node);

		lefts[lists] = (struct left){ .items = items, .from = count };
		for (; at; at = next[at - 1])
			items[count++] = at - 1;
		lefts[lists++].to = count;
		map_put(&map, map_key(node), (void *)(uintptr_t)lists);
	}
	for (size_t g = 0; g < section->golden_count; g++) {
		struct block *golden = &section->golden_blocks[g];
		size_t list = (size_t)(uintptr_t)map_get(&map, golden->title);

		if (list)
			pair_left(section, golden, &lefts[list - 1], true);
	}
	map_done(&map);
}

/* One that is there more often than it should be is counted, and not shown once more. */
static void count_extra(struct aligned_section *section, size_t *next)
{
	struct map map = { 0 };

	list_blocks(section, PAIR_BLANK, &map, next);
	for (size_t g = 0; g < section->golden_count; g++) {
		struct block *golden = &section->golden_blocks[g];
		size_t at = (size_t)(uintptr_t)map_take(&map, golden->blank);

		for (; at; at = next[at - 1]) {
			golden->found += section->run_blocks[at - 1].times;
			section->run_paired[at - 1] = true;
		}
	}
	map_done(&map);
}

static void align_blocks(struct aligned_section *section)
{
	size_t *next auto_free = own_zalloc((section->run_count + 1) * sizeof(*next));

	section->run_paired = own_zalloc(section->run_count + 1);
	pair_same(section, PAIR_COLORED, next);
	pair_same(section, PAIR_BLANK, next);
	if (section->any)
		count_extra(section, next);
	pair_titled(section, next);
	pair_alike(section);
}

/*** Sections ***/

static void open_section(struct aligned_section *section, struct model *golden, struct model *run)
{
	section->any =
		(section->golden && section->golden->any) || (section->run && section->run->any);
	if ((section->golden && section->golden->strict) || (section->run && section->run->strict))
		section->any = false;
	if (section->golden)
		section->golden_blocks =
			make_blocks(golden, section->golden, section->any, &section->golden_count);
	if (!section->run)
		return;
	section->run_blocks = make_blocks(run, section->run, section->any, &section->run_count);
}

void align_models(struct alignment *ret_alignment, struct model *golden, struct model *run)
{
	bool *taken auto_free = own_zalloc(run->count + 1);
	size_t *next auto_free = own_zalloc((run->count + 1) * sizeof(*next));
	struct map heads = { 0 };
	struct aligned_section *sections =
		own_zalloc((golden->count + run->count + 1) * sizeof(*sections));
	size_t count = golden->count;

	for (size_t r = run->count; r-- > 0;)
		next[r] = (size_t)(uintptr_t)map_put(
			&heads, value_hash_text(&run->values, run->sections[r]->head, false),
			(void *)(uintptr_t)(r + 1));
	for (size_t g = 0; g < golden->count; g++) {
		uint64_t head = value_hash_text(&golden->values, golden->sections[g]->head, false);
		size_t r = (size_t)(uintptr_t)map_take(&heads, head);

		sections[g].golden = golden->sections[g];
		if (!r)
			continue;
		taken[r - 1] = true;
		sections[g].run = run->sections[r - 1];
		if (next[r - 1])
			map_put(&heads, head, (void *)(uintptr_t)next[r - 1]);
	}
	for (size_t r = 0; r < run->count; r++)
		if (!taken[r])
			sections[count++].run = run->sections[r];
	map_done(&heads);
	for (size_t i = 0; i < count; i++) {
		open_section(&sections[i], golden, run);
		align_blocks(&sections[i]);
	}
	*ret_alignment = (struct alignment){ sections, count };
}

static void free_blocks(struct block *blocks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(blocks[i].lines);
	free(blocks);
}

void alignment_done(struct alignment *alignment)
{
	for (size_t i = 0; i < alignment->count; i++) {
		struct aligned_section *section = &alignment->sections[i];

		free_blocks(section->golden_blocks, section->golden_count);
		free_blocks(section->run_blocks, section->run_count);
		free(section->pairs);
		free(section->run_paired);
	}
	free(alignment->sections);
	*alignment = (struct alignment){ 0 };
}
