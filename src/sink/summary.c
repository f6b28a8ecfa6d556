/* Totals per process and connection, written at the end as a table or as JSON. */
#include "sink/summary.h"

#include "base/map.h"
#include "base/own.h"
#include "sink/format.h"
#include "stream/stream.h"

#include <errno.h>
#include <string.h>

/* Rows of connections; what is beyond is summed up in one. */
#define CONNS_MAX 8192

/* Processes likewise. */
#define PROCESSES_MAX 8192

struct collector {
	struct sink sink;
	struct out *out;
	void (*write)(struct buf *buf, const struct summary *summary);
	struct summary summary;
	struct streams *streams;
	struct map by_pid; /* pid to struct process_row */
	size_t conn_count, process_count;
};

bool conn_row_is_worth(const struct conn_row *row)
{
	return row->sums.calls[DIR_OUT] || row->sums.calls[DIR_IN] || row->sums.errors ||
	       row->sums.plain[DIR_OUT] || row->sums.plain[DIR_IN];
}

static void note_time(struct sums *sums, uint64_t time)
{
	if (!sums->first)
		sums->first = time;
	if (time > sums->last)
		sums->last = time;
}

static void add_data(struct sums *sums, const struct event *event)
{
	const struct event_data *data = &event->data;
	bool wire = data->layer == LAYER_WIRE || data->flags & FLAG_KTLS;

	note_time(sums, event->time);
	(wire ? sums->bytes : sums->plain)[data->dir] += event_moved(event);
	if (wire)
		sums->calls[data->dir]++;
	sums->errors += data->error != 0;
	if (sums->last_data && event->time > sums->last_data &&
	    event->time - sums->last_data > sums->gap)
		sums->gap = event->time - sums->last_data;
	sums->last_data = event->time;
}

static void add_socket(struct sums *sums, const struct event *event)
{
	note_time(sums, event->time);
	sums->errors += event->socket.error && event->socket.error != EINPROGRESS;
}

static void add_to(struct sums *sums, const struct event *event)
{
	if (event->type == EVENT_DATA)
		add_data(sums, event);
	else if (event->type == EVENT_SOCKET)
		add_socket(sums, event);
	else
		note_time(sums, event->time);
}

/* NULL beyond the bound, and for events of no process. */
static struct process_row *process_of(struct collector *collector, const struct event *event)
{
	struct process_row *row = map_get(&collector->by_pid, (uint64_t)event->pid);

	/* The number can be another process's by now. */
	if (row && row->ended && event->type == EVENT_PROCESS &&
	    event->process.what != PROCESS_EXIT)
		row = NULL;
	if (!event->pid || (!row && collector->process_count >= PROCESSES_MAX))
		return NULL;
	if (!row) {
		row = own_zalloc(sizeof(*row));
		row->pid = event->pid;
		TAILQ_INSERT_TAIL(&collector->summary.processes, row, next);
		map_put(&collector->by_pid, (uint64_t)event->pid, row);
		collector->process_count++;
	}
	memcpy(row->comm, event->comm, sizeof(row->comm));
	return row;
}

static struct conn_row *row_new(struct collector *collector, const struct stream *stream)
{
	struct conn_row *row;

	if (collector->conn_count >= CONNS_MAX)
		return NULL;
	row = own_zalloc(sizeof(*row));
	row->conn = stream->conn;
	row->proto = stream->proto;
	row->asked = -1;
	TAILQ_INSERT_TAIL(&collector->summary.conns, row, next);
	collector->conn_count++;
	return row;
}

/* The direction of questions, as this end sees it. */
static enum event_dir asking(const struct conn_row *row)
{
	return row->accepts ? DIR_IN : DIR_OUT;
}

/* An answer begins where the direction turns. */
static void follow_turns(struct conn_row *row, const struct event *event, uint64_t before)
{
	const struct event_data *data = &event->data;

	if (data->error || !data->len || data->layer != LAYER_WIRE || data->flags & FLAG_PEEK)
		return;
	if (row->asked == (int)asking(row) && data->dir != asking(row) && event->time >= before) {
		if (!row->answers)
			row->answers = own_zalloc(sizeof(*row->answers));
		histogram_add(row->answers, event->time - before);
	}
	row->asked = (int)data->dir;
}

static void on_opened(void *ctx, struct stream *stream)
{
	struct collector *collector = ctx;

	stream->user = row_new(collector, stream);
	if (!stream->user)
		collector->summary.left_out++;
}

static void on_event(void *ctx, struct stream *stream, const struct event *event)
{
	struct collector *collector = ctx;
	struct conn_row *row = stream->user;
	uint64_t before;

	if (!row) {
		add_to(&collector->summary.rest, event);
		return;
	}
	before = row->sums.last_data;
	row->pid = event->pid;
	memcpy(row->comm, event->comm, sizeof(row->comm));
	row->local = stream->local;
	row->remote = stream->remote;
	row->accepts = stream->role == ROLE_ACCEPTS;
	add_to(&row->sums, event);
	if (event->type == EVENT_DATA)
		follow_turns(row, event, before);
}

static void on_paired(void *ctx, struct stream *stream)
{
	struct conn_row *row = stream->user, *other = stream->peer->user;

	(void)ctx;
	if (row)
		row->other = stream->peer->conn;
	if (other)
		other->other = stream->conn;
}

static const struct stream_ops ops = {
	.opened = on_opened,
	.event = on_event,
	.paired = on_paired,
};

static void collect(struct sink *sink, struct event *event)
{
	struct collector *collector = (struct collector *)sink;
	struct summary *summary = &collector->summary;
	struct process_row *process = process_of(collector, event);

	if (!summary->first)
		summary->first = event->time;
	summary->last = event->time;
	if (process) {
		add_to(&process->sums, event);
		if (event->type == EVENT_PROCESS)
			process->ended = event->process.what == PROCESS_EXIT;
		if (event->type == EVENT_SOCKET &&
		    (event->socket.what == SOCKET_CONNECT || event->socket.what == SOCKET_ACCEPT))
			process->connections += !event->socket.error;
	}
	add_to(&summary->total, event);
	if (event->type == EVENT_LOSS) {
		summary->lost_bytes += event->loss.bytes;
		summary->lost_calls += event->loss.calls;
	}
	streams_add(collector->streams, event);
}

static void release(struct collector *collector)
{
	struct process_row *process;
	struct conn_row *conn;

	while ((process = TAILQ_FIRST(&collector->summary.processes))) {
		TAILQ_REMOVE(&collector->summary.processes, process, next);
		free(process);
	}
	while ((conn = TAILQ_FIRST(&collector->summary.conns))) {
		TAILQ_REMOVE(&collector->summary.conns, conn, next);
		free(conn->answers);
		free(conn);
	}
	map_done(&collector->by_pid);
	free(collector);
}

static int finish(struct sink *sink)
{
	struct collector *collector = (struct collector *)sink;
	int result;

	streams_free(collector->streams);
	collector->write(out_buf(collector->out), &collector->summary);
	result = out_close(collector->out);
	release(collector);
	return result;
}

static struct sink *collector_new(struct out *out,
				  void (*write)(struct buf *, const struct summary *))
{
	struct collector *collector = own_zalloc(sizeof(*collector));

	collector->sink = (struct sink){ .emit = collect, .finish = finish };
	collector->out = out;
	collector->write = write;
	collector->streams = streams_new(&ops, collector);
	TAILQ_INIT(&collector->summary.processes);
	TAILQ_INIT(&collector->summary.conns);
	return &collector->sink;
}

struct sink *summary_new(struct out *out, const struct format_options *options)
{
	(void)options;
	return collector_new(out, summary_add_table);
}

struct sink *summary_json_new(struct out *out, const struct format_options *options)
{
	(void)options;
	return collector_new(out, summary_add_json);
}
