/* JSON with one member a line, for people. */
#ifndef VIEW_PRETTY_H
#define VIEW_PRETTY_H

#include "base/buf.h"
#include "base/span.h"

#include <stdbool.h>

/*
 * Adds the text indented by two blanks a level. What stands between brackets, colons and commas is
 * copied as it is, numbers and twins of keys included. False, and nothing added, where the bytes are no
 * JSON object or array from their first to their last bracket, or too deep.
 */
bool pretty_json(struct buf *buf, struct span text);

#endif
