#include "golden/body.h"

#include "base/utf8.h"
#include "golden/body_json.h"
#include "golden/sha256.h"
#include "secret/name.h"

#include <string.h>

#define HEAD_BYTES 64U

struct buf *writer_begin(struct writer *writer)
{
	writer->line.len = 0;
	buf_addc(&writer->line, writer->side);
	buf_addc(&writer->line, ' ');
	return &writer->line;
}

void writer_end(struct writer *writer, enum line_kind kind, const char *where, struct span raw)
{
	struct model *model = writer->model;
	struct line *line;
	struct span piece;
	struct value *value;
	const char *text;

	if (!writer->sum) {
		line = model_add_line(model, writer->unit, kind, writer->explain ? where : NULL,
				      span_of(writer->line.data, writer->line.len));
		if (writer->explain)
			line->raw = model_text(model, raw);
		return;
	}
	text = buf_cstr(&writer->line);
	while (value_next(&model->values, &text, &piece, &value)) {
		if (value)
			buf_addf(writer->sum, "<%s>", value->type);
		else
			buf_add(writer->sum, piece.data, piece.len);
	}
	buf_addc(writer->sum, '\n');
}

void writer_add(struct writer *writer, const char *text)
{
	buf_adds(writer_begin(writer), text);
	writer_end(writer, LINE_OTHER, NULL, (struct span){ 0 });
}

void writer_add_parts(struct writer *writer, struct buf *out, enum secret_form form,
		      struct span text)
{
	enum builtin builtin = form == SECRET_SQL ? BUILTIN_SECRET_COMMANDS : BUILTIN_SECRET_NAMES;
	struct secret_parts parts = secret_parts_of(form, text);
	struct secret_part part;

	while (secret_parts_next(&parts, &part) && rules_use(writer->scan->rules, builtin)) {
		scan_add(writer->scan, out, secret_part_split(&text, &part), ESCAPE_TEXT);
		scan_secret(writer->scan, out, part.text);
	}
	scan_add(writer->scan, out, text, ESCAPE_TEXT);
}

static void add_parameter(struct writer *writer, struct buf *out, struct span name,
			  struct span value)
{
	struct rules *rules = writer->scan->rules;
	struct rule *rule = rules_find(rules, WHAT_QUERY, name, writer->place);

	scan_add(writer->scan, out, name, ESCAPE_TEXT);
	buf_addc(out, '=');
	if (rule && rule->action == RULE_MASK)
		scan_mask_rule(writer->scan, out, rule, value);
	else if (rule)
		escape_add(out, value, ESCAPE_TEXT);
	else if (value.len && secret_is_name(name, true) && rules_use(rules, BUILTIN_SECRET_NAMES))
		scan_secret(writer->scan, out, value);
	else
		writer_add_parts(writer, out, SECRET_URL, value);
}

static void add_part(struct writer *writer, struct buf *out, struct span part)
{
	struct span name = part;

	if (part.len && memchr(part.data, '=', part.len)) {
		name = span_split(&part, '=');
		add_parameter(writer, out, name, part);
	} else {
		scan_add(writer->scan, out, part, ESCAPE_TEXT);
	}
}

void body_add_query(struct writer *writer, struct buf *out, struct span query)
{
	const char *between = "";

	while (query.len) {
		struct span part = span_split(&query, '&');

		buf_adds(out, between);
		add_part(writer, out, part);
		between = "&";
	}
}

static void add_form(struct writer *writer, struct span text)
{
	while (text.len) {
		struct span part = span_split(&text, '&'), rest = part, name;
		struct buf *out = writer_begin(writer);

		buf_adds(out, "| ");
		add_part(writer, out, part);
		name = span_split(&rest, '=');
		writer_end(writer, LINE_FORM, model_text(writer->model, name), rest);
	}
}

/*
 * A private key is one secret, up to the end of its last line. Its length, 0: the text does not begin with
 * one.
 */
static size_t private_key(struct span text)
{
	struct span rest = text, line = span_split(&rest, '\n');
	const uint8_t *end;

	if (!line.len || !memmem(line.data, line.len, "-----BEGIN ", 11) ||
	    !memmem(line.data, line.len, "PRIVATE KEY", 11))
		return 0;
	end = rest.len ? memmem(rest.data, rest.len, "-----END", 8) : NULL;
	if (!end)
		return text.len;
	rest = span_of(end, (size_t)(text.data + text.len - end));
	line = span_split(&rest, '\n');
	return (size_t)(line.data + line.len - text.data);
}

/* The first line, which does not end before `from`; without its end. */
static struct span line_of(struct span text, size_t from)
{
	struct span rest = span_cut(text, from, text.len);

	return span_cut(text, 0, from + span_split(&rest, '\n').len);
}

/* A line and the secrets in it, which may go on over several; how long it is. */
static size_t add_line(struct writer *writer, struct buf *out, struct span text,
		       struct secret_parts *parts, struct secret_part *part)
{
	struct scan *scan = writer->scan;
	size_t key = rules_has(scan->rules, BUILTIN_SECRET_SHAPES) ? private_key(text) : 0, at = 0;
	struct span line = line_of(text, key);

	while (part->text.len && part->text.data < line.data + line.len) {
		size_t start = (size_t)(part->text.data - text.data);

		line = line_of(text, start + part->text.len > line.len ? start + part->text.len
								       : line.len);
		if (!key && rules_use(scan->rules, BUILTIN_SECRET_NAMES)) {
			scan_add(scan, out, span_cut(text, at, start - at), ESCAPE_TEXT);
			scan_secret(scan, out, part->text);
			at = start + part->text.len;
		}
		if (!secret_parts_next(parts, part))
			*part = (struct secret_part){ 0 };
	}
	if (key)
		scan_secret(scan, out, line);
	else
		scan_add(scan, out, span_cut(line, at, line.len), ESCAPE_TEXT);
	return line.len;
}

/* A last line without its end is marked. */
static void add_text(struct writer *writer, struct span text, enum secret_form form)
{
	struct secret_parts parts = secret_parts_of(form, text);
	struct buf shown auto_buf = { 0 };
	struct secret_part part;

	if (!secret_parts_next(&parts, &part))
		part = (struct secret_part){ 0 };
	while (text.len) {
		size_t len;
		struct buf *out;

		shown.len = 0;
		len = add_line(writer, &shown, text, &parts, &part);
		out = writer_begin(writer);
		buf_adds(out, len < text.len ? "| " : "|\\ ");
		buf_add(out, shown.data, shown.len);
		writer_end(writer, LINE_TEXT, NULL, span_cut(text, 0, len));
		text = span_cut(text, len + 1, text.len);
	}
}

static void add_hash(struct writer *writer, struct span bytes, const char *what)
{
	char text[SHA256_TEXT];
	struct buf *out = writer_begin(writer);

	buf_addf(out, ": %zu bytes%s sha256 %s", bytes.len, what, sha256_text(bytes, text));
	writer_end(writer, LINE_BINARY, NULL, span_text(text));
}

static void add_binary(struct writer *writer, struct span bytes)
{
	struct buf hidden auto_buf = { 0 };
	bool any = scan_hide(writer->scan, bytes, &hidden);

	if (any)
		bytes = span_of(hidden.data, hidden.len);
	add_hash(writer, bytes, any ? " without secrets" : "");
	for (size_t at = 0; at < bytes.len && at < HEAD_BYTES; at += 16) {
		struct buf *out = writer_begin(writer);

		buf_addf(out, ": %04zx ", at);
		for (size_t i = at; i < bytes.len && i < at + 16; i++)
			buf_addf(out, " %02x", bytes.data[i]);
		writer_end(writer, LINE_BINARY, NULL, (struct span){ 0 });
	}
}

/* NUL and most controls are in no text. */
static bool is_text(struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		if (bytes.data[i] < 0x20 &&
		    (!bytes.data[i] || !strchr("\t\n\r\f\x1b", bytes.data[i])))
			return false;
	return utf8_valid(bytes.data, bytes.len);
}

static void add_readable(struct writer *writer, struct span bytes, enum secret_form form)
{
	if (form == SECRET_QUERY)
		add_form(writer, bytes);
	else if (!body_add_json(writer, bytes))
		add_text(writer, bytes, form);
}

static void add_content(struct writer *writer, struct span bytes, enum secret_form form)
{
	struct buf sum = { 0 };

	/* Parts of any kind, but their boundaries are text. */
	if (!is_text(bytes) && form != SECRET_MULTIPART) {
		add_binary(writer, bytes);
		return;
	}
	if (bytes.len <= BODY_SHOWN && is_text(bytes)) {
		add_readable(writer, bytes, form);
		return;
	}
	/* Who proposes rules wants the names in it. */
	if (writer->explain && body_add_json(writer, bytes))
		return;
	writer->sum = &sum;
	add_readable(writer, bytes, form);
	writer->sum = NULL;
	add_hash(writer, span_of(sum.data, sum.len), " of lines");
	buf_done(&sum);
}

void body_add(struct writer *writer, const struct message *message)
{
	const struct body *body = &message->body;
	struct span bytes = span_of(body->kept.data, body->kept.len);

	if (bytes.len)
		add_content(writer, bytes, secret_form_of(message));
	if (body->cut || body->why) {
		struct buf *out = writer_begin(writer);

		buf_addf(out, ": not all of it: %s",
			 body->why ? body->why : "it is too long or not complete");
		writer_end(writer, LINE_BINARY, NULL, (struct span){ 0 });
	}
}
