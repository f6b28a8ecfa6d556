/*
 * JSON (RFC 8259) as a tree that keeps every number's own text, for bodies. Hostile: depth and memory
 * are bounded by JSON_DEPTH and a multiple of the text's length.
 */
#ifndef GOLDEN_JSON_TREE_H
#define GOLDEN_JSON_TREE_H

#include "base/arena.h"
#include "base/buf.h"

#define JSON_DEPTH 128
/* A longer text is not looked at as JSON. */
#define JSON_MAX (1U << 20)

enum json_kind { JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER, JSON_WORD };

struct json {
	enum json_kind kind;
	struct span key;   /* of a member: its inside, as written */
	struct span text;  /* a string's inside, or the number or word, as written */
	struct span whole; /* all of it, as written */
	struct json *next, *first;
	size_t count; /* of members or items */
};

/* The tree, in the arena; NULL where the text is not one JSON value and nothing else. */
struct json *json_parse(struct arena *arena, struct span text);

/* Adds what a string's inside means. False where that is no Unicode text: a lone surrogate. */
bool json_decode(struct buf *out, struct span inside);

#endif
