/* Attributes of messages as lines. */
#ifndef GOLDEN_RENDER_FIELD_H
#define GOLDEN_RENDER_FIELD_H

#include "golden/body.h"

/* Header lines, by name; `prefix` stands before each ("trailer "). */
void render_headers(struct writer *writer, const struct message *message, enum attr_key key,
		    const char *prefix);

/* All attributes that are compared, in the order of their keys. */
void render_fields(struct writer *writer, const struct message *message);

/* Learns the secrets in what the message says, of which nothing is added: answers may quote it. */
void render_learn(struct writer *writer, const struct message *message);

/* "/path?query", masked. */
void render_target(struct writer *writer, struct buf *out, struct span target);

/* What was said besides its content, where rules ask for it to be kept: pid, descriptor, time, calls. */
void render_facts(struct writer *writer, const struct message *message);

#endif
