#include "golden/rules.h"

#include "base/buf.h"
#include "golden/value.h"

#include <string.h>

bool rules_use(struct rules *rules, enum builtin builtin)
{
	if (rules->off[builtin])
		return false;
	rules->hits[builtin]++;
	return true;
}

/* `*` stands for any characters. Linear: only the last star is ever gone back to. */
static bool glob(struct span pattern, struct span text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, back = 0;

	while (t < text.len) {
		if (p < pattern.len && pattern.data[p] == '*') {
			star = p++;
			back = t;
		} else if (p < pattern.len && pattern.data[p] == text.data[t]) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++back;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.data[p] == '*')
		p++;
	return p == pattern.len;
}

/* Takes the first step off "/a/b"; false where there is none. */
static bool take_step(struct span *path, struct span *ret_step)
{
	size_t len = 1;

	if (!path->len || path->data[0] != '/')
		return false;
	while (len < path->len && path->data[len] != '/')
		len++;
	*ret_step = span_cut(*path, 1, len - 1);
	*path = span_cut(*path, len, path->len);
	return true;
}

/* "~*" is a key that is a star. */
static bool match_key(struct span want, struct span key)
{
	if (span_equal(want, SPAN("~*")))
		return span_equal(key, SPAN("*"));
	return span_equal(want, SPAN("*")) || span_equal(want, key);
}

static bool match_steps(struct span pattern, struct span path, bool pointer)
{
	struct span want, step;

	while (take_step(&pattern, &want)) {
		if (!pointer && !pattern.len && span_equal(want, SPAN("**")))
			return true;
		if (!take_step(&path, &step))
			return false;
		if (pointer ? !match_key(want, step) : !glob(want, step))
			return false;
	}
	return !path.len;
}

bool rule_is_for(const struct rule *rule, const struct place *place)
{
	const struct place *want = &rule->place;

	if (want->method.len && !span_equal_nocase(want->method, place->method))
		return false;
	if (want->said.len && !glob(want->said, place->said))
		return false;
	if (want->peer.len && !glob(want->peer, place->peer)) {
		/* Without a port it is any. */
		const uint8_t *colon = memrchr(place->peer.data, ':', place->peer.len);

		if (!colon ||
		    !glob(want->peer, span_cut(place->peer, 0, (size_t)(colon - place->peer.data))))
			return false;
	}
	return !want->path.len || match_steps(want->path, place->path, false);
}

bool rule_is_meant(const struct rule *rule, enum rule_what what, struct span name)
{
	size_t step;

	if (rule->what != what || rule->action == RULE_IGNORE)
		return false;
	if (what == WHAT_JSON)
		return match_steps(rule->name, name, true);
	if (what == WHAT_PATH)
		return rule_path_step(rule, name, &step);
	return span_equal(rule->name, name);
}

struct rule *rules_find(struct rules *rules, enum rule_what what, struct span name,
			const struct place *place)
{
	for (size_t i = 0; i < rules->count; i++) {
		struct rule *rule = &rules->items[i];

		if (rule_is_meant(rule, what, name) && rule_is_for(rule, place)) {
			rule->hits++;
			return rule;
		}
	}
	return NULL;
}

struct rule *rules_find_action(struct rules *rules, enum rule_action action, enum rule_what what,
			       const struct place *place)
{
	for (size_t i = 0; i < rules->count; i++) {
		struct rule *rule = &rules->items[i];

		if (rule->action == action && rule->what == what && rule_is_for(rule, place)) {
			rule->hits++;
			return rule;
		}
	}
	return NULL;
}

bool rule_path_step(const struct rule *rule, struct span path, size_t *ret_step)
{
	struct span pattern = rule->name, want, step;
	size_t number = 0;
	bool found = false;

	for (; take_step(&pattern, &want); number++) {
		if (!take_step(&path, &step))
			return false;
		if (want.len && want.data[0] == '{') {
			*ret_step = number;
			found = true;
		} else if (!glob(want, step)) {
			return false;
		}
	}
	return found && !path.len;
}

void rule_masked(struct rule *rule, struct span raw)
{
	rule->sum += hash_bytes(3, raw.data, raw.len);
}

void rules_forget(struct rules *rules)
{
	memcpy(rules->hits, rules->settled, sizeof(rules->hits));
	for (size_t i = 0; i < rules->count; i++) {
		rules->items[i].hits = rules->items[i].settled_hits;
		rules->items[i].sum = rules->items[i].settled_sum;
	}
}

void rules_settle(struct rules *rules)
{
	memcpy(rules->settled, rules->hits, sizeof(rules->hits));
	for (size_t i = 0; i < rules->count; i++) {
		rules->items[i].settled_hits = rules->items[i].hits;
		rules->items[i].settled_sum = rules->items[i].sum;
	}
}

void rule_add_name(struct buf *out, struct span name)
{
	if (name.len && name.data[0] != '"' && !memchr(name.data, ' ', name.len) &&
	    !memchr(name.data, '\t', name.len)) {
		buf_add(out, name.data, name.len);
		return;
	}
	buf_addc(out, '"');
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] == '"' || name.data[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, (char)name.data[i]);
	}
	buf_addc(out, '"');
}

static void add_place(struct buf *out, const struct place *place)
{
	if (place->method.len) {
		buf_add(out, place->method.data, place->method.len);
		buf_addc(out, ' ');
	}
	if (place->said.len)
		buf_addf(out, "\"%.*s\" ", (int)place->said.len, (const char *)place->said.data);
	buf_add(out, place->peer.data, place->peer.len);
	buf_add(out, place->path.data, place->path.len);
}

void rule_add_text(struct buf *out, const struct rule *rule)
{
	static const char *const verbs[] = { "mask",      "keep",         "ignore",
					     "order any", "order strict", "count any" };
	static const char *const nouns[] = { "header", "json", "query",    "path",
					     "text",   "peer", "exchange", "builtin" };
	bool named = rule->action == RULE_MASK || rule->action == RULE_KEEP;

	buf_adds(out, verbs[rule->action]);
	if (named || rule->action == RULE_IGNORE)
		buf_addf(out, " %s", nouns[rule->what]);
	if (named) {
		buf_addc(out, ' ');
		if (rule->what == WHAT_TEXT)
			buf_addf(out, "/%.*s/", (int)rule->name.len, (const char *)rule->name.data);
		else
			rule_add_name(out, rule->name);
	}
	if (rule->place.peer.len) {
		buf_adds(out, named ? " in " : " ");
		add_place(out, &rule->place);
	}
	if (rule->action == RULE_MASK && strcmp(rule->type, "masked") != 0)
		buf_addf(out, " as %s", rule->type);
}
