#include "golden/value.h"

#include "base/own.h"

#include <string.h>

void values_done(struct values *values)
{
	map_done(&values->map);
	arena_done(&values->arena);
	free(values->items);
	*values = (struct values){ 0 };
}

static struct value *find(struct value *value, const char *type, struct span raw)
{
	for (; value; value = value->next)
		if (!strcmp(value->type, type) && span_equal(value->raw, raw))
			return value;
	return NULL;
}

struct value *values_add(struct values *values, const char *type, struct span raw)
{
	uint64_t key = hash_bytes(hash_bytes(0, type, strlen(type)), raw.data, raw.len);
	struct value *first = map_get(&values->map, key), *value = find(first, type, raw);
	size_t count = values->count;

	if (value)
		return value;
	if (!(count & (count - 1)))
		values->items = own_realloc(values->items,
					    (count ? count * 2 : 1) * sizeof(struct value *));
	value = arena_alloc(&values->arena, sizeof(*value));
	*value = (struct value){ .type = type,
				 .raw = arena_copy(&values->arena, raw),
				 .next = first,
				 .id = (uint32_t)count };
	map_put(&values->map, key, value);
	values->items[values->count++] = value;
	return value;
}

const char *values_type(struct values *values, struct span type)
{
	for (size_t i = values->count; i-- > 0 && values->count - i < 16;)
		if (span_equal(span_text(values->items[i]->type), type))
			return values->items[i]->type;
	return (const char *)arena_copy(&values->arena, type).data;
}

void value_add_mark(struct buf *buf, const struct value *value)
{
	buf_addc(buf, MARK_BEGIN);
	buf_addu(buf, value->id);
	buf_addc(buf, MARK_END);
}

bool value_next(const struct values *values, const char **text, struct span *ret_piece,
		struct value **ret_value)
{
	const char *at = *text;
	size_t len, id = 0;

	*ret_value = NULL;
	if (!*at)
		return false;
	len = strcspn(at, "\x01");
	if (!len) {
		for (at++; *at && *at != MARK_END; at++)
			id = id * 10 + (size_t)(*at - '0');
		*ret_piece = span_of(*text, (size_t)(at + 1 - *text));
		*text = *at ? at + 1 : at;
		*ret_value = id < values->count ? values->items[id] : NULL;
		return *ret_value != NULL;
	}
	*ret_piece = span_of(at, len);
	*text = at + len;
	return true;
}

uint64_t value_hash_text(const struct values *values, const char *text, bool colors)
{
	uint64_t hash = 0;
	struct value *value;
	struct span piece;

	while (value_next(values, &text, &piece, &value)) {
		if (value)
			hash = hash_bytes(hash + 1 + (colors ? value->color : 0), value->type,
					  strlen(value->type));
		else
			hash = hash_bytes(hash, piece.data, piece.len);
	}
	return hash;
}

void value_add_text(const struct values *values, struct buf *out, const char *text)
{
	struct value *value;
	struct span piece;

	while (value_next(values, &text, &piece, &value)) {
		if (!value)
			buf_add(out, piece.data, piece.len);
		else if (value->number)
			buf_addf(out, "<%s#%u>", value->type, value->number);
		else
			buf_addf(out, "<%s>", value->type);
	}
}
