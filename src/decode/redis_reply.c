#include "decode/redis_reply.h"

#include "base/base64.h"
#include "base/json.h"
#include "base/utf8.h"

void redis_value_begin(struct redis_value *value, uint64_t len)
{
	value->kept.len = 0;
	value->len = len;
}

void redis_value_add(struct redis_value *value, struct span bytes)
{
	size_t room = VALUE_MAX - value->kept.len;

	buf_add(&value->kept, bytes.data, bytes.len < room ? bytes.len : room);
}

struct span redis_value_span(const struct redis_value *value)
{
	return span_of(value->kept.data, value->kept.len);
}

static const char *type_name(char type)
{
	static const struct {
		char type;
		const char *name;
	} types[] = {
		{ '+', "simple" }, { '-', "error" }, { ':', "integer" }, { '$', "bulk" },
		{ '*', "array" },  { '_', "null" },  { '#', "boolean" }, { ',', "double" },
		{ '(', "number" }, { '!', "error" }, { '=', "text" },    { '%', "map" },
		{ '~', "set" },    { '>', "push" },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].type == type)
			return types[i].name;
	return "unknown";
}

static bool is_alone(const struct redis_reply *reply)
{
	const struct resp *resp = &reply->resp;

	return !resp->depth || (resp->depth == 1 && resp->levels[0].type == '$');
}

/* Room that the reply's JSON still has; what goes beyond is cut. */
static bool has_room(struct redis_reply *reply)
{
	if (reply->json.len < channel_body_max(reply->channel))
		return true;
	reply->cut = true;
	return false;
}

/* In a map, or in attributes, every second value is a name. */
static bool is_map(char type)
{
	return type == '%' || type == '|';
}

static const struct resp_level *level_of(const struct redis_reply *reply)
{
	return reply->resp.depth ? &reply->resp.levels[reply->resp.depth - 1] : NULL;
}

static bool is_name(const struct redis_reply *reply)
{
	const struct resp_level *level = level_of(reply);

	return level && is_map(level->type) && level->values % 2 == 0;
}

static void add_comma(struct redis_reply *reply)
{
	const struct resp_level *level = level_of(reply);

	if (reply->comma)
		buf_addc(&reply->json, level && is_map(level->type) && !is_name(reply) ? ':' : ',');
	reply->comma = true;
}

static void add_json_string(struct buf *json, struct span value, bool name)
{
	if (name || utf8_valid(value.data, value.len)) {
		json_add_string(json, (const char *)value.data, value.len);
		return;
	}
	buf_adds(json, "{\"b64\":\"");
	base64_add(json, value.data, value.len);
	buf_adds(json, "\"}");
}

static bool is_json_number(char type, struct span text)
{
	bool digit = false;

	if (!strchr(":,(", type) || !text.len)
		return false;
	for (size_t i = text.data[0] == '-'; i < text.len; i++) {
		bool is_digit = text.data[i] >= '0' && text.data[i] <= '9';

		if (!is_digit && !(digit && type == ',' && strchr(".eE-+", text.data[i])))
			return false;
		digit |= is_digit;
	}
	return digit;
}

static void add_json_line(struct redis_reply *reply, char type, struct span text)
{
	bool name = is_name(reply);

	if (!has_room(reply))
		return;
	add_comma(reply);
	if (name)
		add_json_string(&reply->json, text, true);
	else if (type == '_')
		buf_adds(&reply->json, "null");
	else if (type == '#')
		buf_adds(&reply->json, text.len && text.data[0] == 't' ? "true" : "false");
	else if (is_json_number(type, text))
		buf_add(&reply->json, text.data, text.len);
	else
		add_json_string(&reply->json, text, false);
}

static void note_push(struct redis_reply *reply, struct span text)
{
	if (!reply->strings++ && text.len < sizeof(reply->push)) {
		memcpy(reply->push, text.data, text.len);
		reply->push[text.len] = '\0';
	}
}

static void reply_line(void *ctx, char type, struct span text)
{
	struct redis_reply *reply = ctx;
	struct message *response = reply->message;

	if (!is_alone(reply)) {
		note_push(reply, text);
		add_json_line(reply, type, text);
		return;
	}
	message_add_text(response, ATTR_TYPE, type_name(type));
	if (type == '-')
		message_add(response, ATTR_ERROR, span_cut(text, 0, VALUE_MAX));
	else if (type != '_')
		channel_content(reply->channel, response, text);
}

static void reply_bulk(void *ctx, char type, uint64_t len)
{
	struct redis_reply *reply = ctx;

	/* A piece of a streamed string. */
	if (type == ';') {
		reply->value.len += len;
		return;
	}
	redis_value_begin(&reply->value, len);
	if (!is_alone(reply))
		return;
	message_add_text(reply->message, ATTR_TYPE, type_name(type));
	reply->message->body.present = true;
}

static void reply_bytes(void *ctx, struct span bytes)
{
	struct redis_reply *reply = ctx;

	if (is_alone(reply))
		channel_content(reply->channel, reply->message, bytes);
	redis_value_add(&reply->value, bytes);
}

static void end_value(struct redis_reply *reply)
{
	struct span value = redis_value_span(&reply->value);

	if (is_alone(reply)) {
		if (reply->resp.bulk_type == '!')
			message_add(reply->message, ATTR_ERROR, value);
		return;
	}
	note_push(reply, value);
	if (!has_room(reply))
		return;
	add_comma(reply);
	add_json_string(&reply->json, value, is_name(reply));
	reply->cut |= value.len < reply->value.len;
}

static void reply_bulk_end(void *ctx)
{
	struct redis_reply *reply = ctx;

	if (reply->resp.bulk_type != ';')
		end_value(reply);
}

static void reply_open(void *ctx, char type, int64_t count)
{
	struct redis_reply *reply = ctx;

	if (type == '$') {
		reply_bulk(ctx, type, 0);
		return;
	}
	if (is_alone(reply) && type != '|') {
		message_add_text(reply->message, ATTR_TYPE, type_name(type));
		if (count >= 0)
			message_add_number(reply->message, ATTR_ROWS, (uint64_t)count);
	}
	if (!has_room(reply))
		return;
	add_comma(reply);
	reply->comma = false;
	buf_addc(&reply->json, is_map(type) ? '{' : '[');
}

static void reply_close(void *ctx, char type)
{
	struct redis_reply *reply = ctx;

	if (type == '$') {
		reply->resp.bulk_type = type;
		end_value(reply);
		return;
	}
	reply->comma = true;
	if (type == '|' && is_alone(reply)) {
		/* What was said about a reply that is still to come. */
		reply->json.len = 0;
		reply->comma = false;
	} else if (has_room(reply)) {
		buf_addc(&reply->json, is_map(type) ? '}' : ']');
	}
}

static const struct resp_ops reply_ops = {
	.line = reply_line,
	.bulk = reply_bulk,
	.bytes = reply_bytes,
	.bulk_end = reply_bulk_end,
	.open = reply_open,
	.close = reply_close,
};

void redis_reply_done(struct redis_reply *reply)
{
	buf_done(&reply->value.kept);
	buf_done(&reply->json);
}

ssize_t redis_reply_feed(struct redis_reply *reply, struct span bytes, bool *ret_done)
{
	return resp_feed(&reply->resp, bytes, &reply_ops, reply, ret_done);
}

struct message *redis_reply_take(struct redis_reply *reply)
{
	struct message *message = reply->message;

	if (reply->json.len)
		channel_content(reply->channel, message,
				span_of(reply->json.data, reply->json.len));
	message->body.cut |= reply->cut;
	reply->cut = false;
	reply->json.len = 0;
	reply->comma = false;
	reply->message = NULL;
	reply->strings = 0;
	reply->push[0] = '\0';
	return message;
}
