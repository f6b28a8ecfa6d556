#include "event/field.h"

#include "base/addr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member)    offsetof(struct event, member)
#define KEY(literal)  .key = (literal), .key_len = sizeof(literal) - 1
#define NAMES(names_) .names = (names_), .name_count = sizeof(names_) / sizeof((names_)[0])

#define RULED(rule_, kind_, key_, member)                                         \
	{                                                                         \
		.kind = (kind_), .rule = (rule_), KEY(key_), .offset = AT(member) \
	}
/* A number or text that is left out where it is 0 or not there. */
#define OPTIONAL(kind_, key_, member) RULED(RULE_VALUE, kind_, key_, member)
#define ALWAYS(kind_, key_, member)   RULED(RULE_ALWAYS, kind_, key_, member)
#define VARYING(rule_, key_, member)                                                 \
	{                                                                            \
		.kind = FIELD_U64, .rule = (rule_), KEY(key_), .offset = AT(member), \
		.varies = true                                                       \
	}
#define NEEDED(key_, member) /* a text that live events always have */              \
	{                                                                           \
		.kind = FIELD_TEXT, KEY(key_), .offset = AT(member), .needed = true \
	}
#define NUMBERED(key_, member) /* left out where it is -1 */                     \
	{                                                                        \
		.kind = FIELD_I32, KEY(key_), .offset = AT(member), .absent = -1 \
	}
#define NAMED(rule_, key_, member, names_)                                            \
	{                                                                             \
		.kind = FIELD_NAME, .rule = (rule_), KEY(key_), .offset = AT(member), \
		NAMES(names_)                                                         \
	}
#define GROUP(key_, members_)                                                              \
	{                                                                                  \
		.kind = FIELD_GROUP, .rule = RULE_ALWAYS, KEY(key_), .members = (members_) \
	}
#define CRED(member)                                                                           \
	{                                                                                      \
		.kind = FIELD_GROUP, .rule = RULE_CRED, KEY("cred"), .members = member##_cred, \
		.present = AT(member.has_cred)                                                 \
	}
#define END                       \
	{                         \
		.kind = FIELD_END \
	}

const struct field field_head[] = {
	VARYING(RULE_ALWAYS, "seq", seq),
	VARYING(RULE_ALWAYS, "time", time),
	RULED(RULE_PROCESS, FIELD_I32, "pid", pid),
	RULED(RULE_PROCESS, FIELD_I32, "tid", tid),
	RULED(RULE_PROCESS, FIELD_COMM, "comm", comm),
	END,
};

static const struct field start_fields[] = {
	ALWAYS(FIELD_I32, "schema", start.schema),
	NEEDED("version", start.version),
	OPTIONAL(FIELD_STRINGS, "argv", start.argv),
	NEEDED("host", start.host),
	NEEDED("kernel", start.kernel),
	NEEDED("engine", start.engine),
	END,
};

static const struct field process_fields[] = {
	NAMED(RULE_ALWAYS, "event", process.what, process_event_names),
	OPTIONAL(FIELD_I32, "ppid", process.ppid),
	OPTIONAL(FIELD_TEXT, "exe", process.exe),
	OPTIONAL(FIELD_STRINGS, "argv", process.argv),
	NUMBERED("status", process.status),
	OPTIONAL(FIELD_I32, "signal", process.signal),
	END,
};

static const struct field socket_cred[] = {
	ALWAYS(FIELD_I32, "pid", socket.cred.pid),
	ALWAYS(FIELD_U32, "uid", socket.cred.uid),
	ALWAYS(FIELD_U32, "gid", socket.cred.gid),
	END,
};

static const struct field socket_fields[] = {
	NAMED(RULE_ALWAYS, "event", socket.what, socket_event_names),
	NUMBERED("fd", socket.fd),
	ALWAYS(FIELD_U64, "conn", socket.conn),
	NAMED(RULE_VALUE, "family", socket.family, event_family_names),
	NAMED(RULE_VALUE, "proto", socket.proto, event_proto_names),
	OPTIONAL(FIELD_ADDR, "local", socket.local),
	OPTIONAL(FIELD_ADDR, "remote", socket.remote),
	NAMED(RULE_VALUE, "how", socket.how, shutdown_how_names),
	CRED(socket),
	OPTIONAL(FIELD_ERROR, "error", socket.error),
	END,
};

static const struct field data_cred[] = {
	ALWAYS(FIELD_I32, "pid", data.cred.pid),
	ALWAYS(FIELD_U32, "uid", data.cred.uid),
	ALWAYS(FIELD_U32, "gid", data.cred.gid),
	END,
};

static const struct field data_fields[] = {
	NUMBERED("fd", data.fd),
	OPTIONAL(FIELD_U64, "conn", data.conn),
	NAMED(RULE_VALUE, "proto", data.proto, event_proto_names),
	OPTIONAL(FIELD_ADDR, "local", data.local),
	OPTIONAL(FIELD_ADDR, "remote", data.remote),
	OPTIONAL(FIELD_TEXT, "path", data.path),
	NAMED(RULE_ALWAYS, "dir", data.dir, event_dir_names),
	NAMED(RULE_ALWAYS, "layer", data.layer, event_layer_names),
	NEEDED("call", data.call),
	VARYING(RULE_MOVED, "len", data.len),
	VARYING(RULE_ALWAYS, "dur", data.dur),
	OPTIONAL(FIELD_U64, "full", data.full),
	RULED(RULE_CAPTURED, FIELD_U64, "captured", data.captured),
	{ .kind = FIELD_FLAGS, KEY("flags"), .offset = AT(data.flags), NAMES(event_flag_names) },
	OPTIONAL(FIELD_FDS, "fds", data.fds),
	CRED(data),
	OPTIONAL(FIELD_TEXT, "stack", data.stack),
	OPTIONAL(FIELD_ERROR, "error", data.error),
	RULED(RULE_MOVED, FIELD_PAYLOAD, "payload", data.payload),
	OPTIONAL(FIELD_PAYLOAD_TEXT, "text", data.payload),
	OPTIONAL(FIELD_PAYLOAD_BASE64, "b64", data.payload),
	END,
};

static const struct field secret_fields[] = {
	NEEDED("line", secret.line),
	END,
};

static const struct field loss_fields[] = {
	NEEDED("reason", loss.reason),
	OPTIONAL(FIELD_U64, "conn", loss.conn),
	NUMBERED("fd", loss.fd),
	ALWAYS(FIELD_U64, "bytes", loss.bytes),
	ALWAYS(FIELD_U64, "calls", loss.calls),
	END,
};

static const struct field note_fields[] = {
	NEEDED("text", note.text),
	END,
};

static const struct field end_calls[] = {
	ALWAYS(FIELD_U64, "stop", end.calls_stop),
	ALWAYS(FIELD_U64, "tap", end.calls_tap),
	ALWAYS(FIELD_U64, "again", end.calls_again),
	END,
};

static const struct field end_wire[] = {
	ALWAYS(FIELD_U64, "out", end.bytes[LAYER_WIRE][DIR_OUT]),
	ALWAYS(FIELD_U64, "in", end.bytes[LAYER_WIRE][DIR_IN]),
	END,
};

static const struct field end_plain[] = {
	ALWAYS(FIELD_U64, "out", end.bytes[LAYER_PLAIN][DIR_OUT]),
	ALWAYS(FIELD_U64, "in", end.bytes[LAYER_PLAIN][DIR_IN]),
	END,
};

static const struct field end_bytes[] = { GROUP("wire", end_wire), GROUP("plain", end_plain), END };

static const struct field end_loss[] = {
	ALWAYS(FIELD_U64, "bytes", end.lost_bytes),
	ALWAYS(FIELD_U64, "calls", end.lost_calls),
	END,
};

static const struct field end_fields[] = {
	GROUP("calls", end_calls),
	ALWAYS(FIELD_U64, "stops", end.stops),
	GROUP("bytes", end_bytes),
	ALWAYS(FIELD_U64, "connections", end.connections),
	ALWAYS(FIELD_U64, "events", end.events),
	OPTIONAL(FIELD_U64, "rings", end.rings),
	GROUP("loss", end_loss),
	ALWAYS(FIELD_U64, "wall", end.wall),
	END,
};

const struct field *const field_bodies[EVENT_TYPES] = {
	[EVENT_IOTRACE] = start_fields, [EVENT_PROCESS] = process_fields,
	[EVENT_SOCKET] = socket_fields, [EVENT_DATA] = data_fields,
	[EVENT_SECRET] = secret_fields, [EVENT_LOSS] = loss_fields,
	[EVENT_NOTE] = note_fields,     [EVENT_END] = end_fields,
};

const struct field *field_find(const struct field *fields, const char *key, size_t len)
{
	for (const struct field *field = fields; field->kind != FIELD_END; field++)
		if (field->key_len == len && !memcmp(field->key, key, len))
			return field;
	return NULL;
}

static bool has_value(const struct field *field, const struct event *event)
{
	const void *at = field_at(field, event);

	switch (field->kind) {
	case FIELD_I32:
	case FIELD_NAME:
	case FIELD_ERROR:
		return *(const int *)at != field->absent;
	case FIELD_U32:
	case FIELD_FLAGS:
		return *(const uint32_t *)at != 0;
	case FIELD_U64:
		return *(const uint64_t *)at != 0;
	case FIELD_TEXT:
		return *(const char *const *)at != NULL;
	case FIELD_STRINGS:
		return ((const struct event_strings *)at)->data != NULL;
	case FIELD_ADDR:
		return !addr_is_empty(at);
	case FIELD_FDS:
		return event->data.fd_count > 0;
	default:
		return false;
	}
}

bool field_is_present(const struct field *field, const struct event *event)
{
	switch (field->rule) {
	case RULE_VALUE:
		return has_value(field, event);
	case RULE_ALWAYS:
		return true;
	case RULE_PROCESS:
		return event->pid != 0;
	case RULE_MOVED:
		return !event->data.error;
	case RULE_CAPTURED:
		return !event->data.error && event->data.captured < event->data.len;
	case RULE_CRED:
		return *((const bool *)event + field->present);
	}
	return false;
}

const char *field_error_name(int error, char text[16])
{
	const char *name = strerrorname_np(error);

	if (name)
		return name;
	snprintf(text, 16, "%d", error);
	return text;
}

/* Above the highest errno of Linux. */
#define ERROR_MAX 4095

int field_error_number(const char *name, size_t len)
{
	char text[16], *stop;
	long number;

	for (int i = 1; i < 256; i++) {
		const char *known = strerrorname_np(i);

		if (known && strlen(known) == len && !memcmp(known, name, len))
			return i;
	}
	if (!len || len >= sizeof(text))
		return 0;
	memcpy(text, name, len);
	text[len] = '\0';
	number = strtol(text, &stop, 10);
	return *stop || number < 1 || number > ERROR_MAX ? 0 : (int)number;
}
