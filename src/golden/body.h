/*
 * Bodies as lines: JSON with sorted keys and each number's own text, forms by parameter, text as it is,
 * anything else as length, hash and head.
 */
#ifndef GOLDEN_BODY_H
#define GOLDEN_BODY_H

#include "event/message.h"
#include "golden/model.h"
#include "golden/scan.h"
#include "secret/parts.h"

/* A longer body is a hash. */
#define BODY_SHOWN (64U << 10)

/* Where lines of an exchange go. */
struct writer {
	struct model *model;
	struct unit *unit;
	struct scan *scan;
	const struct place *place;
	char side;    /* '>' what the client says, '<' the answer */
	bool explain; /* keep of each line where it comes from */
	struct buf line;
	struct buf *sum; /* lines are added to this text instead; NULL: they are not */
};

/* Begins a line in writer->line and returns it: "> ". writer_end adds it. */
struct buf *writer_begin(struct writer *writer);
void writer_end(struct writer *writer, enum line_kind kind, const char *where, struct span raw);
void writer_add(struct writer *writer, const char *text);

/* Adds a text in which there may be secrets of that form. */
void writer_add_parts(struct writer *writer, struct buf *out, enum secret_form form,
		      struct span text);

void body_add(struct writer *writer, const struct message *message);

/* "a=1&b=2": each parameter as the rules say, with `&` between them. */
void body_add_query(struct writer *writer, struct buf *out, struct span query);

#endif
