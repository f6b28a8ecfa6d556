#include "golden/body_json.h"

#include "base/own.h"
#include "golden/json_tree.h"
#include "secret/name.h"

#include <string.h>

struct printer {
	struct writer *writer;
	struct buf pointer; /* RFC 6901, of the value at hand */
	bool has_rules;
	bool secret; /* what the value at hand is in has the name of a secret */
	unsigned int depth;
};

/* A member with its key as it will be written, by which it is sorted. */
struct member {
	const struct json *json;
	struct buf key;
	size_t at;
};

static int compare_members(const void *one, const void *other)
{
	const struct member *a = one, *b = other;
	size_t len = a->key.len < b->key.len ? a->key.len : b->key.len;
	int result = len ? memcmp(a->key.data, b->key.data, len) : 0;

	if (!result && a->key.len != b->key.len)
		result = a->key.len < b->key.len ? -1 : 1;
	return result ? result : a->at < b->at ? -1 : 1;
}

static void add_string(struct writer *writer, struct buf *out, struct span inside)
{
	struct buf text auto_buf = { 0 };

	buf_addc(out, '"');
	if (json_decode(&text, inside))
		scan_add(writer->scan, out, span_of(text.data, text.len), ESCAPE_JSON);
	else
		escape_add(out, inside, ESCAPE_TEXT);
	buf_addc(out, '"');
}

static void add_quoted_mask(struct writer *writer, struct buf *out, const struct json *json,
			    struct rule *rule)
{
	const char *quote = json->kind == JSON_STRING ? "\"" : "";

	buf_adds(out, quote);
	if (rule)
		scan_mask_rule(writer->scan, out, rule, json->whole);
	else
		scan_secret(writer->scan, out, json->text);
	buf_adds(out, quote);
}

/* True where a rule has said it all. */
static bool add_ruled(struct printer *printer, struct buf *out, const struct json *json)
{
	struct writer *writer = printer->writer;
	struct rules *rules = writer->scan->rules;
	struct rule *rule = NULL;
	bool secret = printer->secret || secret_is_name(json->key, false);

	if (printer->has_rules)
		rule = rules_find(rules, WHAT_JSON,
				  span_of(printer->pointer.data, printer->pointer.len),
				  writer->place);
	if (rule && rule->action == RULE_MASK) {
		add_quoted_mask(writer, out, json, rule);
		return true;
	}
	if (rule && json->kind >= JSON_STRING) {
		buf_add(out, json->whole.data, json->whole.len);
		return true;
	}
	if (json->kind < JSON_STRING) {
		printer->secret = json->count ? secret && !rule : printer->secret;
		return false;
	}
	if (json->kind != JSON_WORD && json->text.len && secret &&
	    rules_use(rules, BUILTIN_SECRET_NAMES)) {
		add_quoted_mask(writer, out, json, NULL);
		return true;
	}
	return false;
}

static struct buf *begin_line(struct printer *printer)
{
	struct buf *out = writer_begin(printer->writer);

	buf_addf(out, "| %*s", (int)(2 * printer->depth), "");
	return out;
}

static void end_line(struct printer *printer, const struct json *json)
{
	struct span raw = json && json->kind >= JSON_STRING ? json->whole : (struct span){ 0 };

	writer_end(printer->writer, LINE_JSON, buf_cstr(&printer->pointer), raw);
}

static void add_value(struct printer *printer, struct buf *out, const struct json *json,
		      const char *comma);

static void add_step(struct buf *pointer, struct span key)
{
	buf_addc(pointer, '/');
	for (size_t i = 0; i < key.len; i++) {
		if (key.data[i] == '~')
			buf_adds(pointer, "~0");
		else if (key.data[i] == '/')
			buf_adds(pointer, "~1");
		else
			buf_addc(pointer, (char)key.data[i]);
	}
}

static void add_members(struct printer *printer, const struct json *object)
{
	struct member *members auto_free = own_zalloc((object->count + 1) * sizeof(*members));
	size_t count = 0, len = printer->pointer.len;
	struct buf *out;

	for (const struct json *json = object->first; json; json = json->next) {
		members[count].json = json;
		members[count].at = count;
		add_string(printer->writer, &members[count++].key, json->key);
	}
	qsort(members, count, sizeof(*members), compare_members);
	for (size_t i = 0; i < count; i++) {
		add_step(&printer->pointer, members[i].json->key);
		out = begin_line(printer);
		buf_add(out, members[i].key.data, members[i].key.len);
		buf_adds(out, ": ");
		add_value(printer, out, members[i].json, i + 1 < count ? "," : "");
		printer->pointer.len = len;
		buf_done(&members[i].key);
	}
}

static void add_items(struct printer *printer, const struct json *array)
{
	const struct json *before = NULL;
	size_t len = printer->pointer.len, index = 0;
	bool secret = printer->secret;

	for (const struct json *json = array->first; json; before = json, json = json->next) {
		printer->secret = secret || (before && before->kind == JSON_STRING &&
					     secret_is_setting(before->text));
		buf_addf(&printer->pointer, "/%zu", index++);
		add_value(printer, begin_line(printer), json, json->next ? "," : "");
		printer->pointer.len = len;
	}
}

/* The rest of a line that has been begun, and the lines of what is in it. */
static void add_value(struct printer *printer, struct buf *out, const struct json *json,
		      const char *comma)
{
	bool object = json->kind == JSON_OBJECT, secret = printer->secret;
	const char *brackets = object ? "{}" : "[]";

	if (add_ruled(printer, out, json)) {
		buf_adds(out, comma);
		end_line(printer, json);
		return;
	}
	if (json->kind == JSON_STRING)
		add_string(printer->writer, out, json->text);
	else if (json->kind == JSON_NUMBER)
		scan_add(printer->writer->scan, out, json->text, ESCAPE_JSON);
	else if (json->kind == JSON_WORD)
		buf_add(out, json->text.data, json->text.len);
	else if (!json->count)
		buf_adds(out, brackets);
	if (json->kind >= JSON_STRING || !json->count) {
		buf_adds(out, comma);
		end_line(printer, json);
		return;
	}
	buf_addc(out, brackets[0]);
	end_line(printer, json);
	printer->depth++;
	if (object)
		add_members(printer, json);
	else
		add_items(printer, json);
	printer->depth--;
	printer->secret = secret;
	out = begin_line(printer);
	buf_addf(out, "%c%s", brackets[1], comma);
	end_line(printer, NULL);
}

bool body_add_json(struct writer *writer, struct span text)
{
	struct printer printer = { .writer = writer };
	struct arena arena = { 0 };
	const struct json *json = json_parse(&arena, text);

	for (size_t i = 0; i < writer->scan->rules->count; i++)
		printer.has_rules |= writer->scan->rules->items[i].what == WHAT_JSON;
	if (json && json->kind <= JSON_ARRAY)
		add_value(&printer, begin_line(&printer), json, "");
	else
		json = NULL;
	buf_done(&printer.pointer);
	arena_done(&arena);
	return json != NULL;
}
