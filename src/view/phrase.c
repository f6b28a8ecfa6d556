#include "view/phrase.h"

#include "sink/hexdump.h"

#include <string.h>

/* Bytes of one value on a line. */
#define VALUE_SHOWN 300
#define ARG_SHOWN   80
#define ARGS_SHOWN  12
#define LIST_SHOWN  4

/* A body that is a word rather than a document. */
#define CONTENT_SHOWN 64

const char *const phrase_protocols[PROTOCOLS] = {
	[PROTOCOL_DATA] = "data",
	[PROTOCOL_HTTP1] = "HTTP",
	[PROTOCOL_HTTP2] = "HTTP/2",
	[PROTOCOL_GRPC] = "gRPC",
	[PROTOCOL_WEBSOCKET] = "WebSocket",
	[PROTOCOL_DNS] = "DNS",
	[PROTOCOL_TLS] = "TLS",
	[PROTOCOL_REDIS] = "Redis",
	[PROTOCOL_POSTGRES] = "PostgreSQL",
	[PROTOCOL_MYSQL] = "MySQL",
	[PROTOCOL_SMTP] = "SMTP",
};

static const char blanks[] = " \t\r\n\f\v";

static bool is_blank(uint8_t c)
{
	return c && strchr(blanks, c);
}

void phrase_add_value(struct buf *buf, struct span value, size_t max)
{
	struct span rest = span_trim(value, blanks);
	bool cut = rest.len > max;
	size_t word;

	if (cut)
		rest.len = max;
	/* A character is shown whole or not at all. */
	for (int i = 0; cut && i < 3 && rest.len && (rest.data[rest.len] & 0xc0) == 0x80; i++)
		rest.len--;
	while (rest.len) {
		for (word = 0; word < rest.len && !is_blank(rest.data[word]);)
			word++;
		payload_add_line(buf, rest.data, word);
		rest = span_cut(rest, word, rest.len);
		if (rest.len)
			buf_addc(buf, ' ');
		while (rest.len && is_blank(rest.data[0]))
			rest = span_cut(rest, 1, rest.len);
	}
	if (cut)
		buf_adds(buf, "…");
}

void phrase_add_size(struct buf *buf, uint64_t bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)bytes / 1000;
	size_t unit = 0;

	if (bytes < 10000) {
		buf_addf(buf, "%lu B", bytes);
		return;
	}
	for (; value >= 999.95 && unit < 5; unit++)
		value /= 1000;
	buf_addf(buf, "%.1f %s", value, units[unit]);
}

void phrase_add_time(struct buf *buf, uint64_t ns)
{
	if (ns < 1000000)
		buf_addf(buf, "%lu us", ns / 1000);
	else if (ns < 100000000)
		buf_addf(buf, "%.1f ms", (double)ns / 1e6);
	else if (ns < 10000000000)
		buf_addf(buf, "%lu ms", ns / 1000000);
	else
		buf_addf(buf, "%.1f s", (double)ns / 1e9);
}

void phrase_add_body(struct buf *buf, const struct body *body)
{
	phrase_add_size(buf, body->wire);
	if (!body->coding)
		return;
	buf_addc(buf, ' ');
	phrase_add_value(buf, span_text(body->coding), ARG_SHOWN);
	if (body->decoded && !body->cut) {
		buf_adds(buf, " of ");
		phrase_add_size(buf, body->len);
	}
}

/* Adds an attribute behind a text (a blank, mostly), if there is one. */
static bool add_attr(struct buf *buf, const char *before, const struct message *message,
		     enum attr_key key)
{
	const struct attr *attr = message_attr(message, key);

	if (!attr || (attr_rows[key].shape != SHAPE_NUMBER && !attr->value.len))
		return false;
	buf_adds(buf, before);
	if (attr_rows[key].shape == SHAPE_NUMBER)
		buf_addu(buf, attr->number);
	else
		phrase_add_value(buf, attr->value, VALUE_SHOWN);
	return true;
}

static void add_list(struct buf *buf, const char *before, const struct message *message,
		     enum attr_key key, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < message->attr_count; i++) {
		const struct attr *attr = &message->attrs[i];

		if (attr->key != key || count++ >= max)
			continue;
		buf_adds(buf, count == 1 ? before : attr->key == ATTR_ARG ? " " : ", ");
		if (attr->full == ATTR_NULL)
			buf_adds(buf, "NULL");
		else if (attr->value.len)
			phrase_add_value(buf, attr->value, ARG_SHOWN);
		else
			buf_adds(buf, "\"\"");
	}
	if (count > max)
		buf_addf(buf, ", %lu more", count - max);
}

static void http_message(struct buf *buf, const struct message *message)
{
	if (message->kind == MESSAGE_REQUEST) {
		add_attr(buf, "", message, ATTR_METHOD);
		if (!add_attr(buf, " ", message, ATTR_URL))
			add_attr(buf, " ", message, ATTR_TARGET);
		return;
	}
	buf_adds(buf, phrase_protocols[message->protocol]);
	add_attr(buf, " ", message, ATTR_COMMAND);
	add_attr(buf, " ", message, ATTR_STATUS);
	add_attr(buf, " ", message, ATTR_ERROR_CODE);
	add_attr(buf, ": ", message, ATTR_ERROR);
}

static void http_result(struct buf *buf, const struct exchange *exchange)
{
	add_attr(buf, "", exchange->response, ATTR_STATUS);
	add_attr(buf, " ", exchange->response, ATTR_REASON);
}

static bool http_failed(const struct message *response)
{
	return message_number(response, ATTR_STATUS, 0) >= 400;
}

static void grpc_message(struct buf *buf, const struct message *message)
{
	if (message->kind == MESSAGE_REQUEST) {
		buf_adds(buf, "gRPC ");
		if (!add_attr(buf, "", message, ATTR_URL))
			add_attr(buf, "", message, ATTR_TARGET);
		return;
	}
	add_attr(buf, "gRPC ", message, ATTR_SERVICE);
	add_attr(buf, "/", message, ATTR_RPC);
	buf_adds(buf, " message");
}

static void grpc_result(struct buf *buf, const struct exchange *exchange)
{
	const struct message *response = exchange->response;
	uint64_t status = message_number(response, ATTR_GRPC_STATUS, UINT64_MAX);

	if (!status)
		buf_adds(buf, "OK");
	else if (status == UINT64_MAX)
		http_result(buf, exchange);
	else if (!add_attr(buf, "", response, ATTR_ERROR_CODE))
		buf_addf(buf, "status %lu", status);
	add_attr(buf, ": ", response, ATTR_ERROR);
	if (exchange->parts[DIR_OUT] > 1 || exchange->parts[DIR_IN] > 1)
		buf_addf(buf, ", %lu messages out and %lu in", exchange->parts[DIR_OUT],
			 exchange->parts[DIR_IN]);
}

static bool grpc_failed(const struct message *response)
{
	return message_number(response, ATTR_GRPC_STATUS, 0) != 0 || http_failed(response);
}

bool phrase_add_content(struct buf *buf, const struct message *message)
{
	const struct body *body = &message->body;
	struct span kept = span_of(body->kept.data, body->kept.len);
	bool short_one = body->present && !body->cut && kept.len && kept.len <= CONTENT_SHOWN;

	if (message->protocol != PROTOCOL_REDIS && message->protocol != PROTOCOL_WEBSOCKET)
		return false;
	if (!short_one || !payload_is_text(kept.data, kept.len))
		return false;
	phrase_add_value(buf, kept, CONTENT_SHOWN);
	return true;
}

static void websocket_message(struct buf *buf, const struct message *message)
{
	struct buf content auto_buf = { 0 };

	buf_adds(buf, "WebSocket");
	add_attr(buf, " ", message, ATTR_OPCODE);
	add_attr(buf, " ", message, ATTR_CODE);
	add_attr(buf, " ", message, ATTR_REASON);
	phrase_add_content(&content, message);
	if (content.len)
		buf_addf(buf, " %s", buf_cstr(&content));
}

static void dns_message(struct buf *buf, const struct message *message)
{
	const char *command = "DNS";
	struct span opcode = message_value(message, ATTR_COMMAND);

	buf_adds(buf, command);
	if (opcode.len && !span_equal(opcode, SPAN("QUERY")))
		add_attr(buf, " ", message, ATTR_COMMAND);
	add_list(buf, " ", message, ATTR_QUESTION, LIST_SHOWN);
}

/* "name 300 A 192.0.2.1": the type and what follows. */
static struct span answer_of(struct span record)
{
	span_split(&record, ' ');
	span_split(&record, ' ');
	return record;
}

static void dns_result(struct buf *buf, const struct exchange *exchange)
{
	const struct message *response = exchange->response;
	size_t count = 0;

	add_attr(buf, "", response, ATTR_RCODE);
	for (size_t i = 0; i < response->attr_count; i++) {
		const struct attr *attr = &response->attrs[i];

		if (attr->key != ATTR_ANSWER || count++ >= LIST_SHOWN)
			continue;
		buf_adds(buf, count == 1 ? " " : ", ");
		phrase_add_value(buf, answer_of(attr->value), ARG_SHOWN);
	}
	if (count > LIST_SHOWN)
		buf_addf(buf, ", %lu more", count - LIST_SHOWN);
}

static bool dns_failed(const struct message *response)
{
	struct span rcode = message_value(response, ATTR_RCODE);

	return rcode.len && !span_equal(rcode, SPAN("NOERROR"));
}

static void tls_message(struct buf *buf, const struct message *message)
{
	buf_adds(buf, "TLS");
	if (message->kind != MESSAGE_REQUEST)
		add_attr(buf, " ", message, ATTR_COMMAND);
	add_attr(buf, " ", message, ATTR_SNI);
	add_attr(buf, ": ", message, ATTR_ERROR);
}

static void tls_result(struct buf *buf, const struct exchange *exchange)
{
	const struct message *response = exchange->response;

	if (add_attr(buf, "alert ", response, ATTR_ERROR))
		return;
	add_attr(buf, "TLS ", response, ATTR_VERSION);
	add_list(buf, " ", response, ATTR_ALPN, 1);
	add_list(buf, " ", response, ATTR_CIPHER, 1);
}

static void command_message(struct buf *buf, const struct message *message)
{
	if (!add_attr(buf, "", message, ATTR_COMMAND))
		buf_adds(buf, phrase_protocols[message->protocol]);
	add_list(buf, " ", message, ATTR_ARG, ARGS_SHOWN);
	add_attr(buf, " ", message, ATTR_STATUS);
	add_list(buf, " ", message, ATTR_LINE, 1);
}

static void redis_message(struct buf *buf, const struct message *message)
{
	struct buf content auto_buf = { 0 };

	command_message(buf, message);
	/* What was published, or is pushed. */
	if (message->kind == MESSAGE_ONEWAY && phrase_add_content(&content, message))
		buf_addf(buf, " %s", buf_cstr(&content));
}

/* Databases that speak SQL. */
static void sql_message(struct buf *buf, const struct message *message)
{
	struct span command = message_value(message, ATTR_COMMAND);
	bool sql = add_attr(buf, "", message, ATTR_SQL);

	if (sql && span_equal(command, SPAN("Query")))
		return;
	if (sql) {
		buf_adds(buf, " (");
		phrase_add_value(buf, command, ARG_SHOWN);
		add_list(buf, ": ", message, ATTR_ARG, ARGS_SHOWN);
		buf_addc(buf, ')');
		return;
	}
	command_message(buf, message);
	add_attr(buf, " user ", message, ATTR_USER);
	add_attr(buf, " database ", message, ATTR_DATABASE);
	add_list(buf, " ", message, ATTR_NOTICE, 1);
}

static void sql_result(struct buf *buf, const struct exchange *exchange)
{
	const struct message *response = exchange->response;
	uint64_t rows = message_number(response, ATTR_ROWS, UINT64_MAX);
	bool failed = message_attr(response, ATTR_ERROR) != NULL;

	if (failed) {
		buf_adds(buf, "error");
		add_attr(buf, " ", response, ATTR_ERROR_CODE);
		add_attr(buf, " ", response, ATTR_ERROR);
	} else if (rows != UINT64_MAX) {
		buf_addf(buf, "%lu row%s", rows, rows == 1 ? "" : "s");
	} else if (add_attr(buf, "", response, ATTR_AFFECTED)) {
		buf_adds(buf, " affected");
	} else if (message_attr(response, ATTR_TAG)) {
		add_list(buf, "", response, ATTR_TAG, LIST_SHOWN);
	} else if (!add_attr(buf, "", response, ATTR_TYPE)) {
		buf_adds(buf, "done");
	}
}

static bool any_failed(const struct message *response)
{
	return message_attr(response, ATTR_ERROR) != NULL;
}

static void redis_result(struct buf *buf, const struct exchange *exchange)
{
	const struct message *response = exchange->response;

	if (add_attr(buf, "error ", response, ATTR_ERROR) || phrase_add_content(buf, response))
		return;
	add_attr(buf, "", response, ATTR_TYPE);
	add_attr(buf, " of ", response, ATTR_ROWS);
}

static void smtp_result(struct buf *buf, const struct exchange *exchange)
{
	add_attr(buf, "", exchange->response, ATTR_STATUS);
	add_list(buf, " ", exchange->response, ATTR_LINE, 1);
}

struct row {
	void (*message)(struct buf *buf, const struct message *message);
	void (*result)(struct buf *buf, const struct exchange *exchange);
	bool (*failed)(const struct message *response);
};

static const struct row rows[PROTOCOLS] = {
	[PROTOCOL_DATA] = { command_message, NULL, NULL },
	[PROTOCOL_HTTP1] = { http_message, http_result, http_failed },
	[PROTOCOL_HTTP2] = { http_message, http_result, http_failed },
	[PROTOCOL_GRPC] = { grpc_message, grpc_result, grpc_failed },
	[PROTOCOL_WEBSOCKET] = { websocket_message, NULL, NULL },
	[PROTOCOL_DNS] = { dns_message, dns_result, dns_failed },
	[PROTOCOL_TLS] = { tls_message, tls_result, any_failed },
	[PROTOCOL_REDIS] = { redis_message, redis_result, any_failed },
	[PROTOCOL_POSTGRES] = { sql_message, sql_result, any_failed },
	[PROTOCOL_MYSQL] = { sql_message, sql_result, any_failed },
	[PROTOCOL_SMTP] = { command_message, smtp_result, http_failed },
};

void phrase_message(struct buf *buf, const struct message *message)
{
	rows[message->protocol].message(buf, message);
}

void phrase_result(struct buf *buf, const struct exchange *exchange)
{
	enum protocol protocol =
		exchange->response ? exchange->response->protocol : exchange->protocol;

	if (!exchange->response)
		buf_addf(buf, "no answer%s%s", exchange->why ? ": " : "",
			 exchange->why ? exchange->why : "");
	else if (rows[protocol].result)
		rows[protocol].result(buf, exchange);
}

bool phrase_is_failure(const struct exchange *exchange)
{
	const struct message *response = exchange->response;

	if (!response)
		return true;
	return rows[response->protocol].failed && rows[response->protocol].failed(response);
}
