/* Messages as JSON, docs/messages.md: what `-f messages` writes a line of. */
#ifndef SINK_MESSAGE_JSON_H
#define SINK_MESSAGE_JSON_H

#include "event/message.h"

/* Objects without a line end. */
void message_json_add(struct buf *buf, const struct message *message);
void exchange_json_add(struct buf *buf, const struct exchange *exchange);
void connection_json_add(struct buf *buf, const struct connection *connection);

/* Members of a value that may be any bytes: `"text":"…"` where they are UTF-8, else `"b64":"…"`. */
void message_json_add_bytes(struct buf *buf, struct span bytes);

#endif
