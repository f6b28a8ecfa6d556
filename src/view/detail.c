#include "view/detail.h"

#include "sink/hexdump.h"
#include "view/phrase.h"
#include "view/pretty.h"

#include <string.h>

#define INDENT "    "

static void begin(struct line *line, const struct message *message)
{
	buf_adds(out_buf(line->out), INDENT);
	line_paint(line, message->dir == DIR_OUT ? COLOR_OUT : COLOR_IN,
		   message->dir == DIR_OUT ? "> " : "< ");
}

static void add_bytes(struct line *line, struct span bytes)
{
	payload_add_line(out_buf(line->out), bytes.data, bytes.len);
}

static bool is_http(const struct message *message)
{
	return message->protocol == PROTOCOL_HTTP1 || message->protocol == PROTOCOL_HTTP2 ||
	       message->protocol == PROTOCOL_GRPC;
}

static void add_start_line(struct line *line, const struct message *message)
{
	struct buf *buf = out_buf(line->out);
	struct span version = message_value(message, ATTR_VERSION);

	begin(line, message);
	if (message->kind == MESSAGE_REQUEST) {
		add_bytes(line, message_value(message, ATTR_METHOD));
		buf_addc(buf, ' ');
		add_bytes(line, message_value(message, ATTR_TARGET));
		buf_addc(buf, ' ');
	}
	buf_adds(buf, "HTTP/");
	add_bytes(line, version);
	if (message->kind != MESSAGE_REQUEST) {
		buf_addf(buf, " %lu ", message_number(message, ATTR_STATUS, 0));
		add_bytes(line, message_value(message, ATTR_REASON));
	}
	buf_addc(buf, '\n');
}

/* These are in the start line, or in others. */
static bool is_in_start_line(enum attr_key key)
{
	return key == ATTR_VERSION || key == ATTR_METHOD || key == ATTR_TARGET ||
	       key == ATTR_HOST || key == ATTR_URL || key == ATTR_STATUS || key == ATTR_REASON;
}

static void add_attr(struct line *line, const struct message *message, const struct attr *attr)
{
	const struct attr_row *row = &attr_rows[attr->key];
	struct buf *buf = out_buf(line->out);

	begin(line, message);
	if (row->shape == SHAPE_PAIRS && attr->key != ATTR_PARAMETER) {
		add_bytes(line, attr->name);
		buf_adds(buf, ": ");
	} else {
		line_paint(line, COLOR_DIM, "%s", row->name);
		buf_addc(buf, ' ');
		add_bytes(line, attr->name);
		buf_adds(buf, attr->name.len ? " = " : "");
	}
	if (row->shape == SHAPE_NUMBER)
		buf_addu(buf, attr->number);
	else if (attr->full == ATTR_NULL)
		buf_adds(buf, "NULL");
	else
		add_bytes(line, attr->value);
	if (row->shape != SHAPE_NUMBER && attr->full != ATTR_NULL && attr->full > attr->value.len)
		buf_addf(buf, " (%lu of %lu bytes)", attr->value.len, attr->full);
	buf_addc(buf, '\n');
}

/* Texts of several lines are shown as such. */
static void add_text(struct line *line, const struct message *message, const struct attr *attr)
{
	begin(line, message);
	line_paint(line, COLOR_DIM, "%s\n", attr_rows[attr->key].name);
	payload_add_text(out_buf(line->out), INDENT "  ", attr->value.data, attr->value.len);
}

static bool has_lines(const struct attr *attr)
{
	return attr_rows[attr->key].shape == SHAPE_TEXT && attr->value.len &&
	       memchr(attr->value.data, '\n', attr->value.len);
}

void detail_add_fields(struct line *line, const struct message *message)
{
	bool http = is_http(message) && message->kind <= MESSAGE_RESPONSE;

	if (http)
		add_start_line(line, message);
	for (size_t i = 0; i < message->attr_count; i++) {
		const struct attr *attr = &message->attrs[i];

		if (http && is_in_start_line(attr->key))
			continue;
		if (has_lines(attr))
			add_text(line, message, attr);
		else
			add_attr(line, message, attr);
		out_commit(line->out);
	}
}

static void add_content(struct line *line, struct span content, bool whole, size_t max)
{
	struct buf pretty auto_buf = { 0 };
	struct span shown = content;

	if (whole && payload_is_text(content.data, content.len) && pretty_json(&pretty, content))
		shown = span_of(pretty.data, pretty.len);
	shown = span_cut(shown, 0, max);
	line_payload(line, INDENT, shown.data, shown.len, false);
}

void detail_add_body(struct line *line, const struct message *message, size_t max)
{
	const struct body *body = &message->body;
	struct buf *buf = out_buf(line->out);
	struct span content = span_of(body->kept.data, body->kept.len);

	if (!body->present || !body->len)
		return;
	begin(line, message);
	line_paint(line, COLOR_DIM, "body ");
	phrase_add_body(buf, body);
	if (content.len > max)
		buf_addf(buf, ", %lu of %lu bytes shown", max, body->len);
	else if (body->cut)
		buf_addf(buf, ", %lu bytes shown", content.len);
	if (body->why)
		line_paint(line, COLOR_BAD, ", %s%s",
			   body->decoded ? "" : "not decoded: ", body->why);
	buf_addc(buf, '\n');
	add_content(line, content, !body->cut, max);
}
