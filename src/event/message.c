/* The life of messages and exchanges, and the words of their public form. */
#include "event/message.h"

#include "base/own.h"

#include <stdio.h>
#include <string.h>

const char *const protocol_names[PROTOCOLS] = {
	[PROTOCOL_DATA] = "data",
	[PROTOCOL_HTTP1] = "http",
	[PROTOCOL_HTTP2] = "http2",
	[PROTOCOL_GRPC] = "grpc",
	[PROTOCOL_WEBSOCKET] = "websocket",
	[PROTOCOL_DNS] = "dns",
	[PROTOCOL_TLS] = "tls",
	[PROTOCOL_REDIS] = "redis",
	[PROTOCOL_POSTGRES] = "postgres",
	[PROTOCOL_MYSQL] = "mysql",
	[PROTOCOL_SMTP] = "smtp",
};

const char *const message_kind_names[MESSAGE_KINDS] = {
	[MESSAGE_REQUEST] = "request", [MESSAGE_RESPONSE] = "response",
	[MESSAGE_ONEWAY] = "message",  [MESSAGE_DATA] = "data",
	[MESSAGE_NOTE] = "note",
};

const char *const message_flag_names[MESSAGE_FLAGS] = { "interim", "pushed", "cut", "truncated",
							"redacted" };

const struct attr_row attr_rows[ATTR_KEYS] = {
	[ATTR_VERSION] = { "version", SHAPE_TEXT },
	[ATTR_METHOD] = { "method", SHAPE_TEXT },
	[ATTR_TARGET] = { "target", SHAPE_TEXT },
	[ATTR_HOST] = { "host", SHAPE_TEXT },
	[ATTR_URL] = { "url", SHAPE_TEXT },
	[ATTR_STATUS] = { "status", SHAPE_NUMBER },
	[ATTR_REASON] = { "reason", SHAPE_TEXT },
	[ATTR_SERVICE] = { "service", SHAPE_TEXT },
	[ATTR_RPC] = { "rpc", SHAPE_TEXT },
	[ATTR_OPCODE] = { "opcode", SHAPE_TEXT },
	[ATTR_CODE] = { "code", SHAPE_NUMBER },
	[ATTR_COMMAND] = { "command", SHAPE_TEXT },
	[ATTR_ARG] = { "args", SHAPE_LIST },
	[ATTR_LINE] = { "lines", SHAPE_LIST },
	[ATTR_SQL] = { "sql", SHAPE_TEXT },
	[ATTR_STATEMENT] = { "statement", SHAPE_TEXT },
	[ATTR_PORTAL] = { "portal", SHAPE_TEXT },
	[ATTR_USER] = { "user", SHAPE_TEXT },
	[ATTR_DATABASE] = { "database", SHAPE_TEXT },
	[ATTR_PARAMETER] = { "parameters", SHAPE_PAIRS },
	[ATTR_TYPE] = { "reply", SHAPE_TEXT },
	[ATTR_TAG] = { "tags", SHAPE_LIST },
	[ATTR_COLUMN] = { "columns", SHAPE_LIST },
	[ATTR_ROWS] = { "rows", SHAPE_NUMBER },
	[ATTR_AFFECTED] = { "affected", SHAPE_NUMBER },
	[ATTR_GRPC_STATUS] = { "grpc_status", SHAPE_NUMBER },
	[ATTR_ERROR_CODE] = { "error_code", SHAPE_TEXT },
	[ATTR_ERROR] = { "error", SHAPE_TEXT },
	[ATTR_NOTICE] = { "notices", SHAPE_LIST },
	[ATTR_ID] = { "id", SHAPE_NUMBER },
	[ATTR_RCODE] = { "rcode", SHAPE_TEXT },
	[ATTR_FLAG] = { "flags", SHAPE_LIST },
	[ATTR_QUESTION] = { "questions", SHAPE_LIST },
	[ATTR_ANSWER] = { "answers", SHAPE_LIST },
	[ATTR_AUTHORITY] = { "authorities", SHAPE_LIST },
	[ATTR_ADDITIONAL] = { "additionals", SHAPE_LIST },
	[ATTR_EDNS] = { "edns", SHAPE_TEXT },
	[ATTR_SNI] = { "sni", SHAPE_TEXT },
	[ATTR_ALPN] = { "alpn", SHAPE_LIST },
	[ATTR_CIPHER] = { "ciphers", SHAPE_LIST },
	[ATTR_RANDOM] = { "random", SHAPE_TEXT },
	[ATTR_HEADER] = { "headers", SHAPE_PAIRS },
	[ATTR_TRAILER] = { "trailers", SHAPE_PAIRS },
	[ATTR_PROTOBUF] = { "protobuf", SHAPE_TEXT },
	[ATTR_NOTE] = { "note", SHAPE_TEXT },
};

struct message *message_new(enum protocol protocol, enum message_kind kind, enum event_dir dir,
			    size_t attr_room)
{
	struct message *message = own_zalloc(sizeof(*message));

	message->refs = 1;
	message->protocol = protocol;
	message->kind = kind;
	message->dir = dir;
	message->attr_room = attr_room;
	return message;
}

struct message *message_ref(struct message *message)
{
	message->refs++;
	return message;
}

void message_unref(struct message *message)
{
	if (!message || --message->refs)
		return;
	origin_unref(message->origin);
	buf_done(&message->body.kept);
	arena_done(&message->arena);
	free(message->seqs);
	free(message->attrs);
	free(message);
}

/* A place for one more attribute that needs `room` bytes, NULL where there is none. */
static struct attr *add_attr(struct message *message, enum attr_key key, size_t room)
{
	size_t count = message->attr_count;
	struct attr *attr;

	room += sizeof(*attr);
	if (room > message->attr_room) {
		message->flags |= MESSAGE_TRUNCATED;
		return NULL;
	}
	message->attr_room -= room;
	if (!(count & (count - 1)))
		message->attrs = own_realloc(message->attrs,
					     (count ? count * 2 : 1) * sizeof(*message->attrs));
	attr = &message->attrs[message->attr_count++];
	*attr = (struct attr){ .key = key };
	return attr;
}

void message_add_cut(struct message *message, enum attr_key key, struct span value, uint64_t full)
{
	struct attr *attr = add_attr(message, key, value.len);

	if (!attr)
		return;
	attr->value = arena_copy(&message->arena, value);
	attr->full = full;
}

void message_add(struct message *message, enum attr_key key, struct span value)
{
	message_add_cut(message, key, value, value.len);
}

void message_add_null(struct message *message, enum attr_key key)
{
	message_add_cut(message, key, (struct span){ 0 }, ATTR_NULL);
}

void message_add_text(struct message *message, enum attr_key key, const char *text)
{
	message_add(message, key, span_text(text));
}

void message_add_textf(struct message *message, enum attr_key key, const char *format, ...)
{
	struct buf text auto_buf = { 0 };
	va_list args;

	va_start(args, format);
	buf_addv(&text, format, args);
	va_end(args);
	message_add(message, key, span_of(text.data, text.len));
}

void message_add_number(struct message *message, enum attr_key key, uint64_t number)
{
	struct attr *attr = add_attr(message, key, 0);

	if (attr)
		attr->number = number;
}

void message_add_pair(struct message *message, enum attr_key key, struct span name,
		      struct span value)
{
	struct attr *attr = add_attr(message, key, name.len + value.len);

	if (!attr)
		return;
	attr->name = arena_copy(&message->arena, name);
	attr->value = arena_copy(&message->arena, value);
	attr->full = value.len;
}

static void add_run(struct message *message, struct seq_run run)
{
	size_t count = message->seq_count;
	struct seq_run *last = count ? &message->seqs[count - 1] : NULL;

	if (last && run.first <= last->last + 1) {
		last->last = run.last > last->last ? run.last : last->last;
		return;
	}
	if (count == MESSAGE_SEQ_RUNS_MAX) {
		message->flags |= MESSAGE_TRUNCATED;
		return;
	}
	if (!(count & (count - 1)))
		message->seqs = own_realloc(message->seqs,
					    (count ? count * 2 : 1) * sizeof(*message->seqs));
	message->seqs[message->seq_count++] = run;
}

void message_add_seq(struct message *message, uint64_t seq)
{
	add_run(message, (struct seq_run){ seq, seq });
}

void message_absorb(struct message *message, const struct message *other)
{
	for (size_t i = 0; i < other->seq_count; i++)
		add_run(message, other->seqs[i]);
	message->bytes += other->bytes;
	message->last = other->last > message->last ? other->last : message->last;
	if (message->origin || !other->origin)
		return;
	message->origin = origin_ref(other->origin);
	message->first = other->first;
}

void message_cut(struct message *message, const char *why)
{
	if (message->flags & MESSAGE_CUT)
		return;
	message->flags |= MESSAGE_CUT;
	message->why = why;
}

const struct attr *message_attr(const struct message *message, enum attr_key key)
{
	for (size_t i = 0; i < message->attr_count; i++)
		if (message->attrs[i].key == key)
			return &message->attrs[i];
	return NULL;
}

struct span message_value(const struct message *message, enum attr_key key)
{
	const struct attr *attr = message_attr(message, key);

	return attr ? attr->value : (struct span){ 0 };
}

uint64_t message_number(const struct message *message, enum attr_key key, uint64_t otherwise)
{
	const struct attr *attr = message_attr(message, key);

	return attr ? attr->number : otherwise;
}

struct span message_header(const struct message *message, const char *name)
{
	struct span wanted = span_text(name);

	for (size_t i = 0; i < message->attr_count; i++)
		if (message->attrs[i].key == ATTR_HEADER &&
		    span_equal_nocase(message->attrs[i].name, wanted))
			return message->attrs[i].value;
	return (struct span){ 0 };
}

struct origin *origin_ref(struct origin *origin)
{
	origin->refs++;
	return origin;
}

void origin_unref(struct origin *origin)
{
	if (origin && !--origin->refs)
		free(origin);
}

struct exchange *exchange_new(enum protocol protocol)
{
	struct exchange *exchange = own_zalloc(sizeof(*exchange));

	exchange->refs = 1;
	exchange->protocol = protocol;
	return exchange;
}

struct exchange *exchange_ref(struct exchange *exchange)
{
	exchange->refs++;
	return exchange;
}

void exchange_unref(struct exchange *exchange)
{
	if (!exchange || --exchange->refs)
		return;
	message_unref(exchange->request);
	message_unref(exchange->response);
	origin_unref(exchange->peer);
	free(exchange);
}

static uint64_t between(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

uint64_t exchange_wait(const struct exchange *exchange)
{
	if (!exchange->request || !exchange->response)
		return 0;
	return between(exchange->request->last, exchange->response->first);
}

uint64_t exchange_duration(const struct exchange *exchange)
{
	const struct message *request = exchange->request, *response = exchange->response;

	if (!request || !response)
		return 0;
	return between(request->first,
		       response->last > request->last ? response->last : request->last);
}
