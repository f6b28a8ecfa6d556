#include "store/encode.h"

#include "event/field.h"
#include "iotrace/capture.h"
#include "store/item.h"

#include <arpa/inet.h>
#include <string.h>

static void add_key(struct buf *buf, const char *key, size_t len)
{
	item_add_text(buf, key, len);
}

static void add_string(struct buf *buf, const char *text)
{
	item_add_text(buf, text, strlen(text));
}

static void add_strings(struct buf *buf, const struct event_strings *strings)
{
	const char *end = strings->data + strings->len;
	size_t count = 0;

	for (const char *text = strings->data; text < end; text += strlen(text) + 1)
		count++;
	item_add_list(buf, count);
	for (const char *text = strings->data; text < end; text += strlen(text) + 1)
		add_string(buf, text);
}

static void add_addr(struct buf *buf, const struct addr *addr)
{
	switch (addr->family) {
	case AF_INET:
		item_add_list(buf, 2);
		item_add_bytes(buf, &addr->in.sin_addr, sizeof(addr->in.sin_addr));
		item_add_uint(buf, ntohs(addr->in.sin_port));
		break;
	case AF_INET6:
		item_add_list(buf, addr->in6.sin6_scope_id ? 3 : 2);
		item_add_bytes(buf, &addr->in6.sin6_addr, sizeof(addr->in6.sin6_addr));
		item_add_uint(buf, ntohs(addr->in6.sin6_port));
		if (addr->in6.sin6_scope_id)
			item_add_uint(buf, addr->in6.sin6_scope_id);
		break;
	default:
		item_add_bytes(buf, addr->un.sun_path,
			       addr->len - offsetof(struct sockaddr_un, sun_path));
	}
}

static void add_error(struct buf *buf, int error)
{
	char text[16];

	add_string(buf, field_error_name(error, text));
}

static void add_flags(struct buf *buf, const struct field *field, uint32_t flags)
{
	flags &= (1U << field->name_count) - 1;
	item_add_list(buf, (size_t)__builtin_popcount(flags));
	for (size_t i = 0; i < field->name_count; i++)
		if (flags & 1U << i)
			add_string(buf, field->names[i]);
}

static void add_fds(struct buf *buf, const struct event_data *data)
{
	item_add_list(buf, data->fd_count);
	for (uint32_t i = 0; i < data->fd_count; i++)
		item_add_int(buf, data->fds[i]);
}

static size_t add_fields(struct buf *buf, const struct field *fields, const struct event *event,
			 struct encode_form *form);

static void add_group(struct buf *buf, const struct field *field, const struct event *event)
{
	size_t begun = item_map_begin(buf);

	item_map_end(buf, begun, add_fields(buf, field->members, event, NULL));
}

void encode_value(struct buf *buf, const struct field *field, const struct event *event)
{
	const void *at = field_at(field, event);

	switch (field->kind) {
	case FIELD_I32:
		item_add_int(buf, *(const int32_t *)at);
		break;
	case FIELD_U32:
		item_add_uint(buf, *(const uint32_t *)at);
		break;
	case FIELD_U64:
		item_add_uint(buf, *(const uint64_t *)at);
		break;
	case FIELD_NAME:
		add_string(buf, field->names[*(const int *)at]);
		break;
	case FIELD_COMM:
		add_string(buf, at);
		break;
	case FIELD_TEXT:
		add_string(buf, *(const char *const *)at);
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
		add_fds(buf, &event->data);
		break;
	case FIELD_GROUP:
		add_group(buf, field, event);
		break;
	case FIELD_PAYLOAD:
		item_add_bytes_head(buf, event->data.captured);
		break;
	case FIELD_PAYLOAD_TEXT:
	case FIELD_PAYLOAD_BASE64:
	case FIELD_END:
		break;
	}
}

static bool is_gap(const struct field *field)
{
	return field->varies || field->kind == FIELD_PAYLOAD;
}

/* Returns how many members were added. With a form, values that vary are left out and noted there. */
static size_t add_fields(struct buf *buf, const struct field *fields, const struct event *event,
			 struct encode_form *form)
{
	size_t count = 0;

	for (const struct field *field = fields; field->kind != FIELD_END; field++) {
		if (!field_is_present(field, event))
			continue;
		add_key(buf, field->key, field->key_len);
		if (form && is_gap(field))
			form->gaps[form->count++] = (struct encode_gap){ buf->len, field };
		else
			encode_value(buf, field, event);
		count++;
	}
	return count;
}

static void add_event(struct buf *buf, const struct event *event,
		      const struct encode_options *options, struct encode_form *form)
{
	size_t begun, count = 1;

	if (options->tagged)
		item_add_tag(buf, CAPTURE_TAG);
	begun = item_map_begin(buf);
	add_string(buf, CAPTURE_TYPE_KEY);
	add_string(buf, event_type_names[event->type]);
	count += add_fields(buf, field_head, event, form);
	if (options->part) {
		add_string(buf, CAPTURE_PART_KEY);
		item_add_uint(buf, options->part);
		count++;
	}
	count += add_fields(buf, field_bodies[event->type], event, form);
	item_map_end(buf, begun, count);
}

void encode_event(struct buf *buf, const struct event *event, const struct encode_options *options)
{
	add_event(buf, event, options, NULL);
}

void encode_form(struct encode_form *form, const struct event *event)
{
	static const struct encode_options options;

	form->bytes.len = form->count = 0;
	add_event(&form->bytes, event, &options, form);
}

size_t encode_payload_len(const struct event *event)
{
	return event->type == EVENT_DATA && !event->data.error ? event->data.captured : 0;
}

void encode_next(struct buf *buf, const char *file)
{
	size_t begun = item_map_begin(buf);

	add_string(buf, CAPTURE_TYPE_KEY);
	add_string(buf, CAPTURE_NEXT_TYPE);
	add_string(buf, CAPTURE_FILE_KEY);
	add_string(buf, file);
	item_map_end(buf, begun, 2);
}
