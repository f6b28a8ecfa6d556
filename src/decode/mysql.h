/*
 * MySQL's and MariaDB's protocol between its files: mysql.c has the packets and the login,
 * mysql_command.c what clients ask, mysql_result.c what servers answer. One command is answered before
 * the next one is sent.
 */
#ifndef DECODE_MYSQL_H
#define DECODE_MYSQL_H

#include "base/map.h"
#include "decode/channel.h"

enum mysql_capability {
	CAPABILITY_WITH_DB = 1U << 3,
	CAPABILITY_COMPRESS = 1U << 5,
	CAPABILITY_PROTOCOL_41 = 1U << 9,
	CAPABILITY_TLS = 1U << 11,
	CAPABILITY_SECURE = 1U << 15,
	CAPABILITY_PLUGIN_AUTH = 1U << 19,
	CAPABILITY_LONG_AUTH = 1U << 21,
	CAPABILITY_NO_EOF = 1U << 24,
	CAPABILITY_OPTIONAL_METADATA = 1U << 25,
	CAPABILITY_ZSTD = 1U << 26,
	CAPABILITY_ATTRIBUTES = 1U << 27,
};

enum mysql_phase { PHASE_GREETING, PHASE_LOGIN, PHASE_AUTH, PHASE_COMMAND };

/* What the server sends next in answer to the command. */
enum mysql_expect {
	EXPECT_NOTHING,
	EXPECT_FIRST,       /* OK, an error, a file's name, or the number of columns */
	EXPECT_OK,          /* OK or an error */
	EXPECT_TEXT,        /* one packet of text */
	EXPECT_PREPARED,    /* a statement's number and counts */
	EXPECT_DEFINITIONS, /* `left` of parameters or columns */
	EXPECT_DEFINITIONS_END,
	EXPECT_ROWS,
};

struct mysql_column {
	uint8_t type;
	bool is_unsigned;
};

#define MYSQL_COLUMNS_MAX 4096U /* MySQL's own bound */
#define MYSQL_PARAMS_MAX  64U   /* whose types are remembered */

struct mysql_statement {
	struct span sql;
	size_t params;
	/* The answer to the Prepare has its columns, which MariaDB does not repeat; NULL: none seen. */
	struct message *prepared;
	struct mysql_column *columns;
	size_t column_count;
	struct mysql_column types[MYSQL_PARAMS_MAX];
};

struct mysql {
	enum mysql_phase phase;
	uint32_t capabilities; /* the client's */
	bool known;            /* they are */
	uint64_t skip[DIRS];   /* of a packet whose beginning was enough */
	bool goes_on[DIRS];    /* the next packet is the last one's continuation */

	struct exchange *exchange; /* the command's; NULL: none waits */
	struct message *response;  /* that is open; NULL: none */
	uint8_t command;
	enum mysql_expect expect;
	bool sends_file; /* the client, LOAD DATA LOCAL */
	struct message *file;

	uint64_t left, columns_left; /* definitions to come */
	bool is_params;              /* those that come are a statement's parameters */
	struct mysql_column columns[MYSQL_COLUMNS_MAX];
	size_t column_count;
	uint64_t rows;
	struct buf json;
	struct map statements;             /* by number + 1; struct mysql_statement */
	struct mysql_statement *preparing; /* the Prepare that is under way; NULL: none */
	struct mysql_statement *running;   /* the Execute's; NULL: none. Of the table */
};

/* The beginning of a packet; full is the length of its payload. */
struct mysql_packet {
	struct span whole, payload;
	uint64_t full;
	uint8_t sequence;
	enum event_dir dir;
};

void mysql_statement_free(struct mysql_statement *statement);
/* Takes the statement over, or NULL to forget one. */
void mysql_put_statement(struct mysql *mysql, uint64_t number, struct mysql_statement *statement);
struct mysql_statement *mysql_find_statement(const struct mysql *mysql, uint64_t number);

/* False where it makes no sense. */
bool mysql_command(struct channel *channel, const struct mysql_packet *packet);
bool mysql_file(struct channel *channel, const struct mysql_packet *packet);
bool mysql_result(struct channel *channel, const struct mysql_packet *packet);

/* The response that is open, or a new one; the packet is noted in it. */
struct message *mysql_response(struct channel *channel, const struct mysql_packet *packet);
/* The answer is complete. */
void mysql_end(struct channel *channel, const char *why);

/* OK and error packets, without their first byte; the status flags of an OK. */
uint16_t mysql_add_ok(struct mysql *mysql, struct message *response, struct reader *reader);
void mysql_add_error(struct mysql *mysql, struct message *response, struct reader *reader);

/* Length-encoded numbers and strings (protocol::LengthEncodedInteger). */
uint64_t mysql_number(struct reader *reader);
struct span mysql_string(struct reader *reader);

/* Adds a value of the binary protocol as text. False where the reader has not enough. */
bool mysql_add_binary(struct buf *out, struct reader *reader, const struct mysql_column *type);

#endif
