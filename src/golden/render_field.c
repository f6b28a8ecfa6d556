#include "golden/render_field.h"

#include "base/own.h"
#include "golden/pattern.h"
#include "secret/command.h"
#include "secret/name.h"

#include <string.h>

/* Attributes that say nothing new, or something new each time. */
#define LEFT_OUT                                                                                \
	(1ULL << ATTR_URL | 1ULL << ATTR_RANDOM | 1ULL << ATTR_ID | 1ULL << ATTR_HEADER |       \
	 1ULL << ATTR_TRAILER | 1ULL << ATTR_HOST | 1ULL << ATTR_METHOD | 1ULL << ATTR_TARGET | \
	 1ULL << ATTR_STATUS | 1ULL << ATTR_REASON | 1ULL << ATTR_NOTE | 1ULL << ATTR_SERVICE | \
	 1ULL << ATTR_RPC)

/* SQL, and what may quote it. */
#define STATEMENTS (1ULL << ATTR_SQL | 1ULL << ATTR_ERROR | 1ULL << ATTR_NOTICE)

#define RECORDS \
	(1ULL << ATTR_ANSWER | 1ULL << ATTR_AUTHORITY | 1ULL << ATTR_ADDITIONAL | 1ULL << ATTR_EDNS)

/* In a User-Agent: what looks like a version. */
static void add_versions(struct writer *writer, struct buf *out, struct span value)
{
	size_t at = 0, from = 0;

	while (at < value.len) {
		size_t len = 0;

		while (at + len < value.len &&
		       ((value.data[at + len] >= '0' && value.data[at + len] <= '9') ||
			(len && value.data[at + len] == '.')))
			len++;
		if (!len || (at && pattern_is_word(value.data[at - 1]))) {
			at += len ? len : 1;
			continue;
		}
		scan_add(writer->scan, out, span_cut(value, from, at - from), ESCAPE_TEXT);
		buf_adds(out, "<version>");
		from = at += len;
	}
	scan_add(writer->scan, out, span_cut(value, from, value.len), ESCAPE_TEXT);
}

/* "name=" of a cookie stays, also what tells how it is to be used. */
static void add_set_cookie(struct writer *writer, struct buf *out, struct span value)
{
	struct span cookie = span_split(&value, ';'), name = span_split(&cookie, '=');

	scan_add(writer->scan, out, name, ESCAPE_TEXT);
	buf_addc(out, '=');
	if (cookie.len)
		scan_secret(writer->scan, out, cookie);
	if (value.len) {
		buf_addc(out, ';');
		scan_add(writer->scan, out, value, ESCAPE_TEXT);
	}
}

static bool is_framed(const struct message *message)
{
	return message->body.present && message->body.len;
}

static void add_header_value(struct writer *writer, struct buf *out, struct span name,
			     struct span value, const struct message *message)
{
	struct rules *rules = writer->scan->rules;
	struct rule *rule = rules_find(rules, WHAT_HEADER, name, writer->place);
	int builtin = builtin_header(name);

	if (rule && rule->action == RULE_MASK) {
		scan_mask_rule(writer->scan, out, rule, value);
		return;
	}
	if (rule) {
		escape_add(out, value, ESCAPE_TEXT);
		return;
	}
	if (builtin < 0 && secret_is_header(name))
		builtin = BUILTIN_SECRET_HEADERS;
	if (span_equal(name, SPAN("content-length")) && is_framed(message))
		builtin = BUILTIN_CONTENT_LENGTH;
	if (builtin < 0 || !rules_use(rules, (enum builtin)builtin))
		writer_add_parts(writer, out, SECRET_URL, value);
	else if (builtin == BUILTIN_AGENT_VERSIONS)
		add_versions(writer, out, value);
	else if (span_equal(name, SPAN("set-cookie")))
		add_set_cookie(writer, out, value);
	else if (builtin == BUILTIN_SECRET_HEADERS)
		scan_secret(writer->scan, out, value);
	else
		buf_addc(out, '*');
}

struct header {
	struct span name, value;
	size_t at;
};

static int compare_headers(const void *one, const void *other)
{
	const struct header *a = one, *b = other;
	size_t len = a->name.len < b->name.len ? a->name.len : b->name.len;
	int result = len ? memcmp(a->name.data, b->name.data, len) : 0;

	if (!result && a->name.len != b->name.len)
		result = a->name.len < b->name.len ? -1 : 1;
	return result ? result : a->at < b->at ? -1 : 1;
}

static struct span lower(struct arena *arena, struct span name)
{
	struct span copy = arena_copy(arena, name);

	for (size_t i = 0; i < copy.len; i++)
		if (copy.data[i] >= 'A' && copy.data[i] <= 'Z')
			((uint8_t *)(uintptr_t)copy.data)[i] |= 0x20;
	return copy;
}

/* A body's framing and the connection's upkeep differ between runs of one program. */
static bool is_framing(const struct writer *writer, struct span name)
{
	return rules_has(writer->scan->rules, BUILTIN_CHUNKING) &&
	       span_equal(name, SPAN("transfer-encoding"));
}

void render_headers(struct writer *writer, const struct message *message, enum attr_key key,
		    const char *prefix)
{
	struct header *headers auto_free = own_alloc((message->attr_count + 1) * sizeof(*headers));
	struct arena arena = { 0 };
	size_t count = 0;

	for (size_t i = 0; i < message->attr_count; i++)
		if (message->attrs[i].key == key) {
			headers[count] = (struct header){ lower(&arena, message->attrs[i].name),
							  message->attrs[i].value, count };
			count++;
		}
	qsort(headers, count, sizeof(*headers), compare_headers);
	for (size_t i = 0; i < count; i++) {
		struct buf *out = writer_begin(writer);

		if (is_framing(writer, headers[i].name))
			continue;
		buf_adds(out, prefix);
		escape_add(out, headers[i].name, ESCAPE_TEXT);
		buf_adds(out, ": ");
		add_header_value(writer, out, headers[i].name, headers[i].value, message);
		writer_end(writer, LINE_HEADER, (const char *)headers[i].name.data,
			   headers[i].value);
	}
	arena_done(&arena);
}

static void add_attr(struct writer *writer, const struct attr *attr, bool secret)
{
	struct buf *out = writer_begin(writer);

	buf_adds(out, attr_rows[attr->key].name);
	if (attr_rows[attr->key].shape == SHAPE_PAIRS) {
		buf_addc(out, ' ');
		escape_add(out, attr->name, ESCAPE_TEXT);
	}
	buf_adds(out, ": ");
	if (attr_rows[attr->key].shape == SHAPE_NUMBER)
		buf_addu(out, attr->number);
	else if (attr->full == ATTR_NULL)
		buf_adds(out, "null");
	else if (secret && rules_use(writer->scan->rules, BUILTIN_SECRET_COMMANDS))
		scan_secret(writer->scan, out, attr->value);
	else if (1ULL << attr->key & STATEMENTS)
		writer_add_parts(writer, out, SECRET_SQL, attr->value);
	else if (attr_rows[attr->key].shape == SHAPE_PAIRS && secret_is_header(attr->name) &&
		 rules_use(writer->scan->rules, BUILTIN_SECRET_NAMES))
		scan_secret(writer->scan, out, attr->value);
	else
		scan_add(writer->scan, out, attr->value, ESCAPE_TEXT);
	if (attr->full != ATTR_NULL && attr->full > attr->value.len && attr->value.len)
		buf_addf(out, " (of %lu bytes)", attr->full);
	writer_end(writer, LINE_OTHER, attr_rows[attr->key].name, attr->value);
}

void render_fields(struct writer *writer, const struct message *message)
{
	struct rules *rules = writer->scan->rules;
	size_t from = secret_argument(message), number = 0;
	uint64_t out = LEFT_OUT;

	if (message->protocol == PROTOCOL_DNS && rules_use(rules, BUILTIN_DNS_ANSWERS))
		out |= RECORDS;
	if (message->protocol == PROTOCOL_HTTP1 || message->protocol == PROTOCOL_HTTP2 ||
	    message->protocol == PROTOCOL_GRPC)
		out |= 1ULL << ATTR_VERSION;
	for (size_t i = 0; i < message->attr_count; i++) {
		const struct attr *attr = &message->attrs[i];
		bool is_arg = attr->key == ATTR_ARG;

		if (!(out >> attr->key & 1))
			add_attr(writer, attr, is_arg && number >= from);
		number += is_arg;
	}
}

void render_learn(struct writer *writer, const struct message *message)
{
	size_t from = secret_argument(message), number = 0;

	if (!rules_has(writer->scan->rules, BUILTIN_SECRET_COMMANDS))
		return;
	for (size_t i = 0; i < message->attr_count; i++) {
		const struct attr *attr = &message->attrs[i];
		struct secret_parts parts = secret_parts_of(SECRET_SQL, attr->value);
		struct secret_part part;

		if (attr->key == ATTR_ARG && number++ >= from)
			scan_learn(writer->scan, attr->value);
		while (attr->key == ATTR_SQL && secret_parts_next(&parts, &part))
			scan_learn(writer->scan, part.text);
	}
}

static struct rule *path_rule(struct writer *writer, struct span path, size_t *ret_step)
{
	struct rule *rule = rules_find(writer->scan->rules, WHAT_PATH, path, writer->place);

	return rule && rule->action == RULE_MASK && rule_path_step(rule, path, ret_step) ? rule
											 : NULL;
}

void render_target(struct writer *writer, struct buf *out, struct span target)
{
	struct span query = target, path = span_split(&query, '?'), rest = path;
	size_t step = 0;
	struct rule *rule = path_rule(writer, path, &step);

	if (!rule) {
		scan_add(writer->scan, out, path, ESCAPE_TEXT);
	} else {
		/* Before the first slash there is nothing. */
		span_split(&rest, '/');
		for (size_t i = 0; rest.data; i++) {
			struct span part = span_split(&rest, '/');

			buf_addc(out, '/');
			if (i == step)
				scan_mask_rule(writer->scan, out, rule, part);
			else
				scan_add(writer->scan, out, part, ESCAPE_TEXT);
		}
	}
	if (path.len < target.len) {
		buf_addc(out, '?');
		body_add_query(writer, out, query);
	}
}

void render_facts(struct writer *writer, const struct message *message)
{
	const struct rules *rules = writer->scan->rules;
	const struct origin *origin = message->origin;
	struct buf *out;

	if (!rules_has(rules, BUILTIN_PIDS) && origin) {
		out = writer_begin(writer);
		buf_addf(out, "pid: %d", origin->pid);
		writer_end(writer, LINE_OTHER, NULL, (struct span){ 0 });
	}
	if (!rules_has(rules, BUILTIN_DESCRIPTORS) && origin) {
		out = writer_begin(writer);
		buf_addf(out, "fd: %d", origin->fd);
		writer_end(writer, LINE_OTHER, NULL, (struct span){ 0 });
	}
	if (!rules_has(rules, BUILTIN_TIMES)) {
		out = writer_begin(writer);
		buf_addf(out, "time: %lu to %lu", message->first, message->last);
		writer_end(writer, LINE_OTHER, NULL, (struct span){ 0 });
	}
	if (!rules_has(rules, BUILTIN_CHUNKING)) {
		uint64_t calls = 0;

		for (size_t i = 0; i < message->seq_count; i++)
			calls += message->seqs[i].last - message->seqs[i].first + 1;
		out = writer_begin(writer);
		buf_addf(out, "calls: %lu", calls);
		writer_end(writer, LINE_OTHER, NULL, (struct span){ 0 });
	}
}
