/* JSON Lines: the public form of events, docs/events.md. Keys in the documented order. */
#include "base/addr.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "event/field.h"
#include "sink/format.h"

#include <string.h>

/* Payload is written in pieces, so that a large one does not need several times its memory. */
#define PIECE (48U << 10)

struct jsonl {
	struct sink sink;
	struct out *out;
};

static void add_name(struct buf *buf, const struct field *field, int value)
{
	const char *name = field->names[value];

	json_add_string(buf, name, strlen(name));
}

static void add_strings(struct buf *buf, const struct event_strings *strings)
{
	const char *end = strings->data + strings->len;

	buf_addc(buf, '[');
	for (const char *text = strings->data; text < end; text += strlen(text) + 1) {
		if (text != strings->data)
			buf_addc(buf, ',');
		json_add_string(buf, text, strlen(text));
	}
	buf_addc(buf, ']');
}

static void add_addr(struct buf *buf, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	addr_format(addr, text);
	json_add_string(buf, text, strlen(text));
}

static void add_error(struct buf *buf, int error)
{
	char text[16];
	const char *name = field_error_name(error, text);

	json_add_string(buf, name, strlen(name));
}

static void add_flags(struct buf *buf, const struct field *field, uint32_t flags)
{
	const char *comma = "";

	buf_addc(buf, '[');
	for (size_t i = 0; i < field->name_count; i++) {
		if (!(flags & 1U << i))
			continue;
		buf_addf(buf, "%s\"%s\"", comma, field->names[i]);
		comma = ",";
	}
	buf_addc(buf, ']');
}

static void add_fds(struct buf *buf, const int32_t *fds, uint32_t count)
{
	buf_addc(buf, '[');
	for (uint32_t i = 0; i < count; i++)
		buf_addf(buf, "%s%d", i ? "," : "", fds[i]);
	buf_addc(buf, ']');
}

/* The length of a piece of valid UTF-8 that ends between characters. */
static size_t piece_of(const uint8_t *text, size_t len)
{
	size_t n = PIECE;

	if (len <= n)
		return len;
	while ((text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void add_payload(struct out *out, const uint8_t *payload, size_t len)
{
	struct buf *buf = out_buf(out);
	bool is_text = utf8_valid(payload, len);

	json_add_key(buf, is_text ? "text" : "b64");
	buf_addc(buf, '"');
	for (size_t n; len; payload += n, len -= n) {
		/* A multiple of 3, so that no padding is in the middle. */
		n = is_text ? piece_of(payload, len) : len < PIECE ? len : PIECE;
		if (is_text)
			json_add_escaped(buf, (const char *)payload, n);
		else
			base64_add(buf, payload, n);
		out_commit(out);
	}
	buf_addc(buf, '"');
}

static void add_fields(struct out *out, const struct field *fields, const struct event *event);

static void add_group(struct out *out, const struct field *field, const struct event *event)
{
	buf_addc(out_buf(out), '{');
	add_fields(out, field->members, event);
	buf_addc(out_buf(out), '}');
}

static void add_value(struct out *out, const struct field *field, const struct event *event)
{
	struct buf *buf = out_buf(out);
	const void *at = field_at(field, event);

	switch (field->kind) {
	case FIELD_I32:
		buf_addi(buf, *(const int32_t *)at);
		break;
	case FIELD_U32:
		buf_addu(buf, *(const uint32_t *)at);
		break;
	case FIELD_U64:
		buf_addu(buf, *(const uint64_t *)at);
		break;
	case FIELD_NAME:
		add_name(buf, field, *(const int *)at);
		break;
	case FIELD_COMM:
		json_add_string(buf, at, strlen(at));
		break;
	case FIELD_TEXT:
		json_add_string(buf, *(const char *const *)at, strlen(*(const char *const *)at));
		break;
	case FIELD_STRINGS:
		add_strings(buf, at);
		break;
	case FIELD_ADDR:
		add_addr(buf, at);
		break;
	case FIELD_ERROR:
		add_error(buf, *(const int *)at);
		break;
	case FIELD_FLAGS:
		add_flags(buf, field, *(const uint32_t *)at);
		break;
	case FIELD_FDS:
		add_fds(buf, event->data.fds, event->data.fd_count);
		break;
	case FIELD_GROUP:
		add_group(out, field, event);
		break;
	case FIELD_PAYLOAD:
	case FIELD_PAYLOAD_TEXT:
	case FIELD_PAYLOAD_BASE64:
	case FIELD_END:
		break;
	}
}

static void add_fields(struct out *out, const struct field *fields, const struct event *event)
{
	for (const struct field *field = fields; field->kind != FIELD_END; field++) {
		if (!field_is_present(field, event))
			continue;
		if (field->kind == FIELD_PAYLOAD) {
			add_payload(out, event->data.payload, event->data.captured);
			continue;
		}
		json_add_key(out_buf(out), field->key);
		add_value(out, field, event);
	}
}

static void jsonl_emit(struct sink *sink, struct event *event)
{
	struct jsonl *jsonl = (struct jsonl *)sink;
	struct buf *buf = out_buf(jsonl->out);

	buf_addc(buf, '{');
	json_add_text_member(buf, "type", event_type_names[event->type]);
	add_fields(jsonl->out, field_head, event);
	add_fields(jsonl->out, field_bodies[event->type], event);
	buf_adds(buf, "}\n");
	out_end_record(jsonl->out);
}

static int jsonl_finish(struct sink *sink)
{
	struct jsonl *jsonl = (struct jsonl *)sink;
	int result = out_close(jsonl->out);

	free(jsonl);
	return result;
}

struct sink *jsonl_new(struct out *out, const struct format_options *options)
{
	struct jsonl *jsonl = own_zalloc(sizeof(*jsonl));

	(void)options;
	jsonl->sink = (struct sink){ .emit = jsonl_emit, .finish = jsonl_finish };
	jsonl->out = out;
	return &jsonl->sink;
}
