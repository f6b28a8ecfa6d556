/* What PostgreSQL's clients say. */
#include "base/own.h"
#include "decode/limits.h"
#include "decode/postgres.h"

#include <inttypes.h>

static struct message *new_request(struct channel *channel, const struct pg_message *message,
				   enum message_kind kind, const char *command)
{
	struct message *request = channel_message(channel, kind, message->dir);

	channel_note(channel, request, message->whole);
	message_add_text(request, ATTR_COMMAND, command);
	if (message->full > message->payload.len)
		request->flags |= MESSAGE_TRUNCATED;
	return request;
}

static void push_request(struct channel *channel, struct step step, struct message *request)
{
	step.exchange = channel_exchange(channel);
	channel_request(step.exchange, request);
	postgres_push_step(channel, step);
	channel_emit(channel, request);
}

bool postgres_startup(struct channel *channel, const struct pg_message *message)
{
	struct postgres *pg = channel->state;
	struct message *request = new_request(channel, message, MESSAGE_REQUEST, "Startup");
	struct reader reader = reader_of(message->payload);

	while (reader_left(&reader) > 1) {
		struct span name = reader_string(&reader), value = reader_string(&reader);

		if (reader.bad || !name.len)
			break;
		if (span_equal(name, SPAN("user")))
			message_add(request, ATTR_USER, value);
		else if (span_equal(name, SPAN("database")))
			message_add(request, ATTR_DATABASE, value);
		else
			message_add_pair(request, ATTR_PARAMETER, name, value);
	}
	pg->started = true;
	push_request(channel, (struct step){ .kind = STEP_STARTUP }, request);
	return !reader.bad;
}

/* FNV-1a: names are only told apart. */
static uint64_t hash_of(struct span name)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ name.data[i]) * 0x100000001b3;
	return hash;
}

/* A query cut at FRAME_KEPT has no NUL at its end. */
static struct span read_text(struct reader *reader)
{
	struct span text = reader_string(reader);

	reader->bad = false;
	return text;
}

static bool take_query(struct channel *channel, const struct pg_message *message)
{
	struct reader reader = reader_of(message->payload);
	struct message *request = new_request(channel, message, MESSAGE_REQUEST, "Query");

	message_add_cut(request, ATTR_SQL, read_text(&reader),
			message->full ? message->full - 1 : 0);
	push_request(channel, (struct step){ .kind = 'Q' }, request);
	return true;
}

static struct statement *add_statement(struct postgres *pg, struct span name, struct span sql)
{
	struct statement *statement;

	sql = span_cut(sql, 0, STATEMENT_MAX);
	statement = own_zalloc(sizeof(*statement) + sql.len);
	if (sql.len)
		memcpy(statement + 1, sql.data, sql.len);
	statement->sql = span_of(statement + 1, sql.len);
	if (map_count(&pg->statements) == STATEMENTS_MAX)
		free(map_take(&pg->statements, map_key(map_first(&pg->statements))));
	free(map_put(&pg->statements, hash_of(name), statement));
	return statement;
}

static bool take_parse(struct channel *channel, const struct pg_message *message)
{
	struct postgres *pg = channel->state;
	struct reader reader = reader_of(message->payload);
	struct span name = reader_string(&reader), sql = read_text(&reader);
	struct message *request = new_request(channel, message, MESSAGE_REQUEST, "Parse");
	struct statement *statement = add_statement(pg, name, sql);
	size_t count = reader_u16(&reader);

	for (size_t i = 0; i < count && i < sizeof(statement->types) / sizeof(uint32_t); i++)
		statement->types[statement->type_count++] = reader_u32(&reader);
	message_add(request, ATTR_SQL, sql);
	if (name.len)
		message_add(request, ATTR_STATEMENT, name);
	push_request(channel, (struct step){ .kind = 'P' }, request);
	return true;
}

static struct portal *add_portal(struct postgres *pg, struct span name)
{
	struct portal *portal = map_get(&pg->portals, hash_of(name));

	if (!portal && map_count(&pg->portals) == STATEMENTS_MAX) {
		portal = map_take(&pg->portals, map_key(map_first(&pg->portals)));
		message_unref(portal->args);
		free(portal);
		portal = NULL;
	}
	if (!portal) {
		portal = own_zalloc(sizeof(*portal));
		map_put(&pg->portals, hash_of(name), portal);
	}
	message_unref(portal->args);
	*portal = (struct portal){ 0 };
	return portal;
}

/* Format codes: none means text, one is for all of them. */
static bool is_binary(struct span codes, size_t index)
{
	if (codes.len == 2)
		index = 0;
	return index * 2 + 1 < codes.len && codes.data[index * 2 + 1];
}

static bool take_bind(struct channel *channel, const struct pg_message *message)
{
	struct postgres *pg = channel->state;
	struct reader reader = reader_of(message->payload);
	struct portal *portal = add_portal(pg, reader_string(&reader));
	struct span name = reader_string(&reader), formats, results;
	const struct statement *statement = map_get(&pg->statements, hash_of(name));
	size_t count;

	portal->statement = hash_of(name);
	portal->args = channel_message(channel, MESSAGE_REQUEST, message->dir);
	if (name.len)
		message_add(portal->args, ATTR_STATEMENT, name);
	formats = reader_take(&reader, 2UL * reader_u16(&reader));
	count = reader_u16(&reader);
	for (size_t i = 0; i < count && !reader.bad; i++) {
		uint32_t len = reader_u32(&reader);
		struct span value =
			len == UINT32_MAX ? (struct span){ 0 } : reader_take(&reader, len);
		uint32_t type = statement && i < statement->type_count ? statement->types[i] : 0;
		struct buf text auto_buf = { 0 };

		if (reader.bad)
			break;
		postgres_add_value(&text, span_cut(value, 0, VALUE_MAX), type,
				   is_binary(formats, i));
		if (len == UINT32_MAX)
			message_add_null(portal->args, ATTR_ARG);
		else
			message_add_cut(portal->args, ATTR_ARG, span_of(text.data, text.len),
					value.len > VALUE_MAX ? value.len : text.len);
	}
	results = reader_take(&reader, 2UL * reader_u16(&reader));
	portal->binary = is_binary(results, 0);
	postgres_push_step(channel, (struct step){ .kind = 'B' });
	return true;
}

static bool take_execute(struct channel *channel, const struct pg_message *message)
{
	struct postgres *pg = channel->state;
	struct reader reader = reader_of(message->payload);
	struct span name = reader_string(&reader);
	const struct portal *portal = map_get(&pg->portals, hash_of(name));
	const struct statement *statement =
		portal ? map_get(&pg->statements, portal->statement) : NULL;
	struct message *request = new_request(channel, message, MESSAGE_REQUEST, "Execute");

	if (statement)
		message_add(request, ATTR_SQL, statement->sql);
	if (name.len)
		message_add(request, ATTR_PORTAL, name);
	for (size_t i = 0; portal && i < portal->args->attr_count; i++) {
		const struct attr *attr = &portal->args->attrs[i];

		message_add_cut(request, attr->key, attr->value, attr->full);
	}
	push_request(channel, (struct step){ .kind = 'E', .binary = portal && portal->binary },
		     request);
	return true;
}

/* Data of COPY … FROM STDIN are one message, up to CopyDone or CopyFail. */
static bool take_copy(struct channel *channel, const struct pg_message *message)
{
	struct postgres *pg = channel->state;
	const struct step *step = postgres_first_step(pg);

	if (!pg->copy) {
		pg->copy = channel_message(channel, MESSAGE_ONEWAY, message->dir);
		message_add_text(pg->copy, ATTR_COMMAND, "CopyData");
		if (step && step->exchange)
			pg->copy->exchange = step->exchange->number;
	}
	channel_note(channel, pg->copy, message->whole);
	if (message->type == 'd') {
		channel_content(channel, pg->copy, message->payload);
		if (message->full > message->payload.len)
			channel_body_lost(channel, pg->copy, message->full - message->payload.len);
		return true;
	}
	if (message->type == 'f')
		message_add(pg->copy, ATTR_ERROR, span_trim(message->payload, ""));
	channel_emit(channel, pg->copy);
	pg->copy = NULL;
	return true;
}

/* Passwords are not for messages; that one was sent is. */
static bool take_password(struct channel *channel, const struct pg_message *message)
{
	struct postgres *pg = channel->state;
	const struct step *step = postgres_first_step(pg);
	struct message *request = new_request(channel, message, MESSAGE_ONEWAY, "Password");

	if (step && step->exchange)
		request->exchange = step->exchange->number;
	channel_emit(channel, request);
	return true;
}

static bool take_function(struct channel *channel, const struct pg_message *message)
{
	push_request(channel, (struct step){ .kind = 'F' },
		     new_request(channel, message, MESSAGE_REQUEST, "FunctionCall"));
	return true;
}

static bool take_step(struct channel *channel, const struct pg_message *message)
{
	postgres_push_step(channel, (struct step){ .kind = message->type });
	return true;
}

static bool take_nothing(struct channel *channel, const struct pg_message *message)
{
	(void)channel;
	(void)message;
	return true;
}

static const struct {
	char type;
	bool (*take)(struct channel *channel, const struct pg_message *message);
} client_rows[] = {
	{ 'Q', take_query },    { 'P', take_parse },    { 'B', take_bind }, { 'E', take_execute },
	{ 'D', take_step },     { 'C', take_step },     { 'S', take_step }, { 'H', take_nothing },
	{ 'X', take_nothing },  { 'd', take_copy },     { 'c', take_copy }, { 'f', take_copy },
	{ 'F', take_function }, { 'p', take_password },
};

bool postgres_client(struct channel *channel, const struct pg_message *message)
{
	for (size_t i = 0; i < sizeof(client_rows) / sizeof(client_rows[0]); i++)
		if (client_rows[i].type == message->type)
			return client_rows[i].take(channel, message);
	return false;
}

void postgres_close_client(struct channel *channel, const char *why)
{
	struct postgres *pg = channel->state;

	if (!pg->copy)
		return;
	message_cut(pg->copy, why);
	channel_emit(channel, pg->copy);
	pg->copy = NULL;
}

/* pg_type.dat */
enum {
	TYPE_BOOL = 16,
	TYPE_CHAR = 18,
	TYPE_NAME = 19,
	TYPE_INT8 = 20,
	TYPE_INT2 = 21,
	TYPE_INT4 = 23,
	TYPE_TEXT = 25,
	TYPE_OID = 26,
	TYPE_JSON = 114,
	TYPE_UNKNOWN = 705,
	TYPE_BPCHAR = 1042,
	TYPE_VARCHAR = 1043,
};

static bool is_text_type(uint32_t type)
{
	return type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_BPCHAR ||
	       type == TYPE_NAME || type == TYPE_UNKNOWN || type == TYPE_JSON || type == TYPE_CHAR;
}

void postgres_add_value(struct buf *out, struct span value, uint32_t type, bool binary)
{
	struct reader reader = reader_of(value);

	if (!binary || is_text_type(type))
		buf_add(out, value.data, value.len);
	else if (type == TYPE_INT8 && value.len == 8)
		buf_addi(out, (int64_t)reader_be(&reader, 8));
	else if ((type == TYPE_INT4 || type == TYPE_OID) && value.len == 4)
		buf_addi(out, (int32_t)reader_u32(&reader));
	else if (type == TYPE_INT2 && value.len == 2)
		buf_addi(out, (int16_t)reader_u16(&reader));
	else if (type == TYPE_BOOL && value.len == 1)
		buf_adds(out, value.data[0] ? "t" : "f");
	else
		buf_adds(out, "\\x");
	if (out->len != 2 || out->data[0] != '\\')
		return;
	for (size_t i = 0; i < value.len; i++)
		buf_addf(out, "%02x", value.data[i]);
}
