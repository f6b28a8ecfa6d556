/* The text of a rules file: every error with its line and column. */
#include "base/buf.h"
#include "base/match.h"
#include "base/own.h"
#include "golden/rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct words {
	struct span rest;
	const uint8_t *start; /* of the line */
	const uint8_t *word;  /* the last one */
	unsigned int line;
	struct rules_error *error;
};

static bool fail(const struct words *words, const uint8_t *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool fail(const struct words *words, const uint8_t *at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	words->error->line = words->line;
	words->error->column = (unsigned int)(at - words->start) + 1;
	vsnprintf(words->error->text, sizeof(words->error->text), format, args);
	va_end(args);
	return false;
}

/* What is behind the first bytes; at the end of the line still a place in it, for columns. */
static struct span behind(struct span rest, size_t len)
{
	return span_of(rest.data + len, rest.len - len);
}

static void skip_blanks(struct words *words)
{
	while (words->rest.len && (words->rest.data[0] == ' ' || words->rest.data[0] == '\t'))
		words->rest = behind(words->rest, 1);
	words->word = words->rest.data;
}

/* Empty at the end of the line. */
static struct span next_word(struct words *words)
{
	struct span word;
	size_t len = 0;

	skip_blanks(words);
	while (len < words->rest.len && words->rest.data[len] != ' ' &&
	       words->rest.data[len] != '\t')
		len++;
	word = span_cut(words->rest, 0, len);
	words->rest = behind(words->rest, len);
	return word;
}

static struct span peek_word(const struct words *words)
{
	struct words copy = *words;

	return next_word(&copy);
}

static bool has_quote(struct words *words)
{
	skip_blanks(words);
	return words->rest.len && words->rest.data[0] == '"';
}

/*
 * "…" with \" and \\ as those two, which are put right in the text: it is ours. Where it is a pattern
 * there are no escapes: * stands for any character.
 */
static bool quoted(struct words *words, bool escapes, struct span *ret_text)
{
	uint8_t *text = (uint8_t *)(uintptr_t)words->rest.data + 1;
	size_t at = 1, len = 0;

	while (at < words->rest.len && words->rest.data[at] != '"') {
		at += escapes && words->rest.data[at] == '\\' && at + 1 < words->rest.len;
		text[len++] = words->rest.data[at++];
	}
	if (at >= words->rest.len)
		return fail(words, words->word, "the quotes have no end: \"…\"");
	*ret_text = span_of(text, len);
	words->rest = behind(words->rest, at + 1);
	if (words->rest.len && words->rest.data[0] != ' ' && words->rest.data[0] != '\t')
		return fail(words, words->rest.data, "a blank was expected behind the quotes");
	return true;
}

/* A name of capitals is a method's; another one where a peer follows, so not before "as TYPE". */
static bool is_method(const struct words *words, struct span word)
{
	struct words behind = *words;
	struct span next = next_word(&behind);
	bool capitals = word.len > 0;

	for (size_t i = 0; i < word.len; i++) {
		uint8_t c = word.data[i], lower = c | 0x20;

		capitals &= c >= 'A' && c <= 'Z';
		if ((lower < 'a' || lower > 'z') && (c < '0' || c > '9') && c != '-' && c != '_')
			return false;
	}
	return capitals || (next.len && !span_equal(next, SPAN("as")));
}

/* [METHOD] PEER[/PATH] */
static bool parse_place(struct words *words, struct rules *rules, struct place *ret_place)
{
	struct span word;

	if (has_quote(words)) {
		if (!quoted(words, false, &ret_place->said))
			return false;
		if (!ret_place->said.len)
			return fail(words, words->word, "between the quotes is nothing");
		rules->says = true;
	}
	word = next_word(words);
	if (!ret_place->said.len && is_method(words, word)) {
		ret_place->method = word;
		word = next_word(words);
	}
	if (!word.len)
		return fail(words, words->word, "a place was expected: [METHOD] PEER[/PATH]");
	ret_place->peer = word;
	for (size_t i = 0; i < word.len; i++)
		if (word.data[i] == '/') {
			ret_place->peer = span_cut(word, 0, i);
			ret_place->path = span_cut(word, i, word.len);
			break;
		}
	if (!ret_place->peer.len)
		return fail(words, words->word, "a place begins with its peer; * is any");
	return true;
}

static bool parse_regex(struct words *words, struct rule *rule)
{
	char *pattern auto_free = NULL;
	size_t end = 1;

	skip_blanks(words);
	if (!words->rest.len || words->rest.data[0] != '/')
		return fail(words, words->word, "an expression was expected: /…/");
	while (end < words->rest.len && words->rest.data[end] != '/')
		end += words->rest.data[end] == '\\' ? 2 : 1;
	if (end >= words->rest.len)
		return fail(words, words->word, "the expression has no end: /…/");
	rule->name = span_cut(words->rest, 1, end - 1);
	pattern = own_printf("%.*s", (int)rule->name.len, (const char *)rule->name.data);
	rule->regex = match_new(pattern);
	if (!rule->regex)
		return fail(words, words->word + 1, "this is no regular expression");
	if (match_found(rule->regex, "", 0))
		return fail(words, words->word + 1,
			    "the expression matches nothing at all, too: "
			    "it would mask everywhere");
	words->rest = behind(words->rest, end + 1);
	return true;
}

/* What a rule is about, and the name's form. */
static bool parse_name(struct words *words, struct rule *rule)
{
	if (rule->what == WHAT_TEXT)
		return parse_regex(words, rule);
	if (!has_quote(words))
		rule->name = next_word(words);
	else if (!quoted(words, true, &rule->name))
		return false;
	if (!rule->name.len)
		return fail(words, words->word, "a name was expected");
	if (rule->what == WHAT_JSON && rule->name.data[0] != '/')
		return fail(words, words->word, "a JSON Pointer begins with '/'");
	if (rule->what == WHAT_PATH &&
	    (rule->name.data[0] != '/' || !memchr(rule->name.data, '{', rule->name.len)))
		return fail(words, words->word,
			    "a path begins with '/' and has a step in braces: /users/{id}");
	for (size_t i = 0; rule->what == WHAT_HEADER && i < rule->name.len; i++)
		if (rule->name.data[i] >= 'A' && rule->name.data[i] <= 'Z')
			return fail(words, words->word + i, "names of headers are in lower case");
	return true;
}

static bool is_type(struct span word)
{
	for (size_t i = 0; i < word.len; i++)
		if ((word.data[i] < 'a' || word.data[i] > 'z') && word.data[i] != '-')
			return false;
	return word.len > 0 && word.len < 32;
}

static bool parse_tail(struct words *words, struct rules *rules, struct rule *rule)
{
	struct span word = next_word(words);

	if (span_equal(word, SPAN("in"))) {
		if (!parse_place(words, rules, &rule->place))
			return false;
		word = next_word(words);
	}
	if (span_equal(word, SPAN("as")) && rule->action == RULE_MASK) {
		word = next_word(words);
		if (!is_type(word))
			return fail(words, words->word, "a type is made of letters a to z and '-'");
		rule->type = (const char *)word.data;
		/* The text is ours; what follows is the line's end or a blank. */
		((char *)(uintptr_t)rule->type)[word.len] = '\0';
		word = next_word(words);
	}
	if (word.len)
		return fail(words, words->word, "not understood: '%.*s'", (int)word.len,
			    (const char *)word.data);
	return true;
}

struct what_row {
	const char *name;
	enum rule_what what;
};

static const struct what_row whats[] = {
	{ "header", WHAT_HEADER }, { "json", WHAT_JSON }, { "query", WHAT_QUERY },
	{ "path", WHAT_PATH },     { "text", WHAT_TEXT }, { "builtin", WHAT_BUILTIN },
};

static bool parse_mask(struct words *words, struct rules *rules, struct rule *rule)
{
	struct span word = next_word(words);
	size_t i = 0, count = sizeof(whats) / sizeof(whats[0]);
	int builtin;

	while (i < count && !span_equal(word, span_text(whats[i].name)))
		i++;
	if (i == count || (whats[i].what == WHAT_BUILTIN && rule->action == RULE_MASK) ||
	    (whats[i].what == WHAT_TEXT && rule->action == RULE_KEEP))
		return fail(words, words->word,
			    "'header', 'json', 'query', 'path' or '%s' was expected",
			    rule->action == RULE_MASK ? "text" : "builtin");
	rule->what = whats[i].what;
	if (!parse_name(words, rule))
		return false;
	if (rule->what == WHAT_BUILTIN) {
		builtin = builtin_find(rule->name);
		if (builtin < 0)
			return fail(words, words->word,
				    "there is no built-in rule '%.*s': 'iotrace rules' lists them",
				    (int)rule->name.len, (const char *)rule->name.data);
		rules->off[builtin] = true;
	}
	return parse_tail(words, rules, rule);
}

static bool parse_ignore(struct words *words, struct rules *rules, struct rule *rule)
{
	struct span word = next_word(words);

	if (span_equal(word, SPAN("peer")))
		rule->what = WHAT_PEER;
	else if (span_equal(word, SPAN("exchange")))
		rule->what = WHAT_EXCHANGE;
	else
		return fail(words, words->word, "'peer' or 'exchange' was expected");
	if (!parse_place(words, rules, &rule->place))
		return false;
	if (rule->what == WHAT_PEER &&
	    (rule->place.path.len || rule->place.method.len || rule->place.said.len))
		return fail(words, words->word, "a peer has neither method nor path");
	return parse_tail(words, rules, rule);
}

static bool parse_order(struct words *words, struct rules *rules, struct rule *rule)
{
	struct span word = next_word(words);

	rule->what = WHAT_PEER;
	if (span_equal(word, SPAN("strict")))
		rule->action = RULE_ORDER_STRICT;
	else if (!span_equal(word, SPAN("any")))
		return fail(words, words->word, "'any' or 'strict' was expected");
	return parse_place(words, rules, &rule->place) && parse_tail(words, rules, rule);
}

static bool parse_count(struct words *words, struct rules *rules, struct rule *rule)
{
	rule->what = WHAT_EXCHANGE;
	if (!span_equal(next_word(words), SPAN("any")))
		return fail(words, words->word, "'any' was expected");
	return parse_place(words, rules, &rule->place) && parse_tail(words, rules, rule);
}

static bool parse_version(struct words *words, struct rules *rules, struct rule *rule)
{
	struct span word = next_word(words);
	uint64_t version;

	rule->what = WHAT_BUILTIN;
	if (!span_number(word, 10, &version) || !version)
		return fail(words, words->word, "a version was expected");
	if (version > BUILTIN_VERSION)
		return fail(words, words->word, "this iotrace has built-in rules of version %d",
			    BUILTIN_VERSION);
	return parse_tail(words, rules, rule);
}

struct action_row {
	const char *name;
	enum rule_action action;
	bool (*parse)(struct words *words, struct rules *rules, struct rule *rule);
};

static const struct action_row actions[] = {
	{ "mask", RULE_MASK, parse_mask },       { "keep", RULE_KEEP, parse_mask },
	{ "ignore", RULE_IGNORE, parse_ignore }, { "order", RULE_ORDER_ANY, parse_order },
	{ "count", RULE_COUNT, parse_count },    { "builtin", RULE_KEEP, parse_version },
};

static bool parse_rule(struct rules *rules, struct words *words)
{
	struct rule rule = { .type = "masked", .line = words->line };
	struct span word = peek_word(words);
	bool good;

	if (!word.len || word.data[0] == '#')
		return true;
	next_word(words);
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (!span_equal(word, span_text(actions[i].name)))
			continue;
		if (rules->count == RULES_MAX)
			return fail(words, words->word, "more than %u rules", RULES_MAX);
		rule.action = actions[i].action;
		good = actions[i].parse(words, rules, &rule);
		/* What holds whatever is seen cannot go unused. */
		rule.hits = rule.what == WHAT_BUILTIN;
		rules->items =
			own_realloc(rules->items, (rules->count + 1) * sizeof(*rules->items));
		rules->items[rules->count++] = rule;
		return good;
	}
	return fail(words, words->word, "a rule begins with mask, keep, ignore, order or count");
}

bool rules_parse(struct rules *rules, struct span text, struct rules_error *ret_error)
{
	struct words words = { .error = ret_error };
	struct span rest;

	*ret_error = (struct rules_error){ 0 };
	if (text.len > RULES_FILE_MAX) {
		snprintf(ret_error->text, sizeof(ret_error->text), "it is longer than %u bytes",
			 RULES_FILE_MAX);
		return false;
	}
	rules->text = own_alloc(text.len + 1);
	if (text.len)
		memcpy(rules->text, text.data, text.len);
	rules->text[text.len] = '\0';
	rest = span_of(rules->text, text.len);
	while (rest.len) {
		struct span line = span_split(&rest, '\n');

		if (line.len && line.data[line.len - 1] == '\r')
			line.len--;
		words.line++;
		words.start = line.data;
		words.rest = line;
		if (line.len && memchr(line.data, '\0', line.len))
			return fail(&words, line.data, "a NUL: this is no text");
		if (!parse_rule(rules, &words))
			return false;
	}
	return true;
}

void rules_done(struct rules *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		match_free(rules->items[i].regex);
	free(rules->items);
	free(rules->text);
	*rules = (struct rules){ 0 };
}
