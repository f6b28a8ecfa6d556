/*
 * Takes secrets out of messages before anybody else sees them: the values of headers that carry them
 * (authorization, cookies, names that say token, secret, password or key), of parameters and JSON members with
 * such names, what commands like AUTH are given, passwords in SQL and in URLs, and, wherever they stand, the
 * values of environment variables of iotrace's own that are named like secrets. A message that something was taken out of is marked MESSAGE_REDACTED.
 */
#ifndef VIEW_REDACT_H
#define VIEW_REDACT_H

#include "event/message_sink.h"

/* True where the bytes hold the value of such a variable. */
bool redact_has_secret(struct span bytes);

/* The environment is read now, as `environ` has it. Owns the next one. */
struct message_sink *redact_new(struct message_sink *next);

#endif
