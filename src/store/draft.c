#include "store/draft.h"

#include "base/own.h"
#include "base/utf8.h"

#include <errno.h>
#include <string.h>

/* Below it, payload goes into the event's room; above, it keeps its own memory. */
#define SMALL_PAYLOAD 4096U

void draft_init(struct draft *draft)
{
	*draft = (struct draft){ .event = event_new(EVENT_NOTE, 0) };
}

void draft_done(struct draft *draft)
{
	event_unref(draft->event);
	buf_done(&draft->texts);
	buf_done(&draft->payload);
	buf_done(&draft->fds);
}

static void set_absent(struct event *event, const struct field *fields)
{
	for (const struct field *field = fields; field->kind != FIELD_END; field++)
		if (field->kind == FIELD_I32)
			*(int32_t *)((char *)event + field->offset) = field->absent;
}

void draft_begin(struct draft *draft, enum event_type type)
{
	/* All that is before the event's own memory. */
	memset(draft->event, 0, offsetof(struct event, owned));
	draft->event->type = type;
	set_absent(draft->event, field_bodies[type]);
	draft->texts.len = draft->payload.len = draft->fds.len = 0;
	draft->payload_len = 0;
}

void draft_end_text(struct draft *draft, size_t offset)
{
	struct buf *texts = &draft->texts;
	size_t len = texts->len - offset;

	if (!utf8_valid(texts->data + offset, len)) {
		char *raw auto_free = own_alloc(len);

		memcpy(raw, texts->data + offset, len);
		texts->len = offset;
		buf_reserve(texts, EVENT_TEXT_ROOM(len));
		texts->len += utf8_clean(raw, len, texts->data + offset);
	}
	buf_addc(texts, '\0');
}

const char *draft_pointer(size_t offset)
{
	return (const char *)(uintptr_t)(offset + 1);
}

static void relocate(struct event *event, const struct field *fields, const char *texts)
{
	for (const struct field *field = fields; field->kind != FIELD_END; field++) {
		const char **text = (const char **)((char *)event + field->offset);

		if (field->kind != FIELD_TEXT && field->kind != FIELD_STRINGS)
			continue;
		if (*text)
			*text = texts + ((uintptr_t)*text - 1);
		else if (field->needed)
			*text = "";
	}
}

static void give_payload(struct draft *draft, struct event *event)
{
	struct buf *payload = &draft->payload;

	if (payload->len <= SMALL_PAYLOAD) {
		event->data.payload = event_room(event, payload->len);
		if (payload->len)
			memcpy(event->data.payload, payload->data, payload->len);
	} else {
		event->owned = payload->data;
		event->data.payload = event->owned;
		*payload = (struct buf){ 0 };
	}
}

static struct event *copy(struct draft *draft)
{
	size_t small = draft->payload.len <= SMALL_PAYLOAD ? draft->payload.len : 0;
	struct event *event =
		event_new(draft->event->type, draft->fds.len + draft->texts.len + small);
	char *texts;

	memcpy(event, draft->event, offsetof(struct event, owned));
	if (draft->fds.len) {
		event->data.fds = event_room(event, draft->fds.len);
		memcpy(event->data.fds, draft->fds.data, draft->fds.len);
	}
	texts = event_room(event, draft->texts.len);
	if (draft->texts.len)
		memcpy(texts, draft->texts.data, draft->texts.len);
	relocate(event, field_bodies[event->type], texts);
	if (event->type == EVENT_DATA)
		give_payload(draft, event);
	return event;
}

int draft_make(struct draft *draft, struct event **ret_event)
{
	struct event_data *data = &draft->event->data;

	if (draft->event->type == EVENT_DATA) {
		if (data->error)
			data->len = draft->payload.len = draft->payload_len = 0;
		if (draft->payload_len > data->len)
			return -EBADMSG;
		data->captured = draft->payload.len;
	}
	*ret_event = copy(draft);
	return 0;
}
