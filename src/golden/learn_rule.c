#include "golden/learn_rule.h"

#include "base/own.h"

#include <stdio.h>
#include <string.h>

/* What is said is cut there, and goes on with a star. */
#define SAID_MAX 400U

/*** Places ***/

/* How many bytes stand for what is not there as it was sent: a mark, a placeholder, an escape; 0: none. */
static size_t unclear(const char *text)
{
	size_t len = 1;

	if (*text == MARK_BEGIN)
		return strcspn(text, "\x02") + 1;
	if (*text == '"')
		return 1;
	if (*text == '\\') {
		if (text[1] == 'u')
			return strcspn(text, "}") + 1;
		return text[1] == 'x' ? 4 : 2;
	}
	if (*text != '<')
		return 0;
	while ((text[len] >= 'a' && text[len] <= 'z') || text[len] == '-')
		len++;
	if (len == 1 || (text[len] != '>' && text[len] != ':' && text[len] != '#'))
		return 0;
	return strcspn(text, ">") + 1;
}

/* Text of a golden as a pattern of what was sent. */
static void add_pattern(struct buf *out, struct span text)
{
	struct buf copy auto_buf = { 0 };
	const char *at, *end;
	size_t start = out->len, len;

	buf_add(&copy, text.data, text.len);
	at = buf_cstr(&copy);
	end = at + copy.len;
	while (at < end) {
		len = out->len - start > SAID_MAX ? (size_t)(end - at) : unclear(at);
		if (!len)
			buf_addc(out, *at);
		else if (out->len == start || out->data[out->len - 1] != '*')
			buf_addc(out, '*');
		at += !len ? 1 : len < (size_t)(end - at) ? len : (size_t)(end - at);
	}
}

/* What a line of the first message says behind "> NAME: "; SPAN_NONE where it is another line. */
static bool is_attr(const struct line *line, const char *name, struct span *ret_value)
{
	size_t len = strlen(name);
	struct span text = span_text(line->text);

	if (line->kind != LINE_OTHER || !line->where || strcmp(line->where, name) != 0 ||
	    text.len < len + 4)
		return false;
	*ret_value = span_cut(text, len + 4, text.len);
	return true;
}

/* The command with its SQL, or else: as said_text() has it, with stars for what is masked. */
static void add_said(struct buf *out, const struct unit *unit)
{
	static const char *const names[] = { "questions", "sql", "args", "user" };
	struct span value;
	size_t end = 0;
	bool found = false;

	if (unit->place->path.len) {
		add_pattern(out, span_text(unit->title));
		return;
	}
	buf_add(out, unit->place->method.data, unit->place->method.len);
	/* Up to the next message of the same side. */
	while (end < unit->count && unit->lines[end].text[0] == unit->lines[0].text[0] &&
	       (!end || !is_attr(&unit->lines[end], "command", &value)))
		end++;
	for (size_t name = 0; name < sizeof(names) / sizeof(names[0]) && !found; name++)
		for (size_t i = 0; i < end; i++) {
			if (!is_attr(&unit->lines[i], names[name], &value))
				continue;
			found = true;
			if (out->len)
				buf_addc(out, ' ');
			add_pattern(out, value);
		}
}

static bool is_word(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i], lower = c | 0x20;

		if ((lower < 'a' || lower > 'z') && (c < '0' || c > '9') && c != '-' && c != '_')
			return false;
	}
	return text.len > 0;
}

/* Its port, too, unless that is masked in the golden. */
static void add_peer(struct buf *out, const struct difference *difference)
{
	struct span peer = difference->unit->place->peer;
	const uint8_t *colon = peer.len ? memrchr(peer.data, ':', peer.len) : NULL;
	size_t start = out->len;

	if (colon && strchr(difference->head, MARK_BEGIN))
		peer = span_cut(peer, 0, (size_t)(colon - peer.data));
	buf_add(out, peer.data, peer.len);
	if (!peer.len && colon)
		buf_addc(out, ':');
	if (!peer.len)
		buf_addc(out, '*');
	for (size_t i = start; i < out->len; i++)
		if ((uint8_t)out->data[i] <= ' ' || out->data[i] == '/') {
			out->len = start;
			buf_addc(out, '*');
		}
}

/* "/a/b" with * for steps that are masked or differ. */
static void add_path(struct buf *out, const struct unit *unit)
{
	struct span path = span_text(unit->title);

	span_split(&path, ' ');
	path = span_split(&path, '?');
	span_split(&path, '/');
	for (size_t i = 0; path.data; i++) {
		struct span step = span_split(&path, '/');
		bool clear = i >= 64 || !(unit->moving >> i & 1);

		for (size_t j = 0; j < step.len && clear; j++)
			clear = !unclear((const char *)step.data + j);
		buf_addc(out, '/');
		if (clear)
			buf_add(out, step.data, step.len);
		else
			buf_addc(out, '*');
	}
}

/* "GET localhost/a/b", "SSLRequest db:5432"; or with all that is said: "\"Query select 1\" db:5432". */
static void add_place(struct buf *out, const struct difference *difference, bool said)
{
	const struct unit *unit = difference->unit;
	struct buf text auto_buf = { 0 };

	if (unit->place->path.len && !said) {
		buf_addf(out, "%.*s ", (int)unit->place->method.len,
			 (const char *)unit->place->method.data);
		add_peer(out, difference);
		if (difference->what != WHAT_PATH)
			add_path(out, unit);
		return;
	}
	add_said(&text, unit);
	if (text.len)
		buf_addf(out, said || !is_word(span_of(text.data, text.len)) ? "\"%s\" " : "%s ",
			 buf_cstr(&text));
	add_peer(out, difference);
}

/*** Names ***/

/* The line that opens the value with that pointer, in front of `line`; NULL. */
static const struct line *opening(const struct unit *unit, const struct line *line,
				  struct span pointer)
{
	while (line-- > unit->lines)
		if (line->kind == LINE_JSON && line->where &&
		    span_equal(span_text(line->where), pointer))
			return line;
	return NULL;
}

static bool is_array(const struct unit *unit, const struct line *line, struct span pointer)
{
	const struct line *open = opening(unit, line, pointer);
	size_t len = open ? strlen(open->text) : 0;

	return len && open->text[len - 1] == '[';
}

/* True where all items of that array differ, and none has parts: then it is of one kind. */
static bool all_move(const struct unit *unit, const struct line *line, struct span array)
{
	const struct line *item = opening(unit, line, array);

	if (!item || !array.len)
		return false;
	while (++item < unit->lines + unit->count) {
		struct span where = item->where ? span_text(item->where) : (struct span){ 0 };

		if (item->kind != LINE_JSON || span_equal(where, array))
			return true;
		if (!item->moves)
			return false;
	}
	return true;
}

/*
 * A pointer with * for what is in an array, as its items are alike. But an array in an array is a row:
 * its places have a meaning each, as have those of an array of which only some differ.
 */
static void add_pointer(struct buf *out, const struct unit *unit, const struct line *line)
{
	struct span whole = span_text(line->where), rest = whole;
	struct buf pointer auto_buf = { 0 };
	bool in_array = false;

	span_split(&rest, '/');
	while (rest.data) {
		struct span step = span_split(&rest, '/'),
			    before = span_cut(whole, 0,
					      (size_t)(step.data - whole.data) - (whole.len > 0));
		bool array = is_array(unit, line, before);

		buf_addc(&pointer, '/');
		if (array && !in_array && (rest.data || all_move(unit, line, before)))
			buf_addc(&pointer, '*');
		else if (!array && span_equal(step, SPAN("*")))
			buf_adds(&pointer, "~*");
		else
			buf_add(&pointer, step.data, step.len);
		in_array = array;
	}
	rule_add_name(out, span_of(pointer.data, pointer.len));
}

/* True where a member that the pointer goes through has a name that is masked: it is not to be told. */
static bool is_masked_name(const struct unit *unit, const struct line *line)
{
	struct span where = span_text(line->where);

	for (size_t len = where.len; len; len--) {
		const struct line *at = line;
		const char *end;

		if (len < where.len && where.data[len] != '/')
			continue;
		if (len < where.len)
			at = opening(unit, line, span_cut(where, 0, len));
		end = at ? strstr(at->text, "\": ") : NULL;
		if (end && memchr(at->text, MARK_BEGIN, (size_t)(end - at->text)))
			return true;
	}
	return false;
}

/* "/u/{id}/items" */
static void add_path_name(struct buf *out, const struct unit *unit)
{
	struct buf path auto_buf = { 0 };
	struct span rest;

	add_path(&path, unit);
	rest = span_of(path.data, path.len);
	span_split(&rest, '/');
	for (size_t i = 0; rest.data; i++) {
		struct span step = span_split(&rest, '/');

		buf_addc(out, '/');
		if (i < 64 && unit->moving >> i & 1)
			buf_adds(out, "{id}");
		else
			buf_add(out, step.data, step.len);
	}
}

static char *write_rule(const struct difference *difference, bool said)
{
	static const char *const verbs[] = { [WHAT_HEADER] = "mask header ",
					     [WHAT_JSON] = "mask json ",
					     [WHAT_QUERY] = "mask query ",
					     [WHAT_PATH] = "mask path ",
					     [WHAT_EXCHANGE] = "count any " };
	struct buf rule auto_buf = { 0 };

	buf_adds(&rule, verbs[difference->what]);
	if (difference->what == WHAT_JSON)
		add_pointer(&rule, difference->unit, difference->line);
	else if (difference->what == WHAT_PATH)
		add_path_name(&rule, difference->unit);
	else if (difference->what != WHAT_EXCHANGE)
		rule_add_name(&rule, difference->name);
	if (difference->what != WHAT_EXCHANGE)
		buf_adds(&rule, " in ");
	add_place(&rule, difference, said);
	if (difference->what != WHAT_EXCHANGE && strcmp(difference->type, "masked") != 0)
		buf_addf(&rule, " as %s", difference->type);
	return own_strdup(buf_cstr(&rule));
}

/*** What it hides ***/

bool learn_what(const struct line *line, enum rule_what *ret_what)
{
	static const enum rule_what whats[] = {
		[LINE_HEADER] = WHAT_HEADER, [LINE_JSON] = WHAT_JSON, [LINE_FORM] = WHAT_QUERY
	};

	if (!line->where ||
	    (line->kind != LINE_HEADER && line->kind != LINE_JSON && line->kind != LINE_FORM))
		return false;
	*ret_what = whats[line->kind];
	return true;
}

static bool is_named(const struct rule *rule, const struct line *line)
{
	enum rule_what what;

	return learn_what(line, &what) && rule_is_meant(rule, what, span_text(line->where));
}

/* What it masks of one side of that exchange: whether there is something, and whether that differs. */
static void look(const struct rule *rule, const struct unit *unit, char side, bool *ret_there,
		 bool *ret_moves)
{
	for (size_t i = 0; i < unit->count; i++) {
		if (unit->lines[i].text[0] != side || !is_named(rule, &unit->lines[i]))
			continue;
		*ret_there = true;
		*ret_moves |= unit->lines[i].moves;
	}
}

static bool has_difference(const struct differences *all, const struct difference *like,
			   const struct model *model, const struct unit *unit)
{
	uint64_t title = value_hash_text(&model->values, unit->title, false);

	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].what == like->what &&
		    span_equal(all->items[i].name, like->name) &&
		    value_hash_text(&model->values, all->items[i].unit->title, false) == title)
			return true;
	return false;
}

static bool has_parameter(const struct unit *unit, struct span name)
{
	struct span query = span_text(unit->title);

	span_split(&query, '?');
	while (query.len) {
		struct span part = span_split(&query, '&');

		if (span_equal(span_split(&part, '='), name))
			return true;
	}
	return false;
}

/* Of exchanges with the same title one that differs is enough: what is the same in another one is luck. */
static bool moves_elsewhere(const struct model *model, const struct rule *rule,
			    const struct unit *unit, char side)
{
	uint64_t title = value_hash_text(&model->values, unit->title, false);

	for (size_t s = 0; s < model->count; s++)
		for (size_t u = 0; u < model->sections[s]->count; u++) {
			const struct unit *other = model->sections[s]->units[u];
			bool there = false, moves = false;

			if (!rule_is_for(rule, other->place) ||
			    value_hash_text(&model->values, other->title, false) != title)
				continue;
			look(rule, other, side, &there, &moves);
			if (moves)
				return true;
		}
	return false;
}

/* True where the rule hides nothing of that exchange that is the same in all runs. */
static bool is_safe_in(const struct model *model, const struct differences *all,
		       const struct difference *difference, const struct rule *rule,
		       const struct unit *unit)
{
	size_t step;

	if (rule->what == WHAT_EXCHANGE)
		return has_difference(all, difference, model, unit);
	if (rule->what == WHAT_PATH)
		return !rule_path_step(rule, unit->place->path, &step) || unit->moving;
	if (rule->what == WHAT_QUERY && has_parameter(unit, rule->name) &&
	    !has_difference(all, difference, model, unit))
		return false;
	for (const char *side = "><"; *side; side++) {
		bool there = false, moves = false;

		look(rule, unit, *side, &there, &moves);
		if (there && !moves && !moves_elsewhere(model, rule, unit, *side))
			return false;
	}
	return true;
}

/* NULL: it is. */
static const char *why_not(const struct model *model, const struct differences *all,
			   const struct difference *difference, const char *text)
{
	struct rules rules = { 0 };
	struct rules_error error;
	const char *why = NULL;

	if (difference->what == WHAT_JSON && is_masked_name(difference->unit, difference->line))
		return "a name in it is masked itself";
	for (const char *c = text; *c && !why; c++)
		if ((uint8_t)*c < ' ' || *c == 127)
			why = "no rule can be written for a name like that";
	if (!why && (!rules_parse(&rules, span_text(text), &error) || rules.count != 1))
		why = "no rule can be written for a name like that";
	if (!why && (!rule_is_for(&rules.items[0], difference->unit->place) ||
		     (difference->line && !is_named(&rules.items[0], difference->line))))
		why = "no rule can be written for a place like that";
	for (size_t s = 0; s < model->count && !why; s++)
		for (size_t u = 0; u < model->sections[s]->count && !why; u++) {
			const struct unit *unit = model->sections[s]->units[u];

			if (rule_is_for(&rules.items[0], unit->place) &&
			    !is_safe_in(model, all, difference, &rules.items[0], unit))
				why = "a rule for it would also hide what is the same in all runs";
		}
	rules_done(&rules);
	return why;
}

/* The same, asked once for each rule: an array's items have one together. */
static const char *why_not_again(const struct model *model, struct differences *all,
				 const struct difference *difference, const char *text)
{
	uint64_t key = hash_bytes(5, text, strlen(text));
	const char *known = map_get(&all->checked, key), *why;

	if (known)
		return *known ? known : NULL;
	why = why_not(model, all, difference, text);
	map_put(&all->checked, key, (void *)(uintptr_t)(why ? why : ""));
	return why;
}

char *learn_rule(const struct model *model, struct differences *all,
		 const struct difference *difference, const char **ret_why)
{
	/* First without a query, which may be another one each time. */
	for (int said = 0; said < 2; said++) {
		char *rule = write_rule(difference, said);

		*ret_why = why_not_again(model, all, difference, rule);
		if (!*ret_why)
			return rule;
		free(rule);
		if (difference->what == WHAT_PATH)
			break;
	}
	return NULL;
}
