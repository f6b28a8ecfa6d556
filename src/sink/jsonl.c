/* JSON Lines: the public form of events, docs/events.md. Keys in the documented order. */
#include "base/addr.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "sink/format.h"

#include <stdio.h>
#include <string.h>

struct jsonl {
	struct sink sink;
	struct out *out;
};

static void add_strings(struct buf *buf, const char *key, const struct event_strings *strings)
{
	const char *end;

	if (!strings->data)
		return;
	end = strings->data + strings->len;
	json_add_key(buf, key);
	buf_addc(buf, '[');
	for (const char *text = strings->data; text < end; text += strlen(text) + 1) {
		if (text != strings->data)
			buf_addc(buf, ',');
		json_add_string(buf, text, strlen(text));
	}
	buf_addc(buf, ']');
}

static void add_text(struct buf *buf, const char *key, const char *text)
{
	if (text)
		json_add_text_member(buf, key, text);
}

static void add_positive(struct buf *buf, const char *key, uint64_t value)
{
	if (value)
		json_add_uint_member(buf, key, value);
}

static void add_fd(struct buf *buf, int fd)
{
	if (fd >= 0)
		json_add_int_member(buf, "fd", fd);
}

static void add_addr(struct buf *buf, const char *key, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	if (!addr_is_empty(addr) && *addr_format(addr, text))
		json_add_text_member(buf, key, text);
}

static void add_error(struct buf *buf, int error)
{
	const char *name = strerrorname_np(error);
	char number[16];

	if (!error)
		return;
	snprintf(number, sizeof(number), "%d", error);
	json_add_text_member(buf, "error", name ? name : number);
}

static void add_cred(struct buf *buf, const struct event_cred *cred)
{
	json_add_key(buf, "cred");
	buf_addf(buf, "{\"pid\":%d,\"uid\":%u,\"gid\":%u}", cred->pid, cred->uid, cred->gid);
}

static void add_head(struct buf *buf, const struct event *event)
{
	buf_adds(buf, "{");
	json_add_text_member(buf, "type", event_type_names[event->type]);
	json_add_uint_member(buf, "seq", event->seq);
	json_add_uint_member(buf, "time", event->time);
	if (!event->pid)
		return;
	json_add_int_member(buf, "pid", event->pid);
	json_add_int_member(buf, "tid", event->tid);
	json_add_text_member(buf, "comm", event->comm);
}

static void add_start(struct buf *buf, const struct event *event)
{
	json_add_int_member(buf, "schema", event->start.schema);
	add_text(buf, "version", event->start.version);
	add_strings(buf, "argv", &event->start.argv);
	add_text(buf, "host", event->start.host);
	add_text(buf, "kernel", event->start.kernel);
	add_text(buf, "engine", event->start.engine);
}

static void add_process(struct buf *buf, const struct event *event)
{
	const struct event_process *process = &event->process;

	json_add_text_member(buf, "event", process_event_names[process->what]);
	add_positive(buf, "ppid", (uint64_t)process->ppid);
	add_text(buf, "exe", process->exe);
	add_strings(buf, "argv", &process->argv);
	if (process->status >= 0)
		json_add_int_member(buf, "status", process->status);
	add_positive(buf, "signal", (uint64_t)process->signal);
}

static void add_socket(struct buf *buf, const struct event *event)
{
	const struct event_socket *socket = &event->socket;

	json_add_text_member(buf, "event", socket_event_names[socket->what]);
	add_fd(buf, socket->fd);
	json_add_uint_member(buf, "conn", socket->conn);
	add_text(buf, "family", event_family_names[socket->family]);
	add_text(buf, "proto", event_proto_names[socket->proto]);
	add_addr(buf, "local", &socket->local);
	add_addr(buf, "remote", &socket->remote);
	if (socket->has_cred)
		add_cred(buf, &socket->cred);
	add_error(buf, socket->error);
}

static void add_flags(struct buf *buf, uint32_t flags)
{
	const char *comma = "";

	if (!flags)
		return;
	json_add_key(buf, "flags");
	buf_addc(buf, '[');
	for (int i = 0; i < EVENT_FLAGS; i++) {
		if (!(flags & 1U << i))
			continue;
		buf_addf(buf, "%s\"%s\"", comma, event_flag_names[i]);
		comma = ",";
	}
	buf_addc(buf, ']');
}

static void add_fds(struct buf *buf, const int32_t *fds, uint32_t count)
{
	if (!count)
		return;
	json_add_key(buf, "fds");
	buf_addc(buf, '[');
	for (uint32_t i = 0; i < count; i++)
		buf_addf(buf, "%s%d", i ? "," : "", fds[i]);
	buf_addc(buf, ']');
}

static void add_payload(struct buf *buf, const uint8_t *payload, size_t len)
{
	if (utf8_valid(payload, len)) {
		json_add_key(buf, "text");
		json_add_string(buf, (const char *)payload, len);
		return;
	}
	json_add_key(buf, "b64");
	buf_addc(buf, '"');
	base64_add(buf, payload, len);
	buf_addc(buf, '"');
}

static void add_data(struct buf *buf, const struct event *event)
{
	const struct event_data *data = &event->data;

	add_fd(buf, data->fd);
	add_positive(buf, "conn", data->conn);
	add_text(buf, "proto", event_proto_names[data->proto]);
	add_addr(buf, "local", &data->local);
	add_addr(buf, "remote", &data->remote);
	add_text(buf, "path", data->path);
	add_text(buf, "dir", event_dir_names[data->dir]);
	add_text(buf, "layer", event_layer_names[data->layer]);
	add_text(buf, "call", data->call);
	if (!data->error)
		json_add_uint_member(buf, "len", data->len);
	json_add_uint_member(buf, "dur", data->dur);
	add_positive(buf, "full", data->full);
	if (!data->error && data->captured < data->len)
		json_add_uint_member(buf, "captured", data->captured);
	add_flags(buf, data->flags);
	add_fds(buf, data->fds, data->fd_count);
	if (data->has_cred)
		add_cred(buf, &data->cred);
	add_text(buf, "stack", data->stack);
	if (data->error)
		add_error(buf, data->error);
	else
		add_payload(buf, data->payload, data->captured);
}

static void add_secret(struct buf *buf, const struct event *event)
{
	add_text(buf, "line", event->secret.line);
}

static void add_loss(struct buf *buf, const struct event *event)
{
	add_text(buf, "reason", event->loss.reason);
	add_positive(buf, "conn", event->loss.conn);
	add_fd(buf, event->loss.fd);
	json_add_uint_member(buf, "bytes", event->loss.bytes);
	json_add_uint_member(buf, "calls", event->loss.calls);
}

static void add_note(struct buf *buf, const struct event *event)
{
	add_text(buf, "text", event->note.text);
}

static void add_end(struct buf *buf, const struct event *event)
{
	const struct event_end *end = &event->end;

	json_add_key(buf, "calls");
	buf_addf(buf, "{\"stop\":%lu,\"tap\":%lu,\"again\":%lu}", end->calls_stop, end->calls_tap,
		 end->calls_again);
	json_add_uint_member(buf, "stops", end->stops);
	json_add_key(buf, "bytes");
	buf_addc(buf, '{');
	for (int layer = 0; layer < LAYERS; layer++) {
		json_add_key(buf, event_layer_names[layer]);
		buf_addf(buf, "{\"out\":%lu,\"in\":%lu}", end->bytes[layer][DIR_OUT],
			 end->bytes[layer][DIR_IN]);
	}
	buf_addc(buf, '}');
	json_add_uint_member(buf, "connections", end->connections);
	json_add_uint_member(buf, "events", end->events);
	add_positive(buf, "rings", end->rings);
	json_add_key(buf, "loss");
	buf_addf(buf, "{\"bytes\":%lu,\"calls\":%lu}", end->lost_bytes, end->lost_calls);
	json_add_uint_member(buf, "wall", end->wall);
}

static void (*const add_body[EVENT_TYPES])(struct buf *, const struct event *) = {
	[EVENT_IOTRACE] = add_start, [EVENT_PROCESS] = add_process, [EVENT_SOCKET] = add_socket,
	[EVENT_DATA] = add_data,     [EVENT_SECRET] = add_secret,   [EVENT_LOSS] = add_loss,
	[EVENT_NOTE] = add_note,     [EVENT_END] = add_end,
};

static void jsonl_emit(struct sink *sink, struct event *event)
{
	struct jsonl *jsonl = (struct jsonl *)sink;
	struct buf *buf = out_buf(jsonl->out);

	add_head(buf, event);
	add_body[event->type](buf, event);
	buf_adds(buf, "}\n");
	out_commit(jsonl->out);
}

static int jsonl_finish(struct sink *sink)
{
	struct jsonl *jsonl = (struct jsonl *)sink;
	int result = out_close(jsonl->out);

	free(jsonl);
	return result;
}

struct sink *jsonl_new(struct out *out, const struct format_options *options)
{
	struct jsonl *jsonl = own_zalloc(sizeof(*jsonl));

	(void)options;
	jsonl->sink = (struct sink){ jsonl_emit, jsonl_finish };
	jsonl->out = out;
	return &jsonl->sink;
}
