#include "golden/render.h"

#include "golden/render_field.h"
#include "golden/said.h"

#include <string.h>

/* Of a value in a title; it follows in full below. */
#define TITLE_VALUE 80U
#define TITLE_SQL   40U

/* So much is looked at for what is to be masked. */
#define TITLE_SCANNED 4096U

static bool is_http(const struct message *message)
{
	return message->protocol == PROTOCOL_HTTP1 || message->protocol == PROTOCOL_HTTP2 ||
	       message->protocol == PROTOCOL_GRPC;
}

static struct span before_secret(struct span sql)
{
	struct secret_parts parts = secret_parts_of(SECRET_SQL, sql);
	struct secret_part part;

	return secret_parts_next(&parts, &part) ? secret_part_split(&sql, &part) : sql;
}

/* Its beginning: of the first line, not cut within a character; of SQL without what is quoted. */
static void add_short(struct scan *scan, struct buf *out, struct span value, bool sql)
{
	struct span rest = sql ? before_secret(value) : value, line = span_split(&rest, '\n');
	size_t len = sql ? TITLE_SQL : TITLE_VALUE;

	if (sql)
		line = span_split(&line, '\'');
	if (line.len < len)
		len = line.len;
	while (len < line.len && len && (line.data[len] & 0xc0) == 0x80)
		len--;
	scan_add_first(scan, out, span_cut(value, 0, TITLE_SCANNED), len, ESCAPE_TEXT);
}

static void add_title(struct writer *writer, struct buf *out, const struct message *message)
{
	static const enum attr_key keys[] = { ATTR_QUESTION, ATTR_SQL, ATTR_ARG, ATTR_USER };
	struct span command = message_value(message, ATTR_COMMAND);
	bool secret = span_equal_nocase(command, SPAN("AUTH")) ||
		      span_equal_nocase(command, SPAN("Password"));

	if (is_http(message) && message->kind == MESSAGE_REQUEST) {
		escape_add(out, message_value(message, ATTR_METHOD), ESCAPE_TEXT);
		buf_addc(out, ' ');
		render_target(writer, out, message_value(message, ATTR_TARGET));
		return;
	}
	if (command.len)
		escape_add(out, command, ESCAPE_TEXT);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && !secret; i++) {
		struct span value = message_value(message, keys[i]);

		if (!value.len)
			continue;
		if (out->len)
			buf_addc(out, ' ');
		add_short(writer->scan, out, value, keys[i] == ATTR_SQL);
		return;
	}
	if (!out->len)
		buf_addf(out, "%s %s", protocol_names[message->protocol],
			 message_kind_names[message->kind]);
}

static struct place place_of(const struct render *render, const struct message *message)
{
	struct place place = { .peer = render->peer };
	struct span target;

	if (!message)
		return place;
	place.method = message_value(message, ATTR_METHOD);
	if (!place.method.len)
		place.method = message_value(message, ATTR_COMMAND);
	target = message_value(message, ATTR_TARGET);
	place.path = span_split(&target, '?');
	if (render->explain || render->scan->rules->says)
		place.said = said_text(render->model, message);
	return place;
}

static void add_status(struct writer *writer, const struct message *message)
{
	struct buf *out = writer_begin(writer);

	buf_addu(out, message_number(message, ATTR_STATUS, 0));
	if (message_value(message, ATTR_REASON).len) {
		buf_addc(out, ' ');
		escape_add(out, message_value(message, ATTR_REASON), ESCAPE_TEXT);
	}
	writer_end(writer, LINE_STATUS, "status", (struct span){ 0 });
}

/* What the level `requests` tells of an answer that is not HTTP's: whether it is an error. */
static void add_outcome(struct writer *writer, const struct message *message)
{
	static const enum attr_key keys[] = { ATTR_CODE, ATTR_RCODE, ATTR_ERROR_CODE, ATTR_ERROR,
					      ATTR_GRPC_STATUS };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const struct attr *attr = message_attr(message, keys[i]);
		struct buf *out;

		if (!attr)
			continue;
		out = writer_begin(writer);
		buf_addf(out, "%s: ", attr_rows[attr->key].name);
		if (attr_rows[attr->key].shape == SHAPE_NUMBER)
			buf_addu(out, attr->number);
		else
			writer_add_parts(writer, out, SECRET_SQL, attr->value);
		writer_end(writer, LINE_STATUS, attr_rows[attr->key].name, (struct span){ 0 });
	}
}

/* Of a multipart body: it stands in the header and in the body. */
static struct span boundary_of(struct span type)
{
	const uint8_t *found = type.len ? memmem(type.data, type.len, "boundary=", 9) : NULL;
	struct span rest;

	if (!found)
		return (struct span){ 0 };
	rest = span_of(found + 9, (size_t)(type.data + type.len - found - 9));
	return span_trim(span_split(&rest, ';'), "\" ");
}

static void add_full(struct writer *writer, const struct message *message)
{
	struct span type = message_header(message, "content-type"), boundary = { 0 };
	size_t literal;

	if (rules_has(writer->scan->rules, BUILTIN_BOUNDARY))
		boundary = boundary_of(type);
	literal = scan_literal(writer->scan, "boundary", boundary);
	render_facts(writer, message);
	render_fields(writer, message);
	render_headers(writer, message, ATTR_HEADER, "");
	/* Of a protobuf message the text says it all. */
	if (message->body.present && !message_attr(message, ATTR_PROTOBUF))
		body_add(writer, message);
	render_headers(writer, message, ATTR_TRAILER, "trailer ");
	scan_forget(writer->scan, literal);
	if (message->flags & MESSAGE_CUT)
		writer_add(writer, "(not complete)");
}

static void add_message(struct writer *writer, const struct message *message)
{
	bool full = writer->model->level == LEVEL_FULL;

	if (message->kind == MESSAGE_RESPONSE && message_attr(message, ATTR_STATUS))
		add_status(writer, message);
	if (full)
		add_full(writer, message);
	else if (message->kind == MESSAGE_RESPONSE)
		add_outcome(writer, message);
	else
		render_learn(writer, message);
}

/* Messages of one direction in their order; how those of two come together is luck. */
static void add_parts(struct writer *writer, const struct item *item, enum event_dir dir)
{
	for (size_t i = 0; i < item->part_count; i++)
		if (item->parts[i]->dir == dir && writer->model->level == LEVEL_FULL)
			add_message(writer, item->parts[i]);
}

static const struct message *main_message(const struct item *item)
{
	if (item->request)
		return item->request;
	if (item->response)
		return item->response;
	return item->part_count ? item->parts[0] : NULL;
}

static void add_all(struct render *render, struct writer *writer, const struct item *item)
{
	enum event_dir client = item->request    ? item->request->dir
				: item->response ? !item->response->dir
						 : render->client;

	writer->side = '>';
	if (item->request)
		add_message(writer, item->request);
	add_parts(writer, item, client);
	writer->side = '<';
	if (item->response)
		add_message(writer, item->response);
	else if (item->request && item->exchange)
		writer_add(writer, "(no answer)");
	add_parts(writer, item, !client);
}

struct unit *render_item(struct render *render, const struct item *item)
{
	const struct message *message = main_message(item);
	struct place place = place_of(render, message);
	struct rules *rules = render->scan->rules;
	struct writer writer = { .model = render->model,
				 .scan = render->scan,
				 .place = &place,
				 .explain = render->explain };
	struct buf title = { 0 };

	if (!message || rules_find_action(rules, RULE_IGNORE, WHAT_EXCHANGE, &place))
		return NULL;
	render->scan->place = &place;
	add_title(&writer, &title, message);
	writer.unit = model_unit(render->model, buf_cstr(&title));
	if (render->explain)
		writer.unit->place = said_keep(render->model, &place);
	if (rules_find_action(rules, RULE_COUNT, WHAT_EXCHANGE, &place))
		writer.unit->times = TIMES_ANY;
	add_all(render, &writer, item);
	render->scan->place = NULL;
	buf_done(&title);
	buf_done(&writer.line);
	return writer.unit;
}
