/* JSON bodies as lines. */
#ifndef GOLDEN_BODY_JSON_H
#define GOLDEN_BODY_JSON_H

#include "golden/body.h"

/* False, and nothing added, where it is no JSON object or array. */
bool body_add_json(struct writer *writer, struct span text);

#endif
