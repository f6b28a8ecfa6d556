#include "golden/learn.h"

#include "base/own.h"
#include "golden/align.h"
#include "golden/diff.h"
#include "golden/order.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A place that differs: a line's kind and name in an exchange. */
struct place_of_line {
	enum line_kind kind;
	const char *where;
	const char *title, *head;
	const struct unit *unit;
};

struct learner {
	struct learned *learned;
	size_t run; /* the one at hand */
	const struct model *model;
};

static void add(struct learner *learner, char *rule, char *what)
{
	struct learned *learned = learner->learned;

	for (size_t i = 0; i < learned->count; i++) {
		struct proposal *old = &learned->items[i];

		if (!strcmp(rule ? rule : what, old->rule && rule ? old->rule : old->what) &&
		    !old->rule == !rule) {
			free(rule);
			free(what);
			return;
		}
	}
	learned->items =
		own_realloc(learned->items, (learned->count + 1) * sizeof(*learned->items));
	learned->items[learned->count++] = (struct proposal){ rule, what, learner->run };
}

/* "peer localhost:<port#1> http by curl" to "localhost". */
static struct span host_of(const char *head)
{
	struct span text = span_text(head), host;

	span_split(&text, ' ');
	host = span_split(&text, ' ');
	for (size_t i = 0; i < host.len; i++)
		if (host.data[i] == ':')
			return span_cut(host, 0, i);
	return host;
}

/* " in GET localhost/a/b", with * for steps that have placeholders. */
static void add_where(struct buf *out, const struct place_of_line *place)
{
	struct span path = span_text(place->title), method = span_split(&path, ' '), host;

	path = span_split(&path, '?');
	host = host_of(place->head);
	if (!path.len || path.data[0] != '/')
		return;
	buf_addf(out, " in %.*s %.*s", (int)method.len, (const char *)method.data,
		 host.len ? (int)host.len : 1, host.len ? (const char *)host.data : "*");
	span_split(&path, '/');
	while (path.data) {
		struct span step = span_split(&path, '/');
		bool marked = step.len && memchr(step.data, MARK_BEGIN, step.len);

		buf_addc(out, '/');
		if (marked)
			buf_addc(out, '*');
		else
			buf_add(out, step.data, step.len);
	}
}

/* A pointer with * for numbers: items of an array are alike. */
static void add_pointer(struct buf *out, const char *pointer)
{
	struct span rest = span_text(pointer), step;
	uint64_t number;

	span_split(&rest, '/');
	while (rest.data) {
		step = span_split(&rest, '/');
		buf_addc(out, '/');
		if (span_number(step, 10, &number))
			buf_addc(out, '*');
		else
			buf_add(out, step.data, step.len);
	}
}

static char *refusal(const struct place_of_line *place, const char *why)
{
	struct span host = host_of(place->head);

	return own_printf("%s (%.*s): %s", place->title, (int)host.len, (const char *)host.data,
			  why);
}

static const char *type_of(const struct line *line)
{
	const char *raw = line->raw ? line->raw : "";
	size_t len = strlen(raw), digits = strspn(raw, "0123456789.-");

	if (len && digits == len)
		return "number";
	len -= len && raw[0] == '"' ? 2 : 0;
	raw += raw[0] == '"';
	return len >= 8 && strspn(raw, "0123456789abcdefABCDEF-") >= len ? "id" : "masked";
}

static void propose(struct learner *learner, const struct place_of_line *place,
		    const struct line *line)
{
	static const char *const verbs[] = {
		[LINE_HEADER] = "header", [LINE_JSON] = "json", [LINE_FORM] = "query"
	};
	struct buf rule = { 0 };

	if (line->kind == LINE_STATUS) {
		add(learner, NULL,
		    refusal(place, "the status differs: that is what a golden is "
				   "for"));
	} else if (line->kind == LINE_JSON && (!line->where || !*line->where)) {
		add(learner, NULL, refusal(place, "the whole of the JSON would be masked"));
	} else if (line->kind == LINE_HEADER || line->kind == LINE_JSON ||
		   line->kind == LINE_FORM) {
		buf_addf(&rule, "mask %s ", verbs[line->kind]);
		if (line->kind == LINE_JSON)
			add_pointer(&rule, line->where);
		else
			buf_adds(&rule, line->where);
		add_where(&rule, place);
		if (strcmp(type_of(line), "masked") != 0)
			buf_addf(&rule, " as %s", type_of(line));
		add(learner, own_strdup(buf_cstr(&rule)), own_strdup(place->title));
	} else {
		add(learner, NULL,
		    refusal(place, "a line of text differs: mask text /…/ for what it is"));
	}
	buf_done(&rule);
}

/* The line of the unit that a block's line shows. */
static const struct line *line_of(const struct block_line *line)
{
	for (size_t i = 0; i < line->unit->count; i++)
		if (line->unit->lines[i].text == line->text)
			return &line->unit->lines[i];
	return NULL;
}

/* More than half of an answer: then it is another answer, and no rule's business. */
static bool is_broad(size_t differ, size_t count)
{
	return differ > 3 && 2 * differ > count;
}

static void learn_pair(struct learner *learner, const struct aligned_section *section,
		       const struct pair *pair)
{
	const struct block *a = pair->golden, *b = pair->run;
	uint64_t *hashes auto_free = own_alloc((a->count + b->count + 1) * sizeof(*hashes));
	size_t *kept auto_free = own_alloc((a->count + 1) * sizeof(*kept)), differ = 0;
	struct place_of_line place = { .head = section->golden->head };

	for (size_t i = 0; i < a->count; i++)
		hashes[i] = a->lines[i].blank;
	for (size_t i = 0; i < b->count; i++)
		hashes[a->count + i] = b->lines[i].blank;
	diff_lines(hashes, a->count, hashes + a->count, b->count, kept);
	for (size_t i = 0; i < a->count; i++)
		differ += kept[i] == DIFF_NONE;
	if (is_broad(differ, a->count)) {
		place.title = a->unit->title;
		add(learner, NULL, refusal(&place, "more than half of it differs"));
		return;
	}
	for (size_t i = 0; i < a->count; i++) {
		const struct line *line = line_of(&a->lines[i]);

		if (kept[i] != DIFF_NONE)
			continue;
		place.title = a->lines[i].unit->title;
		if (line)
			propose(learner, &place, line);
		else
			add(learner, NULL, refusal(&place, "its address or its number differs"));
	}
	for (size_t i = 0; i < b->count; i++) {
		bool stays = false;

		for (size_t j = 0; j < a->count && !stays; j++)
			stays = kept[j] == i;
		place.title = b->lines[i].unit->title;
		if (!stays && line_of(&b->lines[i]))
			propose(learner, &place, line_of(&b->lines[i]));
	}
}

static void learn_section(struct learner *learner, const struct aligned_section *section)
{
	struct place_of_line place = { .title = "" };

	if (!section->golden || !section->run) {
		place.head = section->golden ? section->golden->head : section->run->head;
		add(learner, NULL,
		    refusal(&place, "not in every run: ignore peer …, if it is to be"));
		return;
	}
	place.head = section->golden->head;
	for (size_t i = 0; i < section->pair_count; i++)
		if (section->pairs[i].how == PAIR_LIKE)
			learn_pair(learner, section, &section->pairs[i]);
	for (size_t i = 0; i < section->golden_count; i++) {
		const struct block *block = &section->golden_blocks[i];
		struct buf rule = { 0 };

		if (block->times == TIMES_ANY || block->found == block->times)
			continue;
		place.title = block->unit->title;
		buf_adds(&rule, "count any");
		add_where(&rule, &place);
		if (block->found && rule.len > 9) {
			/* "count any in GET …" without its "in". */
			memmove(rule.data + 9, rule.data + 12, rule.len - 12);
			rule.len -= 3;
			add(learner, own_strdup(buf_cstr(&rule)), own_strdup(place.title));
		} else {
			add(learner, NULL, refusal(&place, "not in every run"));
		}
		buf_done(&rule);
	}
	for (size_t i = 0; i < section->run_count; i++)
		if (!section->run_paired[i]) {
			place.title = section->run_blocks[i].unit->title;
			add(learner, NULL, refusal(&place, "not in every run"));
		}
}

void learn(struct learned *ret_learned, struct model *const *runs, size_t count)
{
	struct learner learner = { .learned = ret_learned };

	*ret_learned = (struct learned){ 0 };
	for (size_t i = 0; i < count; i++)
		order_canonical(runs[i]);
	for (size_t i = 1; i < count; i++) {
		struct alignment alignment;

		learner.run = i;
		align_models(&alignment, runs[0], runs[i]);
		for (size_t s = 0; s < alignment.count; s++)
			learn_section(&learner, &alignment.sections[s]);
		alignment_done(&alignment);
	}
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
