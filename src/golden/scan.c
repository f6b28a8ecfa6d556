#include "golden/scan.h"

#include "base/match.h"
#include "base/own.h"
#include "golden/pattern.h"
#include "secret/name.h"

#include <stdio.h>
#include <string.h>

/* A secret of the environment that is shorter would mask too much. */
#define SECRET_MIN 8

struct literal {
	struct span bytes;
	const char *type; /* of a mark; NULL: … */
	char *text;       /* … this stands for it */
	enum builtin builtin;
};

struct secret {
	struct span bytes;
};

/* In scan.starts: a date may begin with the byte. */
#define STARTS_DAY (1U << 31)

/* Of secrets that begin with the same bytes, each once. */
#define LENGTHS_MAX 64

struct lengths {
	size_t count;
	size_t items[LENGTHS_MAX];
};

static uint64_t prefix_of(struct span bytes)
{
	uint64_t prefix = 0;

	memcpy(&prefix, bytes.data, SECRET_MIN);
	return prefix;
}

static size_t prefix_bit(struct span bytes)
{
	return (size_t)bytes.data[0] << 8 | bytes.data[1];
}

static bool is_secret(const struct scan *scan, struct span bytes)
{
	const struct secret *secret =
		map_get(&scan->secrets, hash_bytes(11, bytes.data, bytes.len));

	return secret && span_equal(secret->bytes, bytes);
}

/* The longest that the text begins with; empty where there is none. */
static struct span secret_at(const struct scan *scan, struct span text)
{
	const struct lengths *lengths;
	size_t longest = 0;

	if (text.len < SECRET_MIN ||
	    !(scan->prefixes[prefix_bit(text) / 8] >> prefix_bit(text) % 8 & 1))
		return (struct span){ 0 };
	lengths = map_get(&scan->lengths, prefix_of(text));
	for (size_t i = 0; lengths && i < lengths->count; i++)
		if (lengths->items[i] > longest && lengths->items[i] <= text.len &&
		    is_secret(scan, span_cut(text, 0, lengths->items[i])))
			longest = lengths->items[i];
	return span_cut(text, 0, longest);
}

static void add_length(struct scan *scan, struct span bytes)
{
	struct lengths *lengths = map_get(&scan->lengths, prefix_of(bytes));
	size_t i = 0;

	if (!lengths) {
		lengths = arena_alloc(&scan->arena, sizeof(*lengths));
		lengths->count = 0;
		map_put(&scan->lengths, prefix_of(bytes), lengths);
	}
	while (i < lengths->count && lengths->items[i] != bytes.len)
		i++;
	if (i == lengths->count && i < LENGTHS_MAX)
		lengths->items[lengths->count++] = bytes.len;
}

void scan_learn(struct scan *scan, struct span bytes)
{
	struct secret *secret;

	if (bytes.len < SECRET_MIN || is_secret(scan, bytes))
		return;
	secret = arena_alloc(&scan->arena, sizeof(*secret));
	secret->bytes = arena_copy(&scan->arena, bytes);
	map_put(&scan->secrets, hash_bytes(11, bytes.data, bytes.len), secret);
	add_length(scan, bytes);
	scan->prefixes[prefix_bit(bytes) / 8] |= (uint8_t)(1U << prefix_bit(bytes) % 8);
	scan->learned = true;
}

/* "a=b; c=d": those values that are no words. */
static void learn_cookies(struct scan *scan, struct span raw)
{
	while (raw.len) {
		struct span value = span_split(&raw, ';');
		bool digit = false;

		span_split(&value, '=');
		value = span_trim(value, " \"");
		for (size_t i = 0; i < value.len; i++)
			digit |= value.data[i] >= '0' && value.data[i] <= '9';
		if (digit || value.len >= 2 * SECRET_MIN)
			scan_learn(scan, value);
	}
}

void scan_secret(struct scan *scan, struct buf *out, struct span raw)
{
	struct span last = raw;

	scan_mask(scan, out, "secret", raw);
	if (memchr(raw.data ? (const char *)raw.data : "", '=', raw.len) &&
	    memchr(raw.data, ' ', raw.len)) {
		learn_cookies(scan, raw);
		return;
	}
	/* What is escaped has other bytes elsewhere. */
	if (memchr(raw.data ? (const char *)raw.data : "", '\\', raw.len))
		return;
	scan_learn(scan, raw);
	/* "Bearer abc": the scheme is none. */
	while (last.len && memchr(last.data, ' ', last.len))
		span_split(&last, ' ');
	scan_learn(scan, last);
}

bool scan_learned(struct scan *scan)
{
	bool learned = scan->learned;

	scan->learned = false;
	return learned;
}

void scan_restart(struct scan *scan, struct values *values)
{
	scan->values = values;
	scan->place = NULL;
}

static void add_literal(struct scan *scan, const struct literal *literal)
{
	scan->literals =
		own_realloc(scan->literals, (scan->literal_count + 1) * sizeof(*scan->literals));
	scan->literals[scan->literal_count++] = *literal;
	scan->first[literal->bytes.data[0]] = true;
}

static void add_variable(struct scan *scan, const char *variable)
{
	const char *equals = strchr(variable, '=');
	struct span name, value;
	struct literal literal = { .builtin = BUILTIN_SECRET_ENVIRONMENT };

	if (!equals)
		return;
	name = span_of(variable, (size_t)(equals - variable));
	value = span_text(equals + 1);
	if (value.len < SECRET_MIN || name.len > 64 || !secret_is_variable(name))
		return;
	for (size_t i = 0; i < name.len; i++)
		if (!pattern_is_word(name.data[i]))
			return;
	literal.bytes = value;
	literal.text = own_printf("<secret:%.*s>", (int)name.len, variable);
	add_literal(scan, &literal);
}

void scan_init(struct scan *scan, struct rules *rules, struct values *values,
	       char *const *environment)
{
	*scan = (struct scan){ .rules = rules, .values = values };
	for (unsigned int i = 0; patterns[i].match; i++) {
		if (!rules_has(rules, patterns[i].builtin))
			continue;
		for (const char *c = patterns[i].start; *c; c++)
			for (int d = 0; d < (*c == '0' ? 10 : 1); d++)
				scan->starts[(uint8_t)(*c + d)] |= 1U << i;
	}
	for (; environment && *environment && rules_has(rules, BUILTIN_SECRET_ENVIRONMENT);
	     environment++)
		add_variable(scan, *environment);
}

void scan_done(struct scan *scan)
{
	for (size_t i = 0; i < scan->literal_count; i++)
		free(scan->literals[i].text);
	free(scan->literals);
	buf_done(&scan->scratch);
	map_done(&scan->secrets);
	map_done(&scan->lengths);
	arena_done(&scan->arena);
	scan->literals = NULL;
	scan->literal_count = 0;
}

size_t scan_literal(struct scan *scan, const char *type, struct span bytes)
{
	struct literal literal = { .bytes = bytes, .type = type, .builtin = BUILTIN_BOUNDARY };

	if (bytes.len)
		add_literal(scan, &literal);
	return scan->literal_count - (bytes.len != 0);
}

void scan_forget(struct scan *scan, size_t number)
{
	scan->literal_count = number;
}

void scan_days(struct scan *scan, uint64_t first, uint64_t last)
{
	if (!rules_has(scan->rules, BUILTIN_TIME_DAY))
		return;
	scan->days = days_of(first, last);
	for (unsigned int c = 0; c < 256; c++)
		if (day_may_begin((uint8_t)c))
			scan->starts[c] |= STARTS_DAY;
}

void scan_port(struct scan *scan, uint16_t port)
{
	scan->ports[port / 8] |= (uint8_t)(1U << port % 8);
}

bool scan_is_port(const struct scan *scan, uint16_t port)
{
	return scan->ports[port / 8] & 1U << port % 8;
}

void scan_mask(struct scan *scan, struct buf *out, const char *type, struct span raw)
{
	value_add_mark(out, values_add(scan->values, type, raw));
}

void scan_mask_rule(struct scan *scan, struct buf *out, struct rule *rule, struct span raw)
{
	rule_masked(rule, raw);
	scan_mask(scan, out, rule->type, raw);
}

/* A literal that the bytes begin with; NULL. */
static const struct literal *literal_at(const struct scan *scan, struct span text)
{
	for (size_t i = scan->literal_count; i-- > 0;)
		if (span_starts(text, scan->literals[i].bytes))
			return &scan->literals[i];
	return NULL;
}

static size_t add_pattern(struct scan *scan, struct buf *out, struct span text, enum escape escape)
{
	uint32_t starts = scan->starts[text.data[0]] & ~STARTS_DAY;

	for (unsigned int i = 0; starts >> i; i++) {
		const struct pattern *pattern = &patterns[i];
		size_t keep = 0, len = starts >> i & 1 ? pattern->match(text, &keep) : 0;

		if (!len)
			continue;
		rules_use(scan->rules, pattern->builtin);
		escape_add(out, span_cut(text, 0, keep), escape);
		if (pattern->numbered)
			scan_mask(scan, out, pattern->type, span_cut(text, keep, len - keep));
		else
			buf_addf(out, "<%s>", pattern->type);
		return len;
	}
	return 0;
}

static size_t add_day(struct scan *scan, struct buf *out, struct span text)
{
	size_t len = scan->starts[text.data[0]] & STARTS_DAY ? day_match(&scan->days, text) : 0;

	if (len) {
		rules_use(scan->rules, BUILTIN_TIME_DAY);
		buf_adds(out, "<date>");
	}
	return len;
}

/* ":43567" of a masked port. */
static size_t add_port(struct scan *scan, struct buf *out, struct span text)
{
	size_t len = 1;
	uint64_t port = 0;

	while (len < text.len && len < 7 && text.data[len] >= '0' && text.data[len] <= '9')
		port = port * 10 + (uint64_t)(text.data[len++] - '0');
	if (len < 2 || port > 65535 || !scan_is_port(scan, (uint16_t)port) ||
	    (len < text.len && pattern_is_word(text.data[len])))
		return 0;
	rules_use(scan->rules, BUILTIN_PORTS);
	buf_addc(out, ':');
	scan_mask(scan, out, "port", span_cut(text, 1, len - 1));
	return len;
}

/* "127.0.0.1:43567" of a masked port: which of the host's own addresses it is means nothing. */
static size_t add_loopback(struct scan *scan, struct buf *out, struct span text)
{
	size_t at = 4, start = out->len, len;

	while (at < text.len && at < 15 &&
	       ((text.data[at] >= '0' && text.data[at] <= '9') || text.data[at] == '.'))
		at++;
	if (at >= text.len || text.data[at] != ':')
		return 0;
	buf_adds(out, "localhost");
	len = add_port(scan, out, span_cut(text, at, text.len));
	if (!len)
		out->len = start;
	return len ? at + len : 0;
}

/* What stands at the beginning of the text and is masked: its length, 0: nothing. */
static size_t add_masked(struct scan *scan, struct buf *out, struct span text, bool word,
			 enum escape escape)
{
	const struct literal *literal = scan->first[text.data[0]] ? literal_at(scan, text) : NULL;
	struct span secret;
	size_t len;

	if (literal) {
		rules_use(scan->rules, literal->builtin);
		if (literal->type)
			scan_mask(scan, out, literal->type, literal->bytes);
		else
			buf_adds(out, literal->text);
		return literal->bytes.len;
	}
	if (text.data[0] == ':')
		return add_port(scan, out, text);
	if (!word && span_starts(text, SPAN("127.")) && (len = add_loopback(scan, out, text)))
		return len;
	secret = word ? (struct span){ 0 } : secret_at(scan, text);
	if (secret.len) {
		scan_mask(scan, out, "secret", secret);
		return secret.len;
	}
	if (word || !scan->starts[text.data[0]])
		return 0;
	len = add_pattern(scan, out, text, escape);
	return len ? len : add_day(scan, out, text);
}

bool scan_hide(struct scan *scan, struct span bytes, struct buf *out)
{
	size_t from = 0, at = 0;

	while (at < bytes.len) {
		struct span rest = span_cut(bytes, at, bytes.len);
		const struct literal *literal =
			scan->first[rest.data[0]] ? literal_at(scan, rest) : NULL;
		bool named = literal && literal->text;
		size_t len = named ? literal->bytes.len : secret_at(scan, rest).len;

		if (!len) {
			at++;
			continue;
		}
		if (named)
			rules_use(scan->rules, literal->builtin);
		buf_add(out, bytes.data + from, at - from);
		buf_adds(out, named ? literal->text : "<secret>");
		from = at += len;
	}
	if (from)
		buf_add(out, bytes.data + from, at - from);
	return from != 0;
}

static bool may_be_secret(const struct scan *scan, struct span text, size_t at)
{
	size_t bit;

	if (text.len - at < SECRET_MIN)
		return false;
	bit = prefix_bit(span_cut(text, at, 2));
	return scan->prefixes[bit / 8] >> bit % 8 & 1;
}

/* That is not asked for any more. */
static bool is_beyond(const struct scan *scan, const uint8_t *at)
{
	return scan->until && at >= scan->until;
}

static void add_builtin(struct scan *scan, struct buf *out, struct span text, enum escape escape)
{
	size_t from = 0, at = 0, len;

	while (at < text.len && !is_beyond(scan, text.data + at)) {
		bool word = at > from && pattern_is_word(text.data[at - 1]);
		uint8_t c = text.data[at];

		if (!scan->first[c] && c != ':' &&
		    (word || (!scan->starts[c] && !may_be_secret(scan, text, at)))) {
			at++;
			continue;
		}
		scan->scratch.len = 0;
		len = add_masked(scan, &scan->scratch, span_cut(text, at, text.len), word, escape);
		if (!len) {
			at++;
			continue;
		}
		escape_add(out, span_cut(text, from, at - from), escape);
		buf_add(out, scan->scratch.data, scan->scratch.len);
		from = at += len;
	}
	escape_add(out, span_cut(text, from, at - from), escape);
}

/* The user's expressions from that number on, then the built-in rules for what they leave. */
static void add_from(struct scan *scan, struct buf *out, struct span text, enum escape escape,
		     size_t number)
{
	struct rules *rules = scan->rules;
	size_t at = 0, search = 0, start, end;
	struct rule *rule;

	if (is_beyond(scan, text.data))
		return;
	while (number < rules->count &&
	       (rules->items[number].what != WHAT_TEXT ||
		(scan->place && !rule_is_for(&rules->items[number], scan->place))))
		number++;
	if (number == rules->count) {
		add_builtin(scan, out, text, escape);
		return;
	}
	rule = &rules->items[number];
	while (match_find(rule->regex, text.data, text.len, search, &start, &end) &&
	       !is_beyond(scan, text.data + start)) {
		search = end + (end == start);
		if (end == start)
			continue;
		add_from(scan, out, span_cut(text, at, start - at), escape, number + 1);
		rule->hits++;
		scan_mask_rule(scan, out, rule, span_cut(text, start, end - start));
		at = end;
	}
	add_from(scan, out, span_cut(text, at, text.len), escape, number + 1);
}

void scan_add(struct scan *scan, struct buf *out, struct span bytes, enum escape escape)
{
	if (bytes.len)
		add_from(scan, out, bytes, escape, 0);
}

void scan_add_first(struct scan *scan, struct buf *out, struct span bytes, size_t count,
		    enum escape escape)
{
	scan->until = bytes.data + (count < bytes.len ? count : bytes.len);
	scan_add(scan, out, bytes, escape);
	scan->until = NULL;
}
