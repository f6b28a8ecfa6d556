/* Bytes as the text of a model, so that none of them can break a line or look like a placeholder. */
#ifndef GOLDEN_ESCAPE_H
#define GOLDEN_ESCAPE_H

#include "base/buf.h"
#include "base/span.h"

/* As text with \n \xNN \\, or as the inside of a JSON string. */
enum escape { ESCAPE_TEXT, ESCAPE_JSON };

void escape_add(struct buf *out, struct span bytes, enum escape escape);

#endif
