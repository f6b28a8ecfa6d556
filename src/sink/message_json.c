#include "sink/message_json.h"

#include "base/addr.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/utf8.h"

#include <string.h>

void message_json_add_bytes(struct buf *buf, struct span bytes)
{
	if (utf8_valid(bytes.data, bytes.len)) {
		json_add_key(buf, "text");
		json_add_string(buf, bytes.data ? (const char *)bytes.data : "", bytes.len);
		return;
	}
	json_add_key(buf, "b64");
	buf_addc(buf, '"');
	base64_add(buf, bytes.data, bytes.len);
	buf_addc(buf, '"');
}

/* A string where it is one; an object where it is not UTF-8 or was cut. */
static void add_value(struct buf *buf, struct span value, uint64_t full)
{
	if (full == ATTR_NULL) {
		buf_adds(buf, "null");
		return;
	}
	if (full == value.len && utf8_valid(value.data, value.len)) {
		json_add_string(buf, (const char *)value.data, value.len);
		return;
	}
	buf_addc(buf, '{');
	message_json_add_bytes(buf, value);
	if (full != value.len)
		json_add_uint_member(buf, "full", full);
	buf_addc(buf, '}');
}

static void add_item(struct buf *buf, const struct attr *attr)
{
	switch (attr_rows[attr->key].shape) {
	case SHAPE_NUMBER:
		buf_addu(buf, attr->number);
		break;
	case SHAPE_TEXT:
	case SHAPE_LIST:
		add_value(buf, attr->value, attr->full);
		break;
	case SHAPE_PAIRS:
		buf_addc(buf, '[');
		add_value(buf, attr->name, attr->name.len);
		buf_addc(buf, ',');
		add_value(buf, attr->value, attr->full);
		buf_addc(buf, ']');
		break;
	}
}

static void add_attrs_of(struct buf *buf, const struct message *message, enum attr_key key)
{
	enum attr_shape shape = attr_rows[key].shape;
	bool list = shape == SHAPE_LIST || shape == SHAPE_PAIRS;
	const char *comma = "";

	json_add_key(buf, attr_rows[key].name);
	buf_adds(buf, list ? "[" : "");
	for (size_t i = 0; i < message->attr_count; i++) {
		if (message->attrs[i].key != key)
			continue;
		buf_adds(buf, comma);
		add_item(buf, &message->attrs[i]);
		comma = ",";
		if (!list)
			break;
	}
	buf_adds(buf, list ? "]" : "");
}

static void add_attrs(struct buf *buf, const struct message *message)
{
	uint64_t present = 0;

	_Static_assert(ATTR_KEYS <= 64, "one bit for each");
	for (size_t i = 0; i < message->attr_count; i++)
		present |= 1ULL << message->attrs[i].key;
	for (unsigned int key = 0; key < ATTR_KEYS; key++)
		if (present & 1ULL << key)
			add_attrs_of(buf, message, (enum attr_key)key);
}

static void add_addr(struct buf *buf, const char *key, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	if (!addr_is_empty(addr) && *addr_format(addr, text))
		json_add_text_member(buf, key, text);
}

static void add_origin(struct buf *buf, const struct origin *origin)
{
	json_add_int_member(buf, "pid", origin->pid);
	json_add_int_member(buf, "tid", origin->tid);
	json_add_text_member(buf, "comm", origin->comm);
	json_add_int_member(buf, "fd", origin->fd);
	json_add_uint_member(buf, "conn", origin->conn);
	if (event_proto_names[origin->proto])
		json_add_text_member(buf, "proto", event_proto_names[origin->proto]);
	add_addr(buf, "local", &origin->local);
	add_addr(buf, "remote", &origin->remote);
	json_add_text_member(buf, "layer", event_layer_names[origin->layer]);
}

static void add_seqs(struct buf *buf, const struct message *message)
{
	const char *comma = "";

	json_add_key(buf, "seqs");
	buf_addc(buf, '[');
	for (size_t i = 0; i < message->seq_count; i++) {
		for (uint64_t seq = message->seqs[i].first; seq <= message->seqs[i].last; seq++) {
			buf_adds(buf, comma);
			buf_addu(buf, seq);
			comma = ",";
		}
	}
	buf_addc(buf, ']');
}

static void add_flag(struct buf *buf, const char *key, bool set)
{
	if (!set)
		return;
	json_add_key(buf, key);
	buf_adds(buf, "true");
}

static void add_body(struct buf *buf, const struct body *body)
{
	json_add_key(buf, "body");
	buf_addc(buf, '{');
	json_add_uint_member(buf, "len", body->len);
	if (body->coding) {
		json_add_uint_member(buf, "wire", body->wire);
		json_add_text_member(buf, "coding", body->coding);
		add_flag(buf, "decoded", body->decoded);
	}
	add_flag(buf, "cut", body->cut);
	if (body->why)
		json_add_text_member(buf, "why", body->why);
	message_json_add_bytes(buf, span_of(body->kept.data, body->kept.len));
	buf_addc(buf, '}');
}

void message_json_add(struct buf *buf, const struct message *message)
{
	buf_addc(buf, '{');
	json_add_text_member(buf, "type", "message");
	json_add_uint_member(buf, "number", message->number);
	json_add_text_member(buf, "kind", message_kind_names[message->kind]);
	json_add_text_member(buf, "protocol", protocol_names[message->protocol]);
	if (message->exchange)
		json_add_uint_member(buf, "exchange", message->exchange);
	if (message->stream)
		json_add_uint_member(buf, "stream", message->stream);
	json_add_text_member(buf, "dir", event_dir_names[message->dir]);
	if (message->origin)
		add_origin(buf, message->origin);
	json_add_uint_member(buf, "first", message->first);
	json_add_uint_member(buf, "last", message->last);
	add_seqs(buf, message);
	json_add_uint_member(buf, "bytes", message->bytes);
	add_attrs(buf, message);
	if (message->body.present)
		add_body(buf, &message->body);
	for (unsigned int i = 0; i < MESSAGE_FLAGS; i++)
		add_flag(buf, message_flag_names[i], message->flags & 1U << i);
	if (message->why)
		json_add_text_member(buf, "why", message->why);
	buf_addc(buf, '}');
}

static void add_peer(struct buf *buf, const struct origin *peer)
{
	if (!peer)
		return;
	json_add_key(buf, "peer");
	buf_addc(buf, '{');
	json_add_int_member(buf, "pid", peer->pid);
	json_add_text_member(buf, "comm", peer->comm);
	json_add_uint_member(buf, "conn", peer->conn);
	buf_addc(buf, '}');
}

static void add_half(struct buf *buf, const char *key, const struct message *message)
{
	if (message)
		json_add_uint_member(buf, key, message->number);
}

void exchange_json_add(struct buf *buf, const struct exchange *exchange)
{
	buf_addc(buf, '{');
	json_add_text_member(buf, "type", "exchange");
	json_add_uint_member(buf, "number", exchange->number);
	json_add_text_member(buf, "protocol", protocol_names[exchange->protocol]);
	add_half(buf, "request", exchange->request);
	add_half(buf, "response", exchange->response);
	if (exchange->request && exchange->response) {
		json_add_uint_member(buf, "wait", exchange_wait(exchange));
		json_add_uint_member(buf, "duration", exchange_duration(exchange));
	}
	if (exchange->parts[DIR_OUT] || exchange->parts[DIR_IN]) {
		json_add_key(buf, "parts");
		buf_addf(buf, "{\"out\":%lu,\"in\":%lu}", exchange->parts[DIR_OUT],
			 exchange->parts[DIR_IN]);
	}
	add_peer(buf, exchange->peer);
	if (exchange->why)
		json_add_text_member(buf, "why", exchange->why);
	buf_addc(buf, '}');
}

static void add_pair(struct buf *buf, const char *key, const uint64_t numbers[DIRS])
{
	if (!numbers[DIR_OUT] && !numbers[DIR_IN])
		return;
	json_add_key(buf, key);
	buf_addf(buf, "{\"out\":%lu,\"in\":%lu}", numbers[DIR_OUT], numbers[DIR_IN]);
}

static void add_protocols(struct buf *buf, uint32_t protocols)
{
	const char *comma = "";

	json_add_key(buf, "protocols");
	buf_addc(buf, '[');
	for (unsigned int i = 0; i < PROTOCOLS; i++) {
		if (!(protocols & 1U << i))
			continue;
		buf_addf(buf, "%s\"%s\"", comma, protocol_names[i]);
		comma = ",";
	}
	buf_addc(buf, ']');
}

void connection_json_add(struct buf *buf, const struct connection *connection)
{
	const struct origin *origin = connection->origin;
	const char *error = connection->error ? strerrorname_np(connection->error) : NULL;

	buf_addc(buf, '{');
	json_add_text_member(buf, "type", "connection");
	json_add_uint_member(buf, "number", connection->number);
	json_add_int_member(buf, "pid", origin->pid);
	json_add_text_member(buf, "comm", origin->comm);
	json_add_uint_member(buf, "conn", origin->conn);
	if (event_proto_names[origin->proto])
		json_add_text_member(buf, "proto", event_proto_names[origin->proto]);
	add_addr(buf, "local", &origin->local);
	add_addr(buf, "remote", &origin->remote);
	add_flag(buf, "accepted", connection->accepted);
	json_add_uint_member(buf, "first", connection->first);
	json_add_uint_member(buf, "last", connection->last);
	add_pair(buf, "wire", connection->bytes[LAYER_WIRE]);
	add_pair(buf, "plain", connection->bytes[LAYER_PLAIN]);
	add_protocols(buf, connection->protocols);
	json_add_uint_member(buf, "exchanges", connection->exchanges);
	add_pair(buf, "undecoded", connection->undecoded);
	if (connection->lost)
		json_add_uint_member(buf, "lost", connection->lost);
	add_peer(buf, connection->peer);
	if (connection->why)
		json_add_text_member(buf, "why", connection->why);
	if (error)
		json_add_text_member(buf, "error", error);
	buf_addc(buf, '}');
}
