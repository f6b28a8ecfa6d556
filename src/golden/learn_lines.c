#include "golden/learner.h"

#include "base/own.h"

#include <stdio.h>
#include <string.h>

/* Of what differs in a line, so much is told. */
#define PART_MAX 60U
/* Values of JSON in an exchange that have other parts in each run. */
#define UNLIKE_MAX 64U

void learner_add(struct learner *learner, char *rule, char *what, size_t run)
{
	struct learned *learned = learner->learned;

	for (size_t i = 0; rule && i < learned->count; i++)
		if (learned->items[i].rule && !strcmp(rule, learned->items[i].rule)) {
			free(rule);
			free(what);
			return;
		}
	learned->items =
		own_realloc(learned->items, (learned->count + 1) * sizeof(*learned->items));
	learned->items[learned->count++] = (struct proposal){ rule, what, run };
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

static char *shown(const struct model *model, const char *text)
{
	struct buf out auto_buf = { 0 };

	value_add_text(&model->values, &out, text);
	return own_strdup(buf_cstr(&out));
}

void learner_refuse(struct learner *learner, const struct model *model, const char *head,
		    const char *title, const char *why, const char *part)
{
	struct span host = host_of(head);
	char *name auto_free = shown(model, title);
	uint64_t key = hash_bytes(
		hash_bytes(value_hash_text(&model->values, title, false), host.data, host.len), why,
		strlen(why));

	if (map_put(&learner->told, key, learner))
		return;
	learner_add(learner, NULL,
		    own_printf("%s (%.*s): %s%s%s%s", name, (int)host.len, (const char *)host.data,
			       why, part ? " ('" : "", part ? part : "", part ? "')" : ""),
		    learner->run);
}

void learner_refuse_unit(struct learner *learner, const struct unit *unit, const char *why,
			 const char *part)
{
	learner_refuse(learner, learner->golden, learner->section->golden->head, unit->title, why,
		       part);
}

const char *learner_type(struct span raw)
{
	const char *text = raw.data ? (const char *)raw.data : "";
	size_t len = raw.len, digits = 0, hex = 0;

	while (digits < len && strchr("0123456789.-", text[digits]))
		digits++;
	if (len && digits == len)
		return "number";
	if (len >= 2 && text[0] == '"') {
		text++;
		len -= 2;
	}
	while (hex < len && strchr("0123456789abcdefABCDEF-", text[hex]))
		hex++;
	return len >= 8 && hex == len ? "id" : "masked";
}

void learner_differs(struct learner *learner, struct difference difference)
{
	struct differences *all = &learner->all;

	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].what == difference.what &&
		    all->items[i].unit == difference.unit &&
		    all->items[i].line == difference.line &&
		    span_equal(all->items[i].name, difference.name))
			return;
	difference.head = learner->section->golden->head;
	difference.run = learner->run;
	if (!(all->count & (all->count - 1)))
		all->items = own_realloc(all->items,
					 (all->count ? 2 * all->count : 1) * sizeof(*all->items));
	all->items[all->count++] = difference;
}

/*** Lines ***/

/* Which line of an exchange it is: by its name, else by its number among its kind. */
static uint64_t *line_keys(const struct unit *unit)
{
	uint64_t *keys = own_alloc((unit->count + 1) * sizeof(*keys));
	struct map seen = { 0 };

	for (size_t i = 0; i < unit->count; i++) {
		const struct line *line = &unit->lines[i];
		const char *where = line->where ? line->where : "";
		uint64_t key = hash_bytes((uint64_t)line->kind * 256 + (uint8_t)line->text[0],
					  where, strlen(where));
		uintptr_t number = (uintptr_t)map_get(&seen, key) + 1;

		map_put(&seen, key, (void *)number);
		keys[i] = hash_bytes(key, &number, sizeof(number));
	}
	map_done(&seen);
	return keys;
}

static bool is_same_line(const struct learner *learner, const struct line *a, const struct line *b)
{
	const char *texts[] = { a->text, b->text };
	uint64_t hashes[2];

	for (int i = 0; i < 2; i++) {
		const struct model *model = i ? learner->model : learner->golden;
		char *copy auto_free = own_strdup(texts[i]);
		size_t len = strlen(copy);

		/* Whether something follows is told where it does. */
		if (a->kind == LINE_JSON && len && copy[len - 1] == ',')
			copy[len - 1] = '\0';
		hashes[i] = value_hash_text(&model->values, copy, false);
	}
	return hashes[0] == hashes[1];
}

char *learner_part(const struct learner *learner, const char *one, const char *other)
{
	char *a auto_free = shown(learner->golden, one),
		*b auto_free = shown(learner->model, other);
	size_t from = 0, to = strlen(a), end = strlen(b);
	const char *more = "";

	while (a[from] && a[from] == b[from])
		from++;
	while (to > from && end > from && a[to - 1] == b[end - 1]) {
		to--;
		end--;
	}
	while (from > 2 && a[from - 1] != ' ')
		from--;
	while (a[to] && a[to] != ' ')
		to++;
	if (to - from > PART_MAX) {
		to = from + PART_MAX;
		while (to > from && (a[to] & 0xc0) == 0x80)
			to--;
		more = "…";
	}
	return own_printf("%.*s%s", (int)(to - from), a + from, more);
}

/* Values of JSON that have other members, or more or fewer items, in the other run. */
struct unlike {
	struct span items[UNLIKE_MAX];
	size_t count;
};

static void add_unlike(struct unlike *unlike, const struct line *line, bool itself)
{
	struct span where = span_text(line->where);

	while (!itself && where.len && where.data[where.len - 1] != '/')
		where.len--;
	where.len -= !itself && where.len;
	for (size_t i = 0; i < unlike->count; i++)
		if (span_equal(unlike->items[i], where))
			return;
	if (unlike->count < UNLIKE_MAX)
		unlike->items[unlike->count++] = where;
}

static bool is_unlike(const struct unlike *unlike, const struct line *line)
{
	struct span where = span_text(line->where);

	for (size_t i = 0; i < unlike->count; i++)
		if (span_starts(where, unlike->items[i]) &&
		    (where.len == unlike->items[i].len || where.data[unlike->items[i].len] == '/'))
			return true;
	return false;
}

static bool is_scalar(const struct line *line)
{
	return line->raw && *line->raw;
}

static void refuse_line(struct learner *learner, const struct unit *unit, const struct line *line,
			const struct line *other)
{
	char *part auto_free = other ? learner_part(learner, line->text, other->text) : NULL;

	if (line->kind == LINE_STATUS)
		learner_refuse_unit(learner, unit,
				    "the status differs: that is what a golden is for", NULL);
	else if (line->kind == LINE_BINARY)
		learner_refuse_unit(
			learner, unit,
			"a body that is no text, or a long one, differs: --level requests "
			"leaves bodies out, ignore exchange … all of it",
			NULL);
	else if (line->kind == LINE_HEADER || line->kind == LINE_FORM)
		learner_refuse_unit(learner, unit, "it is not in every run", line->where);
	else
		learner_refuse_unit(learner, unit,
				    "a line of text differs: mask text /…/ for what it is", part);
}

static void learn_line(struct learner *learner, const struct unit *unit, struct line *line,
		       const struct line *other)
{
	enum rule_what what;

	if (!other || !learn_what(line, &what)) {
		refuse_line(learner, unit, line, other);
		return;
	}
	line->moves = true;
	learner_differs(
		learner,
		(struct difference){ .what = what,
				     .unit = unit,
				     .line = line,
				     .name = span_text(line->where),
				     .type = learner_type(span_text(line->raw ? line->raw : "")) });
}

/* More than half of an answer: then it is another answer, and no rule's business. */
static bool is_broad(size_t differ, size_t count)
{
	return differ > 3 && 2 * differ > count;
}

/* For each line of `a` that of `b` with the same key; those that only `b` has into *ret_more. */
static struct line **match_lines(const struct unit *a, const struct unit *b, struct line **ret_more,
				 size_t *ret_more_count)
{
	uint64_t *keys auto_free = line_keys(a), *others auto_free = line_keys(b);
	struct line **found = own_zalloc((a->count + 1) * sizeof(struct line *));
	struct map map = { 0 };

	for (size_t i = 0; i < b->count; i++)
		map_put(&map, others[i], &b->lines[i]);
	for (size_t i = 0; i < a->count; i++)
		found[i] = map_take(&map, keys[i]);
	*ret_more_count = 0;
	for (size_t i = 0; i < b->count; i++)
		if (map_get(&map, others[i]))
			ret_more[(*ret_more_count)++] = &b->lines[i];
	map_done(&map);
	return found;
}

static void refuse_unlike(struct learner *learner, const struct unit *unit,
			  const struct unlike *unlike)
{
	for (size_t i = 0; i < unlike->count; i++) {
		char *name auto_free = own_printf("%.*s", (int)unlike->items[i].len,
						  (const char *)unlike->items[i].data);

		learner_refuse_unit(
			learner, unit,
			"JSON has other members, or more or fewer items, in each run: only a "
			"rule for all of it would help",
			*name ? name : "all of it");
	}
}

void learner_lines(struct learner *learner, const struct unit *a, const struct unit *b)
{
	struct line **more auto_free = own_alloc((b->count + 1) * sizeof(struct line *));
	size_t more_count = 0, differ = 0;
	struct line **others auto_free = match_lines(a, b, more, &more_count);
	bool *differs auto_free = own_zalloc(a->count + 1);
	struct unlike unlike = { 0 };

	for (size_t i = 0; i < a->count; i++) {
		struct line *line = &a->lines[i];

		differs[i] = !others[i] || !is_same_line(learner, line, others[i]);
		differ += differs[i];
		if (!differs[i] || line->kind != LINE_JSON || !line->where)
			continue;
		if (!others[i])
			add_unlike(&unlike, line, false);
		else if (!is_scalar(line) || !is_scalar(others[i]))
			add_unlike(&unlike, line, true);
	}
	if (is_broad(differ, a->count)) {
		learner_refuse_unit(learner, a, "more than half of it differs", NULL);
		return;
	}
	for (size_t i = 0; i < more_count; i++) {
		if (more[i]->kind == LINE_JSON && more[i]->where)
			add_unlike(&unlike, more[i], false);
		else
			refuse_line(learner, a, more[i], NULL);
	}
	refuse_unlike(learner, a, &unlike);
	for (size_t i = 0; i < a->count; i++)
		if (differs[i] && (a->lines[i].kind != LINE_JSON || !a->lines[i].where ||
				   !is_unlike(&unlike, &a->lines[i])))
			learn_line(learner, a, &a->lines[i], others[i]);
}
