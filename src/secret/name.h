/* Names that tell that what they name is a secret. */
#ifndef SECRET_NAME_H
#define SECRET_NAME_H

#include "base/span.h"

/* Headers in lower case, up to NULL. */
extern const char *const secret_headers[];

/*
 * True where `name` (any case, with - or _, %xx or \u00xx) is that of a secret; in a query also `key` and
 * `code` are.
 */
bool secret_is_name(struct span name, bool query);

/* The name of a header, or of another attribute, that says token, secret, password, key or the like. */
bool secret_is_header(struct span name);

/* A setting of Redis, which stands before its value in a list. */
bool secret_is_setting(struct span name);

/* An environment variable: *TOKEN*, *SECRET*, *PASSWORD*, *_KEY and their like, in any case. */
bool secret_is_variable(struct span name);

#endif
