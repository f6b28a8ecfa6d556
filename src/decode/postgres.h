/*
 * PostgreSQL's protocol 3 between its files: postgres.c has the framing and the beginning of a
 * connection, postgres_client.c what clients say, postgres_server.c what servers answer. Commands wait
 * for their answers in a queue of steps; some of them are exchanges.
 */
#ifndef DECODE_POSTGRES_H
#define DECODE_POSTGRES_H

#include "base/map.h"
#include "decode/channel.h"

/* A step's kind is the letter of the message that began it; the first message has none. */
#define STEP_STARTUP '*'

struct step {
	char kind;
	bool binary;               /* its rows come in binary (Execute) */
	struct exchange *exchange; /* NULL: not worth one */
};

struct steps {
	struct step *items; /* a ring */
	size_t head, count, room;
};

/* What a Parse made, by the hash of its name. */
struct statement {
	struct span sql;
	uint32_t types[32]; /* of its parameters; 0: not known */
	size_t type_count;
};

/* What a Bind made. */
struct portal {
	struct message *args; /* its attributes are the arguments; NULL: none */
	uint64_t statement;
	bool binary;
};

struct column {
	uint32_t type;
	bool binary;
};

#define COLUMNS_MAX 1664U /* PostgreSQL's own bound */

struct postgres {
	uint64_t skip[DIRS]; /* of a message whose beginning was enough */
	bool started;        /* the startup message was seen, or must have been */
	bool asked_tls;      /* the answer is one byte */
	struct steps steps;
	struct map statements, portals;

	struct message *copy; /* that the client sends; NULL: none */
	struct message *response;
	struct message *described; /* what a Describe brought, for the Execute; NULL: none */
	struct column columns[COLUMNS_MAX];
	size_t column_count;
	uint64_t rows;
	struct buf json;
};

/* The beginning of a message; full is the length of its payload, of which not all may be there. */
struct pg_message {
	char type;
	struct span whole, payload;
	uint64_t full;
	enum event_dir dir;
};

/* Takes a message of the client's; false where it makes no sense. */
bool postgres_client(struct channel *channel, const struct pg_message *message);
/* The first one, which has no type. */
bool postgres_startup(struct channel *channel, const struct pg_message *message);
/* Takes a message of the server's. */
bool postgres_server(struct channel *channel, const struct pg_message *message);

void postgres_push_step(struct channel *channel, struct step step);
/* NULL where none waits. */
struct step *postgres_first_step(struct postgres *pg);
/* Emits the first step's exchange, where it has one, and removes the step. */
void postgres_end_step(struct channel *channel, const char *why);

/* Emits what is open of the answer. */
void postgres_end_response(struct channel *channel, const char *why);
void postgres_close_client(struct channel *channel, const char *why);

/* A value as text: numbers and booleans that came in binary are written out, other bytes as \x00ff. */
void postgres_add_value(struct buf *out, struct span value, uint32_t type, bool binary);

#endif
