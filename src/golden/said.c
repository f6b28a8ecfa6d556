#include "golden/said.h"

struct span said_text(struct model *model, const struct message *message)
{
	/* What the title is made from. */
	static const enum attr_key keys[] = { ATTR_TARGET, ATTR_QUESTION, ATTR_SQL, ATTR_ARG,
					      ATTR_USER };
	struct span first = message_value(message, ATTR_METHOD), copy;
	struct buf text = { 0 };
	size_t key = 0;

	if (!first.len)
		first = message_value(message, ATTR_COMMAND);
	buf_add(&text, first.data, first.len);
	while (key < sizeof(keys) / sizeof(keys[0]) && !message_value(message, keys[key]).len)
		key++;
	for (size_t i = 0; key < sizeof(keys) / sizeof(keys[0]) && i < message->attr_count; i++) {
		if (message->attrs[i].key != keys[key])
			continue;
		if (text.len)
			buf_addc(&text, ' ');
		buf_add(&text, message->attrs[i].value.data, message->attrs[i].value.len);
	}
	copy = arena_copy(&model->arena, span_of(text.data, text.len));
	buf_done(&text);
	return copy;
}

const struct place *said_keep(struct model *model, const struct place *place)
{
	struct place *copy = arena_alloc(&model->arena, sizeof(*copy));

	*copy = (struct place){ .method = arena_copy(&model->arena, place->method),
				.peer = arena_copy(&model->arena, place->peer),
				.path = arena_copy(&model->arena, place->path),
				.said = place->said };
	return copy;
}
