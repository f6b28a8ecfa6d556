/* Where an event of a native capture begins: what a reader looks for behind damage. */
#ifndef STORE_BEGINNING_H
#define STORE_BEGINNING_H

#include "store/input.h"

/* True where an event could begin here: a map whose first key is `type`, or the file's tag. */
bool beginning_is_here(struct input *input);

/* True where one is among the next bytes, as many as the window holds. */
bool beginning_is_near(struct input *input);

/* Goes past the tag of a file's first event, if it is here. */
void beginning_take_tag(struct input *input);

/* Goes to the next map that could be an event; false, and at the end, where there is none. */
bool beginning_find(struct input *input);

#endif
