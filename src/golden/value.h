/*
 * What placeholders stand for: values by type and content. In texts of this folder a placeholder is a
 * mark, "\x01" NUMBER "\x02", where NUMBER is the value's; as text it is <type#N>, and N is given when
 * the text is written. So texts can be compared without the numbers, and numbered afterwards.
 */
#ifndef GOLDEN_VALUE_H
#define GOLDEN_VALUE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/map.h"

#define MARK_BEGIN '\x01'
#define MARK_END   '\x02'

struct value {
	const char *type; /* "uuid"; letters and '-' */
	struct span raw;
	struct value *next; /* of the same hash */
	uint32_t id;        /* its place in the table */
	uint32_t number;    /* as written; 0: not given */
	uint64_t color;     /* by where it occurs, see order.h */
};

struct values {
	struct arena arena;
	struct map map;
	struct value **items;
	size_t count;
};

/* Zeroed values are empty ones. */
void values_done(struct values *values);

/* The value of that type and content, made where it is new. The type must outlive the table. */
struct value *values_add(struct values *values, const char *type, struct span raw);

/* The type's text, owned by the table, for types that come from a file. */
const char *values_type(struct values *values, struct span type);

/* Adds the value's mark. */
void value_add_mark(struct buf *buf, const struct value *value);

/*
 * Walks a text: returns the next piece of it, which is the bytes up to a mark, or (*ret_value set) a
 * mark. False at the end.
 */
bool value_next(const struct values *values, const char **text, struct span *ret_piece,
		struct value **ret_value);

/* hash_bytes of a text with only the types of its placeholders; with their colors, too. */
uint64_t value_hash_text(const struct values *values, const char *text, bool colors);

/* Adds the text as it is written: <type#N>; without a number <type>. */
void value_add_text(const struct values *values, struct buf *out, const char *text);

#endif
