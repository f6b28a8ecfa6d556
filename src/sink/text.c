/* Events for people, one line each, payload indented below. No byte of a program starts a line. */
#include "base/addr.h"
#include "base/own.h"
#include "sink/format.h"
#include "sink/hexdump.h"
#include "sink/line.h"

#include <signal.h>
#include <string.h>

#define INDENT "    "

struct text {
	struct sink sink;
	struct line line;
	struct out *out;
	bool hex;
};

#define paint(text, ...) line_paint(&(text)->line, __VA_ARGS__)

static void add_clean(struct buf *buf, const char *name)
{
	payload_add_line(buf, name, strlen(name));
}

static void add_who(struct text *text, const struct event *event)
{
	if (!event->pid) {
		buf_adds(out_buf(text->out), "iotrace: ");
		return;
	}
	line_who(&text->line, event->comm, event->pid, event->tid);
	buf_addc(out_buf(text->out), ' ');
}

static void add_strings(struct buf *buf, const struct event_strings *strings)
{
	const char *end;

	if (!strings->data)
		return;
	end = strings->data + strings->len;
	for (const char *arg = strings->data; arg < end; arg += strlen(arg) + 1) {
		buf_addc(buf, ' ');
		add_clean(buf, arg);
	}
}

static const char *proto_name(enum event_proto proto)
{
	return event_proto_names[proto] ? event_proto_names[proto] : "unknown";
}

static const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "unknown error";
}

static void add_ends(struct text *text, const struct addr *local, const char *arrow,
		     enum color color, const struct addr *remote)
{
	struct buf *buf = out_buf(text->out);
	char from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	addr_format(local, from);
	addr_format(remote, to);
	if (!addr_is_empty(local))
		buf_adds(buf, from);
	if (!arrow)
		return;
	if (!addr_is_empty(local))
		buf_addc(buf, ' ');
	paint(text, color, "%s", arrow);
	if (!addr_is_empty(remote))
		buf_addf(buf, " %s", to);
}

static void add_start(struct text *text, const struct event *event)
{
	struct buf *buf = out_buf(text->out);

	buf_adds(buf, "version ");
	add_clean(buf, event->start.version);
	buf_adds(buf, ", ");
	add_clean(buf, event->start.engine);
	buf_adds(buf, " engine, Linux ");
	add_clean(buf, event->start.kernel);
	buf_addc(buf, ':');
	add_strings(buf, &event->start.argv);
	buf_addc(buf, '\n');
}

static void add_signal(struct buf *buf, int sig)
{
	const char *name = sigabbrev_np(sig);

	if (name)
		buf_addf(buf, " killed by SIG%s", name);
	else
		buf_addf(buf, " killed by signal %d", sig);
}

static void add_process(struct text *text, const struct event *event)
{
	const struct event_process *process = &event->process;
	struct buf *buf = out_buf(text->out);

	buf_adds(buf, process_event_names[process->what]);
	if (process->what == PROCESS_FORK)
		buf_addf(buf, " by %d", process->ppid);
	if (process->exe) {
		buf_addc(buf, ' ');
		add_clean(buf, process->exe);
		buf_addc(buf, ':');
	}
	add_strings(buf, &process->argv);
	if (process->status >= 0)
		buf_addf(buf, " status %d", process->status);
	if (process->signal)
		add_signal(buf, process->signal);
	buf_addc(buf, '\n');
}

static void add_cred(struct buf *buf, const struct event_cred *cred)
{
	buf_addf(buf, " by pid %d uid %u gid %u", cred->pid, cred->uid, cred->gid);
}

static void add_socket(struct text *text, const struct event *event)
{
	const struct event_socket *socket = &event->socket;
	struct buf *buf = out_buf(text->out);
	const char *arrow = NULL;

	if (!addr_is_empty(&socket->remote))
		arrow = socket->what == SOCKET_ACCEPT ? "<-" : "--";
	if (socket->what == SOCKET_CONNECT)
		arrow = "->";
	buf_addf(buf, "#%lu %s %s", socket->conn, proto_name(socket->proto),
		 socket_event_names[socket->what]);
	if (arrow || !addr_is_empty(&socket->local))
		buf_addc(buf, ' ');
	add_ends(text, &socket->local, arrow, COLOR_DIM, &socket->remote);
	if (socket->fd >= 0)
		buf_addf(buf, " fd %d", socket->fd);
	if (socket->has_cred)
		add_cred(buf, &socket->cred);
	if (socket->error)
		paint(text, COLOR_BAD, " %s", error_name(socket->error));
	buf_addc(buf, '\n');
}

static void add_fds(struct buf *buf, const struct event_data *data)
{
	buf_adds(buf, " fds");
	for (uint32_t i = 0; i < data->fd_count; i++)
		buf_addf(buf, "%c%d", i ? ',' : ' ', data->fds[i]);
}

static void add_stack(struct text *text, const char *stack)
{
	payload_add_text(out_buf(text->out), INDENT "at ", stack, strlen(stack));
}

static void add_data(struct text *text, const struct event *event)
{
	const struct event_data *data = &event->data;
	struct buf *buf = out_buf(text->out);
	bool out = data->dir == DIR_OUT;

	if (data->conn)
		buf_addf(buf, "#%lu ", data->conn);
	if (proto_name(data->proto))
		buf_addf(buf, "%s ", proto_name(data->proto));
	if (data->path) {
		add_clean(buf, data->path);
		paint(text, out ? COLOR_OUT : COLOR_IN, out ? " <-" : " ->");
	} else {
		add_ends(text, &data->local, out ? "->" : "<-", out ? COLOR_OUT : COLOR_IN,
			 &data->remote);
	}
	buf_addc(buf, ' ');
	add_clean(buf, data->call);
	if (data->layer == LAYER_PLAIN)
		buf_adds(buf, " plain");
	if (data->error)
		paint(text, COLOR_BAD, " %s", error_name(data->error));
	else
		buf_addf(buf, " %lu bytes", data->len);
	if (data->full)
		buf_addf(buf, " of %lu", data->full);
	if (!data->error && data->captured < data->len)
		buf_addf(buf, " (%lu kept)", data->captured);
	for (int i = 0; i < EVENT_FLAGS; i++)
		if (data->flags & 1U << i)
			buf_addf(buf, " %s", event_flag_names[i]);
	if (data->fd_count)
		add_fds(buf, data);
	if (data->has_cred)
		add_cred(buf, &data->cred);
	buf_addc(buf, '\n');
	if (data->stack)
		add_stack(text, data->stack);
	if (!data->error)
		line_payload(&text->line, INDENT, data->payload, data->captured, text->hex);
}

static void add_secret(struct text *text, const struct event *event)
{
	struct buf *buf = out_buf(text->out);

	buf_adds(buf, "secret ");
	add_clean(buf, event->secret.line);
	buf_addc(buf, '\n');
}

static void add_loss(struct text *text, const struct event *event)
{
	const struct event_loss *loss = &event->loss;

	paint(text, COLOR_BAD, "LOSS ");
	add_clean(out_buf(text->out), loss->reason);
	buf_addf(out_buf(text->out), ": %lu bytes in %lu calls", loss->bytes, loss->calls);
	if (loss->conn)
		buf_addf(out_buf(text->out), " on #%lu", loss->conn);
	buf_addc(out_buf(text->out), '\n');
}

static void add_note(struct text *text, const struct event *event)
{
	struct buf *buf = out_buf(text->out);

	paint(text, COLOR_BAD, "note: ");
	add_clean(buf, event->note.text);
	buf_addc(buf, '\n');
}

static void add_end(struct text *text, const struct event *event)
{
	const struct event_end *end = &event->end;
	struct buf *buf = out_buf(text->out);

	buf_addf(buf, "%lu connections, %lu bytes out, %lu in", end->connections,
		 end->bytes[LAYER_WIRE][DIR_OUT], end->bytes[LAYER_WIRE][DIR_IN]);
	if (end->bytes[LAYER_PLAIN][DIR_OUT] || end->bytes[LAYER_PLAIN][DIR_IN])
		buf_addf(buf, ", plain %lu out, %lu in", end->bytes[LAYER_PLAIN][DIR_OUT],
			 end->bytes[LAYER_PLAIN][DIR_IN]);
	if (end->lost_bytes || end->lost_calls)
		paint(text, COLOR_BAD, ", %lu bytes in %lu calls LOST", end->lost_bytes,
		      end->lost_calls);
	buf_addf(buf, ", %.3f s\n", (double)end->wall / 1e9);
}

static void (*const add_body[EVENT_TYPES])(struct text *, const struct event *) = {
	[EVENT_IOTRACE] = add_start, [EVENT_PROCESS] = add_process, [EVENT_SOCKET] = add_socket,
	[EVENT_DATA] = add_data,     [EVENT_SECRET] = add_secret,   [EVENT_LOSS] = add_loss,
	[EVENT_NOTE] = add_note,     [EVENT_END] = add_end,
};

static void text_emit(struct sink *sink, struct event *event)
{
	struct text *text = (struct text *)sink;

	if (!text->line.first)
		text->line.first = event->time;
	line_time(&text->line, event->time);
	add_who(text, event);
	add_body[event->type](text, event);
	out_end_record(text->out);
}

static int text_finish(struct sink *sink)
{
	struct text *text = (struct text *)sink;
	int result = out_close(text->out);

	free(text);
	return result;
}

struct sink *text_new(struct out *out, const struct format_options *options)
{
	struct text *text = own_zalloc(sizeof(*text));

	text->sink = (struct sink){ .emit = text_emit, .finish = text_finish };
	text->out = out;
	text->line =
		(struct line){ .out = out, .color = options->color, .relative = options->relative };
	return &text->sink;
}

struct sink *hex_new(struct out *out, const struct format_options *options)
{
	struct sink *sink = text_new(out, options);

	((struct text *)sink)->hex = true;
	return sink;
}
