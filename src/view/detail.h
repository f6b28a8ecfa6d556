/* A message's fields and body for people, on lines of their own below the exchange's. */
#ifndef VIEW_DETAIL_H
#define VIEW_DETAIL_H

#include "event/message.h"
#include "sink/line.h"

/* The start line and headers, or the attributes, of what went that way; with marks like curl's. */
void detail_add_fields(struct line *line, const struct message *message);

/*
 * The body: JSON indented, text as text, all else as a hexdump; at most `max` bytes of it, and a word on
 * what is not shown. Nothing where there is none.
 */
void detail_add_body(struct line *line, const struct message *message, size_t max);

#endif
