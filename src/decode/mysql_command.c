/* What MySQL's clients ask. */
#include "base/own.h"
#include "decode/limits.h"
#include "decode/mysql.h"

enum {
	COMMAND_QUIT = 1,
	COMMAND_INIT_DB = 2,
	COMMAND_QUERY = 3,
	COMMAND_CHANGE_USER = 17,
	COMMAND_BINLOG_DUMP = 18,
	COMMAND_PREPARE = 22,
	COMMAND_EXECUTE = 23,
	COMMAND_LONG_DATA = 24,
	COMMAND_CLOSE = 25,
};

/* Query attributes make the number of parameters part of an Execute (MySQL 8.0.23). */
#define EXECUTE_HAS_COUNT 8

static const struct command_row {
	uint8_t code;
	const char *name;
	enum mysql_expect expect;
	char argument; /* s SQL, d a database, q SQL to prepare, x a statement to execute, i its number */
} command_rows[] = {
	{ COMMAND_QUIT, "Quit", EXPECT_NOTHING, 0 },
	{ COMMAND_INIT_DB, "InitDB", EXPECT_OK, 'd' },
	{ COMMAND_QUERY, "Query", EXPECT_FIRST, 's' },
	{ 4, "FieldList", EXPECT_DEFINITIONS, 0 },
	{ 5, "CreateDB", EXPECT_OK, 'd' },
	{ 6, "DropDB", EXPECT_OK, 'd' },
	{ 7, "Refresh", EXPECT_OK, 0 },
	{ 8, "Shutdown", EXPECT_OK, 0 },
	{ 9, "Statistics", EXPECT_TEXT, 0 },
	{ 10, "ProcessInfo", EXPECT_FIRST, 0 },
	{ 12, "ProcessKill", EXPECT_OK, 0 },
	{ 13, "Debug", EXPECT_OK, 0 },
	{ 14, "Ping", EXPECT_OK, 0 },
	{ COMMAND_CHANGE_USER, "ChangeUser", EXPECT_OK, 0 },
	{ 21, "RegisterSlave", EXPECT_OK, 0 },
	{ COMMAND_PREPARE, "Prepare", EXPECT_PREPARED, 'q' },
	{ COMMAND_EXECUTE, "Execute", EXPECT_FIRST, 'x' },
	{ COMMAND_LONG_DATA, "LongData", EXPECT_NOTHING, 'i' },
	{ COMMAND_CLOSE, "Close", EXPECT_NOTHING, 'i' },
	{ 26, "Reset", EXPECT_OK, 'i' },
	{ 27, "SetOption", EXPECT_OK, 0 },
	{ 28, "Fetch", EXPECT_ROWS, 'i' },
	{ 31, "ResetConnection", EXPECT_OK, 0 },
	{ 250, "BulkExecute", EXPECT_OK, 'i' },
};

static const struct command_row *find_row(uint8_t code)
{
	for (size_t i = 0; i < sizeof(command_rows) / sizeof(command_rows[0]); i++)
		if (command_rows[i].code == code)
			return &command_rows[i];
	return NULL;
}

/* The types of `count` values, with their names where attributes are in use. */
static void read_types(struct reader *reader, struct mysql_column *types, size_t count, bool named)
{
	for (size_t i = 0; i < count && !reader->bad; i++) {
		uint16_t type = (uint16_t)reader_le(reader, 2);

		if (i < MYSQL_PARAMS_MAX)
			types[i] = (struct mysql_column){ (uint8_t)type, type & 0x8000 };
		if (named)
			mysql_string(reader);
	}
}

/* Values behind their bitmap of nulls, each as an argument of the message. */
static void add_values(struct message *request, struct reader *reader, struct span nulls,
		       const struct mysql_column *types, size_t count)
{
	for (size_t i = 0; i < count && i < MYSQL_PARAMS_MAX && !reader->bad; i++) {
		struct buf text auto_buf = { 0 };

		if (nulls.data[i / 8] & 1U << i % 8) {
			message_add_null(request, ATTR_ARG);
			continue;
		}
		if (mysql_add_binary(&text, reader, &types[i]))
			message_add_cut(request, ATTR_ARG,
					span_cut(span_of(text.data, text.len), 0, VALUE_MAX),
					text.len);
	}
}

/* What stands before the SQL of a query where the client may send attributes. */
static void skip_attributes(const struct mysql *mysql, struct message *request,
			    struct reader *reader)
{
	struct mysql_column types[MYSQL_PARAMS_MAX] = { 0 };
	struct reader before = *reader;
	uint64_t count;
	struct span nulls;

	if (mysql->known ? !(mysql->capabilities & CAPABILITY_ATTRIBUTES)
			 : reader_left(reader) < 2 || reader->at[0] || reader->at[1] != 1)
		return;
	count = mysql_number(reader);
	mysql_number(reader);
	if (count && count <= MYSQL_PARAMS_MAX) {
		nulls = reader_take(reader, (size_t)(count + 7) / 8);
		reader_u8(reader);
		read_types(reader, types, (size_t)count, true);
		if (!reader->bad)
			add_values(request, reader, nulls, types, (size_t)count);
	}
	if (reader->bad || count > MYSQL_PARAMS_MAX)
		*reader = before;
}

static void add_execute(struct mysql *mysql, struct message *request, struct reader *reader)
{
	uint32_t id = (uint32_t)reader_le(reader, 4);
	uint8_t flags = reader_u8(reader);
	struct mysql_statement *statement = mysql_find_statement(mysql, id);
	bool attributes = mysql->capabilities & CAPABILITY_ATTRIBUTES;
	size_t count;
	struct span nulls;

	message_add_textf(request, ATTR_STATEMENT, "%u", id);
	mysql->running = statement;
	if (!statement)
		return;
	message_add(request, ATTR_SQL, statement->sql);
	reader_le(reader, 4);
	count = statement->params;
	if (attributes && (flags & EXECUTE_HAS_COUNT))
		count = (size_t)mysql_number(reader);
	if (!count || count > MYSQL_PARAMS_MAX)
		return;
	nulls = reader_take(reader, (count + 7) / 8);
	if (reader_u8(reader))
		read_types(reader, statement->types, count, attributes);
	if (!reader->bad)
		add_values(request, reader, nulls, statement->types, count);
}

void mysql_statement_free(struct mysql_statement *statement)
{
	if (!statement)
		return;
	message_unref(statement->prepared);
	free(statement->columns);
	free(statement);
}

/* Keys of maps are not 0. */
struct mysql_statement *mysql_find_statement(const struct mysql *mysql, uint64_t number)
{
	return map_get(&mysql->statements, number + 1);
}

void mysql_put_statement(struct mysql *mysql, uint64_t number, struct mysql_statement *statement)
{
	mysql_statement_free(map_take(&mysql->statements, number + 1));
	mysql->running = NULL;
	if (!statement)
		return;
	if (map_count(&mysql->statements) == STATEMENTS_MAX)
		mysql_statement_free(
			map_take(&mysql->statements, map_key(map_first(&mysql->statements))));
	map_put(&mysql->statements, number + 1, statement);
}

static void remember_sql(struct mysql *mysql, struct span sql)
{
	struct mysql_statement *statement;

	sql = span_cut(sql, 0, STATEMENT_MAX);
	statement = own_zalloc(sizeof(*statement) + sql.len);
	if (sql.len)
		memcpy(statement + 1, sql.data, sql.len);
	statement->sql = span_of(statement + 1, sql.len);
	mysql_statement_free(mysql->preparing);
	mysql->preparing = statement;
}

static void add_argument(struct mysql *mysql, const struct command_row *row,
			 struct message *request, struct reader *reader, uint64_t full)
{
	uint64_t cut = full - 1 - reader_left(reader);
	struct span rest;

	switch (row->argument) {
	case 's':
		skip_attributes(mysql, request, reader);
		rest = reader_rest(reader);
		message_add_cut(request, ATTR_SQL, rest, rest.len + cut);
		break;
	case 'q':
		rest = reader_rest(reader);
		message_add_cut(request, ATTR_SQL, rest, rest.len + cut);
		remember_sql(mysql, rest);
		break;
	case 'd':
		message_add(request, ATTR_DATABASE, reader_rest(reader));
		break;
	case 'x':
		add_execute(mysql, request, reader);
		break;
	case 'i':
		message_add_textf(request, ATTR_STATEMENT, "%lu", reader_le(reader, 4));
		break;
	}
}

static void begin_answer(struct channel *channel, const struct command_row *row,
			 struct message *request)
{
	struct mysql *mysql = channel->state;

	/* Where it did not wait, or we could not. */
	mysql_end(channel, "another command came before the answer");
	mysql->exchange = channel_exchange(channel);
	channel_request(mysql->exchange, request);
	mysql->expect = row->expect;
	mysql->command = row->code;
	mysql->left = UINT64_MAX;
	mysql->columns_left = 0;
	mysql->is_params = false;
	if (row->expect != EXPECT_ROWS)
		mysql->column_count = 0;
	if (row->code == COMMAND_CHANGE_USER)
		mysql->phase = PHASE_AUTH;
}

bool mysql_command(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;
	struct reader reader = reader_of(packet->payload);
	const struct command_row *row = find_row(reader_u8(&reader));
	struct message *request;

	if (reader.bad || !row || packet->sequence)
		return false;
	request = channel_message(channel, MESSAGE_REQUEST, packet->dir);
	channel_note(channel, request, packet->whole);
	message_add_text(request, ATTR_COMMAND, row->name);
	add_argument(mysql, row, request, &reader, packet->full);
	if (row->expect == EXPECT_NOTHING)
		request->kind = MESSAGE_ONEWAY;
	else
		begin_answer(channel, row, request);
	if (row->code == COMMAND_CLOSE && packet->payload.len >= 5) {
		reader = reader_of(span_cut(packet->payload, 1, 4));
		mysql_put_statement(mysql, reader_le(&reader, 4), NULL);
	}
	channel_emit(channel, request);
	return true;
}

/* The contents of a file for LOAD DATA LOCAL, up to an empty packet. */
bool mysql_file(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;

	if (!mysql->file) {
		mysql->file = channel_message(channel, MESSAGE_ONEWAY, packet->dir);
		message_add_text(mysql->file, ATTR_COMMAND, "LocalInfile");
		if (mysql->exchange)
			mysql->file->exchange = mysql->exchange->number;
	}
	channel_note(channel, mysql->file, packet->whole);
	channel_content(channel, mysql->file, packet->payload);
	if (packet->full > packet->payload.len)
		channel_body_lost(channel, mysql->file, packet->full - packet->payload.len);
	if (packet->full)
		return true;
	channel_emit(channel, mysql->file);
	mysql->file = NULL;
	mysql->sends_file = false;
	return true;
}
