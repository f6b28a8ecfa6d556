/* What MySQL's servers answer. */
#include "base/base64.h"
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "decode/limits.h"
#include "decode/mysql.h"

enum { HEAD_OK = 0x00, HEAD_FILE = 0xfb, HEAD_EOF = 0xfe, HEAD_ERROR = 0xff };
enum { STATUS_MORE_RESULTS = 0x0008, STATUS_CURSOR = 0x0040 };
enum { COMMAND_PREPARE = 22, COMMAND_EXECUTE = 23, COMMAND_FETCH = 28 };

#define EOF_LEN 5

/* Length of the part of a column's definition that has a fixed one. */
#define FIXED_LEN 12

struct message *mysql_response(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;

	if (!mysql->response) {
		mysql->response = channel_message(channel, MESSAGE_RESPONSE, packet->dir);
		mysql->rows = 0;
	}
	channel_note(channel, mysql->response, packet->whole);
	return mysql->response;
}

void mysql_end(struct channel *channel, const char *why)
{
	struct mysql *mysql = channel->state;
	struct message *response = mysql->response;
	struct exchange *exchange = mysql->exchange;

	mysql->response = NULL;
	mysql->exchange = NULL;
	mysql->expect = EXPECT_NOTHING;
	if (response && why)
		message_cut(response, why);
	if (response && (mysql->rows || mysql->column_count))
		message_add_number(response, ATTR_ROWS, mysql->rows);
	if (response && mysql->json.len) {
		buf_addc(&mysql->json, ']');
		channel_content(channel, response, span_of(mysql->json.data, mysql->json.len));
	}
	mysql->json.len = 0;
	if (response && exchange)
		channel_response(exchange, response);
	if (response)
		channel_emit(channel, response);
	if (!exchange)
		return;
	if (!response)
		exchange->why = why;
	channel_exchange_emit(channel, exchange);
}

uint16_t mysql_add_ok(struct mysql *mysql, struct message *response, struct reader *reader)
{
	uint64_t affected = mysql_number(reader);
	uint16_t status;

	(void)mysql;
	mysql_number(reader);
	status = (uint16_t)reader_le(reader, 2);
	message_add_text(response, ATTR_TAG, "OK");
	message_add_number(response, ATTR_AFFECTED, affected);
	return reader->bad ? 0 : status;
}

void mysql_add_error(struct mysql *mysql, struct message *response, struct reader *reader)
{
	uint16_t code = (uint16_t)reader_le(reader, 2);

	(void)mysql;
	/* '#' and the five letters of SQLSTATE; not in a greeting. */
	if (reader_left(reader) && *reader->at == '#')
		reader_take(reader, 6);
	message_add_textf(response, ATTR_ERROR_CODE, "%u", code);
	message_add(response, ATTR_ERROR, reader_rest(reader));
}

static bool is_eof(const struct mysql_packet *packet)
{
	return packet->payload.len && packet->payload.data[0] == HEAD_EOF &&
	       packet->full == EOF_LEN;
}

/* More results may follow: then the response goes on. */
static void end_result(struct channel *channel, uint16_t status)
{
	struct mysql *mysql = channel->state;

	if (status & STATUS_MORE_RESULTS)
		mysql->expect = EXPECT_FIRST;
	else
		mysql_end(channel, NULL);
}

static bool take_error(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;
	struct reader reader = reader_of(span_cut(packet->payload, 1, packet->payload.len));
	struct message *response = mysql_response(channel, packet);

	/* MariaDB tells of the progress of long commands in the form of an error. */
	if (packet->payload.len > 2 && packet->payload.data[1] == 0xff &&
	    packet->payload.data[2] == 0xff)
		return true;
	mysql_add_error(mysql, response, &reader);
	mysql_end(channel, NULL);
	return true;
}

static bool take_ok(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;
	struct reader reader = reader_of(span_cut(packet->payload, 1, packet->payload.len));
	struct message *response = mysql_response(channel, packet);

	end_result(channel, is_eof(packet) ? 0 : mysql_add_ok(mysql, response, &reader));
	return true;
}

static bool take_prepared(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;
	struct reader reader = reader_of(packet->payload);
	struct mysql_statement *statement = mysql->preparing;
	uint64_t id, columns, params;

	mysql_response(channel, packet);
	reader_u8(&reader);
	id = reader_le(&reader, 4);
	columns = reader_le(&reader, 2);
	params = reader_le(&reader, 2);
	if (reader.bad || columns > MYSQL_COLUMNS_MAX)
		return false;
	message_add_textf(mysql->response, ATTR_STATEMENT, "%lu", id);
	mysql->preparing = NULL;
	if (statement) {
		statement->params = (size_t)params;
		mysql_put_statement(mysql, id, statement);
		mysql->running = statement;
	}
	mysql->is_params = params > 0;
	mysql->left = params ? params : columns;
	mysql->columns_left = params ? columns : 0;
	mysql->expect = EXPECT_DEFINITIONS;
	if (!mysql->left)
		mysql_end(channel, NULL);
	return true;
}

static void add_definition(struct mysql *mysql, struct message *response, struct span payload)
{
	struct reader reader = reader_of(payload);
	struct mysql_column column;
	struct span name;

	for (int i = 0; i < 4; i++)
		mysql_string(&reader);
	name = mysql_string(&reader);
	mysql_string(&reader);
	/* MariaDB may tell more of the type before what is always there. */
	if (reader_left(&reader) && *reader.at != FIXED_LEN)
		mysql_string(&reader);
	reader_take(&reader, 1 + 2 + 4);
	column.type = reader_u8(&reader);
	column.is_unsigned = reader_le(&reader, 2) & 0x20;
	if (reader.bad || mysql->is_params)
		return;
	message_add(response, ATTR_COLUMN, name);
	if (mysql->column_count < MYSQL_COLUMNS_MAX)
		mysql->columns[mysql->column_count++] = column;
}

/* The columns of a statement are remembered, as an Execute may not tell them again. */
static void end_prepare(struct channel *channel)
{
	struct mysql *mysql = channel->state;
	struct mysql_statement *statement = mysql->running;
	size_t size = mysql->column_count * sizeof(*statement->columns);

	if (statement && size && mysql->response) {
		statement->prepared = message_ref(mysql->response);
		statement->columns = own_alloc(size);
		memcpy(statement->columns, mysql->columns, size);
		statement->column_count = mysql->column_count;
	}
	mysql->column_count = 0;
	mysql_end(channel, NULL);
}

static void recall_columns(struct mysql *mysql)
{
	const struct mysql_statement *statement = mysql->running;

	if (!statement || !statement->prepared)
		return;
	memcpy(mysql->columns, statement->columns,
	       statement->column_count * sizeof(*statement->columns));
	mysql->column_count = statement->column_count;
	for (size_t i = 0; i < statement->prepared->attr_count; i++)
		if (statement->prepared->attrs[i].key == ATTR_COLUMN)
			message_add(mysql->response, ATTR_COLUMN,
				    statement->prepared->attrs[i].value);
}

static bool take_first(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;
	struct reader reader = reader_of(packet->payload);
	struct message *response;
	bool told = true;

	if (packet->payload.data[0] == HEAD_OK)
		return take_ok(channel, packet);
	response = mysql_response(channel, packet);
	if (packet->payload.data[0] == HEAD_FILE) {
		message_add(response, ATTR_ARG, span_cut(packet->payload, 1, packet->payload.len));
		mysql->sends_file = true;
		mysql->expect = EXPECT_OK;
		return true;
	}
	/* Whether definitions follow: MySQL says it before their number, MariaDB behind it. */
	if (mysql->capabilities & CAPABILITY_OPTIONAL_METADATA && packet->payload.len > 1)
		told = reader_u8(&reader);
	mysql->left = mysql_number(&reader);
	if (reader_left(&reader))
		told = reader_u8(&reader);
	mysql->column_count = 0;
	mysql->expect = EXPECT_DEFINITIONS;
	if (!told) {
		recall_columns(mysql);
		mysql->expect = mysql->capabilities & CAPABILITY_NO_EOF ? EXPECT_ROWS
									: EXPECT_DEFINITIONS_END;
	}
	return !reader.bad && mysql->left && mysql->left <= MYSQL_COLUMNS_MAX;
}

/* All definitions of one kind are there: what comes next? */
static void after_definitions(struct channel *channel)
{
	struct mysql *mysql = channel->state;

	mysql->is_params = false;
	if (mysql->columns_left) {
		mysql->left = mysql->columns_left;
		mysql->columns_left = 0;
		mysql->expect = EXPECT_DEFINITIONS;
	} else if (mysql->command == COMMAND_PREPARE) {
		end_prepare(channel);
	} else {
		mysql->expect = EXPECT_ROWS;
	}
}

static bool take_definition(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;
	struct message *response = mysql_response(channel, packet);

	/* FieldList has no count. */
	if (is_eof(packet)) {
		mysql_end(channel, NULL);
		return true;
	}
	add_definition(mysql, response, packet->payload);
	if (mysql->left == UINT64_MAX || --mysql->left)
		return true;
	mysql->expect = EXPECT_DEFINITIONS_END;
	if (mysql->known && (mysql->capabilities & CAPABILITY_NO_EOF))
		after_definitions(channel);
	return true;
}

static void add_json_text(struct buf *json, struct span text)
{
	if (utf8_valid(text.data, text.len)) {
		json_add_string(json, text.data ? (const char *)text.data : "", text.len);
		return;
	}
	buf_adds(json, "{\"b64\":\"");
	base64_add(json, text.data, text.len);
	buf_adds(json, "\"}");
}

static void add_text_row(struct mysql *mysql, struct reader *reader)
{
	for (size_t i = 0; i < mysql->column_count && reader_left(reader); i++) {
		if (i)
			buf_addc(&mysql->json, ',');
		if (*reader->at == 0xfb) {
			reader_u8(reader);
			buf_adds(&mysql->json, "null");
		} else {
			add_json_text(&mysql->json, mysql_string(reader));
		}
	}
}

/* Binary rows begin with 0 and a bitmap of nulls that leaves out two bits. */
static void add_binary_row(struct mysql *mysql, struct reader *reader)
{
	struct span nulls;

	reader_u8(reader);
	nulls = reader_take(reader, (mysql->column_count + 9) / 8);
	for (size_t i = 0; i < mysql->column_count && !reader->bad; i++) {
		struct buf text auto_buf = { 0 };

		if (i)
			buf_addc(&mysql->json, ',');
		if (nulls.data[(i + 2) / 8] & 1U << (i + 2) % 8)
			buf_adds(&mysql->json, "null");
		else if (mysql_add_binary(&text, reader, &mysql->columns[i]))
			add_json_text(&mysql->json, span_of(text.data, text.len));
		else
			buf_adds(&mysql->json, "null");
	}
}

static bool take_row(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;
	struct message *response = mysql_response(channel, packet);
	struct reader reader = reader_of(packet->payload);
	bool binary = mysql->command == COMMAND_EXECUTE || mysql->command == COMMAND_FETCH;

	if (is_eof(packet)) {
		reader_take(&reader, 3);
		end_result(channel, (uint16_t)reader_le(&reader, 2));
		return true;
	}
	if (packet->payload.data[0] == HEAD_EOF && packet->full < 0xffffff) {
		reader_u8(&reader);
		end_result(channel, mysql_add_ok(mysql, response, &reader));
		return true;
	}
	mysql->rows++;
	response->body.cut |= packet->full > packet->payload.len;
	if (mysql->json.len >= channel_body_max(channel)) {
		response->body.cut = true;
		return true;
	}
	buf_adds(&mysql->json, mysql->json.len ? ",[" : "[[");
	if (binary)
		add_binary_row(mysql, &reader);
	else
		add_text_row(mysql, &reader);
	buf_addc(&mysql->json, ']');
	return true;
}

/* With older servers an EOF stands behind the definitions; in mid-connection we do not know. */
static bool take_definitions_end(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;
	struct reader reader = reader_of(packet->payload);
	bool eof = is_eof(packet);
	uint16_t status;

	if (!eof && mysql->known)
		return false;
	reader_take(&reader, 3);
	status = eof ? (uint16_t)reader_le(&reader, 2) : 0;
	mysql_response(channel, packet);
	after_definitions(channel);
	if (status & STATUS_CURSOR && mysql->expect == EXPECT_ROWS)
		mysql_end(channel, NULL);
	if (eof || mysql->expect == EXPECT_NOTHING)
		return true;
	return mysql_result(channel, packet);
}

static bool take_text(struct channel *channel, const struct mysql_packet *packet)
{
	channel_content(channel, mysql_response(channel, packet), packet->payload);
	mysql_end(channel, NULL);
	return true;
}

bool mysql_result(struct channel *channel, const struct mysql_packet *packet)
{
	struct mysql *mysql = channel->state;

	if (!packet->payload.len)
		return mysql->expect == EXPECT_TEXT && take_text(channel, packet);
	if (packet->payload.data[0] == HEAD_ERROR && mysql->expect != EXPECT_TEXT)
		return take_error(channel, packet);
	switch (mysql->expect) {
	case EXPECT_NOTHING:
		/* The end of what we have only seen a part of. */
		return !channel->fresh;
	case EXPECT_FIRST:
		return take_first(channel, packet);
	case EXPECT_OK:
		return take_ok(channel, packet);
	case EXPECT_TEXT:
		return take_text(channel, packet);
	case EXPECT_PREPARED:
		return take_prepared(channel, packet);
	case EXPECT_DEFINITIONS:
		return take_definition(channel, packet);
	case EXPECT_DEFINITIONS_END:
		return take_definitions_end(channel, packet);
	case EXPECT_ROWS:
		return take_row(channel, packet);
	}
	return false;
}
