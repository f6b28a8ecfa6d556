/* What PostgreSQL's servers answer: the messages up to the end of a step are one response. */
#include "base/base64.h"
#include "base/json.h"
#include "base/utf8.h"
#include "decode/limits.h"
#include "decode/postgres.h"

static const char skipped[] = "it was skipped after an error";

/* The response that is open; one is begun where there is none. */
static struct message *response_for(struct channel *channel, const struct pg_message *message)
{
	struct postgres *pg = channel->state;

	if (!pg->response) {
		pg->response = channel_message(channel, MESSAGE_RESPONSE, message->dir);
		pg->rows = 0;
	}
	channel_note(channel, pg->response, message->whole);
	return pg->response;
}

/* What Describe has told of the columns is said of the Execute that brings them. */
static void add_described(struct postgres *pg, struct message *response)
{
	const struct message *described = pg->described;

	if (!described || message_attr(response, ATTR_COLUMN))
		return;
	for (size_t i = 0; i < described->attr_count; i++)
		if (described->attrs[i].key == ATTR_COLUMN)
			message_add(response, ATTR_COLUMN, described->attrs[i].value);
}

void postgres_end_response(struct channel *channel, const char *why)
{
	struct postgres *pg = channel->state;
	struct message *response = pg->response;
	struct step *step = postgres_first_step(pg);

	if (!response)
		return;
	pg->response = NULL;
	if (why)
		message_cut(response, why);
	if (step && step->kind == 'E')
		add_described(pg, response);
	if (pg->rows || message_attr(response, ATTR_COLUMN))
		message_add_number(response, ATTR_ROWS, pg->rows);
	if (pg->json.len) {
		buf_addc(&pg->json, ']');
		channel_content(channel, response, span_of(pg->json.data, pg->json.len));
		pg->json.len = 0;
	}
	pg->rows = 0;
	if (step && !step->exchange)
		step->exchange = channel_exchange(channel);
	if (step)
		channel_response(step->exchange, response);
	channel_emit(channel, response);
}

/*
 * An error in a step that is no exchange of its own (Bind, Describe) is that of the Execute behind it: the
 * steps before that are over.
 */
static void skip_to_execute(struct channel *channel)
{
	struct postgres *pg = channel->state;
	struct steps *steps = &pg->steps;
	size_t ahead;

	for (ahead = 0; ahead < steps->count; ahead++) {
		const struct step *step = &steps->items[(steps->head + ahead) % steps->room];

		if (strchr("SQF*", step->kind))
			return;
		if (step->exchange)
			break;
	}
	while (ahead && ahead < steps->count && ahead--)
		postgres_end_step(channel, NULL);
}

/* The first step is over, and so is its response, where it is worth one. */
static void end_step(struct channel *channel)
{
	struct postgres *pg = channel->state;
	struct step *step = postgres_first_step(pg);

	if (pg->response && step && !step->exchange && !message_attr(pg->response, ATTR_ERROR)) {
		channel_drop(channel, pg->described);
		pg->described = pg->response;
		pg->response = NULL;
	}
	postgres_end_response(channel, NULL);
	if (step)
		postgres_end_step(channel, NULL);
}

static bool take_authentication(struct channel *channel, const struct pg_message *message)
{
	static const char *const methods[] = {
		[2] = "Kerberos 5", [3] = "cleartext password",
		[5] = "MD5",        [7] = "GSSAPI",
		[9] = "SSPI",       [10] = "SASL",
	};
	struct message *response = response_for(channel, message);
	struct reader reader = reader_of(message->payload);
	uint32_t method = reader_u32(&reader);

	if (method < sizeof(methods) / sizeof(methods[0]) && methods[method])
		message_add_pair(response, ATTR_PARAMETER, SPAN("authentication"),
				 span_text(methods[method]));
	return true;
}

/* Sent at the start, and whenever the user changes one. */
static bool take_parameter(struct channel *channel, const struct pg_message *message)
{
	struct postgres *pg = channel->state;
	const struct step *step = postgres_first_step(pg);
	struct reader reader = reader_of(message->payload);
	struct span name = reader_string(&reader), value = reader_string(&reader);

	if (step && step->kind == STEP_STARTUP)
		message_add_pair(response_for(channel, message), ATTR_PARAMETER, name, value);
	return true;
}

/* ReadyForQuery: all up to a Sync, or the one simple query, is answered. */
static bool take_ready(struct channel *channel, const struct pg_message *message)
{
	struct postgres *pg = channel->state;
	struct step *step;

	channel_drop(channel, pg->described);
	pg->described = NULL;
	if (pg->response)
		channel_note(channel, pg->response, message->whole);
	if (!pg->steps.count)
		postgres_end_response(channel, NULL);
	while ((step = postgres_first_step(pg))) {
		bool last = strchr("QSF*", step->kind) != NULL;

		if (last) {
			end_step(channel);
			break;
		}
		postgres_end_response(channel, NULL);
		postgres_end_step(channel, skipped);
	}
	return true;
}

static bool take_columns(struct channel *channel, const struct pg_message *message)
{
	struct postgres *pg = channel->state;
	struct message *response = response_for(channel, message);
	struct reader reader = reader_of(message->payload);
	size_t count = reader_u16(&reader);
	struct step *step = postgres_first_step(pg);

	pg->column_count = 0;
	for (size_t i = 0; i < count && i < COLUMNS_MAX && reader_left(&reader); i++) {
		struct span name = reader_string(&reader);
		struct column column;

		reader_take(&reader, 6);
		column.type = reader_u32(&reader);
		reader_take(&reader, 6);
		column.binary = reader_u16(&reader) == 1;
		if (reader.bad)
			break;
		message_add(response, ATTR_COLUMN, name);
		pg->columns[pg->column_count++] = column;
	}
	/* The answer to a Describe. */
	if (step && step->kind == 'D')
		end_step(channel);
	return true;
}

static void add_json_value(struct buf *json, struct span value, const struct column *column)
{
	struct buf text auto_buf = { 0 };

	postgres_add_value(&text, value, column->type, column->binary);
	if (utf8_valid(text.data, text.len)) {
		json_add_string(json, text.data ? text.data : "", text.len);
		return;
	}
	buf_adds(json, "{\"b64\":\"");
	base64_add(json, text.data, text.len);
	buf_adds(json, "\"}");
}

static void add_row(struct postgres *pg, struct span row, bool binary)
{
	struct reader reader = reader_of(row);
	size_t count = reader_u16(&reader);

	buf_addc(&pg->json, pg->json.len ? ',' : '[');
	buf_addc(&pg->json, '[');
	for (size_t i = 0; i < count && !reader.bad; i++) {
		uint32_t len = reader_u32(&reader);
		struct column column = { 0 };

		if (reader.bad)
			break;
		if (i < pg->column_count)
			column = pg->columns[i];
		column.binary |= binary;
		if (i)
			buf_addc(&pg->json, ',');
		if (len == UINT32_MAX)
			buf_adds(&pg->json, "null");
		else
			add_json_value(&pg->json,
				       len > reader_left(&reader) ? reader_rest(&reader)
								  : reader_take(&reader, len),
				       &column);
	}
	buf_addc(&pg->json, ']');
}

static bool take_row(struct channel *channel, const struct pg_message *message)
{
	struct postgres *pg = channel->state;
	struct message *response = response_for(channel, message);
	const struct step *step = postgres_first_step(pg);

	pg->rows++;
	if (pg->json.len < channel_body_max(channel))
		add_row(pg, message->payload, step && step->binary);
	else
		response->body.cut = true;
	response->body.cut |= message->full > message->payload.len;
	return true;
}

/* The rows that a command has changed stand at the end of its tag: "INSERT 0 3". */
static void add_affected(struct message *response, struct span tag)
{
	struct span word = { 0 }, rest = tag;
	uint64_t count;

	while (rest.len)
		word = span_split(&rest, ' ');
	if (!span_starts(tag, SPAN("SELECT")) && !span_starts(tag, SPAN("FETCH")) &&
	    span_number(word, 10, &count))
		message_add_number(response, ATTR_AFFECTED, count);
}

static bool take_complete(struct channel *channel, const struct pg_message *message)
{
	struct postgres *pg = channel->state;
	struct message *response = response_for(channel, message);
	struct reader reader = reader_of(message->payload);
	struct span tag = reader_string(&reader);
	const struct step *step = postgres_first_step(pg);

	message_add(response, ATTR_TAG, tag);
	add_affected(response, tag);
	if (step && step->kind == 'E')
		end_step(channel);
	return true;
}

/* EmptyQueryResponse, PortalSuspended, NoData, ParseComplete, BindComplete, CloseComplete. */
static bool take_end(struct channel *channel, const struct pg_message *message)
{
	static const struct {
		char type, step;
		const char *tag;
	} ends[] = { { 'I', 'E', "EMPTY" }, { 's', 'E', "SUSPENDED" }, { 'n', 'D', NULL },
		     { '1', 'P', NULL },    { '2', 'B', NULL },        { '3', 'C', NULL } };
	struct postgres *pg = channel->state;
	struct message *response = response_for(channel, message);
	const struct step *step = postgres_first_step(pg);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (ends[i].type != message->type)
			continue;
		if (ends[i].tag)
			message_add_text(response, ATTR_TAG, ends[i].tag);
		if (step && step->kind == ends[i].step)
			end_step(channel);
	}
	return true;
}

static void add_report(struct message *response, struct span payload, bool is_error)
{
	struct reader reader = reader_of(payload);
	struct span severity = { 0 }, text = { 0 };

	while (reader_left(&reader) > 1) {
		uint8_t kind = reader_u8(&reader);
		struct span value = reader_string(&reader);

		if (kind == 'V' || (kind == 'S' && !severity.len))
			severity = value;
		else if (kind == 'C' && is_error)
			message_add(response, ATTR_ERROR_CODE, value);
		else if (kind == 'M' && is_error)
			message_add(response, ATTR_ERROR, value);
		else if (kind == 'M')
			text = value;
		else if (kind == 'D' || kind == 'H')
			message_add_textf(response, ATTR_NOTICE, "%s: %.*s",
					  kind == 'D' ? "DETAIL" : "HINT", (int)value.len,
					  (const char *)value.data);
	}
	if (!is_error)
		message_add_textf(response, ATTR_NOTICE, "%.*s: %.*s", (int)severity.len,
				  (const char *)severity.data, (int)text.len,
				  (const char *)text.data);
	else if (!message_attr(response, ATTR_ERROR))
		message_add(response, ATTR_ERROR, severity);
}

static bool take_error(struct channel *channel, const struct pg_message *message)
{
	struct postgres *pg = channel->state;
	struct step *step = postgres_first_step(pg);

	add_report(response_for(channel, message), message->payload, true);
	/* A simple query is over with ReadyForQuery, everything else now. */
	if (!step || step->kind == 'Q' || step->kind == 'F')
		return true;
	skip_to_execute(channel);
	end_step(channel);
	while ((step = postgres_first_step(pg)) && !strchr("SQF*", step->kind))
		postgres_end_step(channel, skipped);
	return true;
}

static bool take_notice(struct channel *channel, const struct pg_message *message)
{
	struct postgres *pg = channel->state;
	struct message *notice;

	if (pg->steps.count) {
		add_report(response_for(channel, message), message->payload, false);
		return true;
	}
	notice = channel_message(channel, MESSAGE_ONEWAY, message->dir);
	channel_note(channel, notice, message->whole);
	message_add_text(notice, ATTR_COMMAND, "Notice");
	add_report(notice, message->payload, false);
	channel_emit(channel, notice);
	return true;
}

static bool take_notification(struct channel *channel, const struct pg_message *message)
{
	struct message *notification = channel_message(channel, MESSAGE_ONEWAY, message->dir);
	struct reader reader = reader_of(message->payload);

	channel_note(channel, notification, message->whole);
	reader_u32(&reader);
	message_add_text(notification, ATTR_COMMAND, "Notification");
	message_add(notification, ATTR_ARG, reader_string(&reader));
	message_add(notification, ATTR_ARG, reader_string(&reader));
	channel_emit(channel, notification);
	return true;
}

static bool take_copy_data(struct channel *channel, const struct pg_message *message)
{
	struct message *response = response_for(channel, message);

	channel_content(channel, response, message->payload);
	if (message->full > message->payload.len) {
		response->body.cut = true;
		response->body.wire += message->full - message->payload.len;
	}
	return true;
}

static bool take_part(struct channel *channel, const struct pg_message *message)
{
	response_for(channel, message);
	return true;
}

static const struct {
	char type;
	bool (*take)(struct channel *channel, const struct pg_message *message);
} server_rows[] = {
	{ 'R', take_authentication },
	{ 'S', take_parameter },
	{ 'K', take_part },
	{ 'Z', take_ready },
	{ 'T', take_columns },
	{ 'D', take_row },
	{ 'C', take_complete },
	{ 'I', take_end },
	{ 's', take_end },
	{ 'n', take_end },
	{ '1', take_end },
	{ '2', take_end },
	{ '3', take_end },
	{ 't', take_part },
	{ 'E', take_error },
	{ 'N', take_notice },
	{ 'A', take_notification },
	{ 'G', take_part },
	{ 'H', take_part },
	{ 'W', take_part },
	{ 'd', take_copy_data },
	{ 'c', take_part },
	{ 'V', take_part },
	{ 'v', take_part },
};

bool postgres_server(struct channel *channel, const struct pg_message *message)
{
	for (size_t i = 0; i < sizeof(server_rows) / sizeof(server_rows[0]); i++)
		if (server_rows[i].type == message->type)
			return server_rows[i].take(channel, message);
	return false;
}
