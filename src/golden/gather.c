#include "golden/gather.h"

#include "base/addr.h"
#include "base/own.h"
#include "golden/order.h"
#include "golden/talk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Bytes of one body that are kept. */
#define BODY_MAX (8U << 20)

#define REASONS_MAX 16U

void gather_doubt(struct gather *gather, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (size_t i = 0; i < gather->reason_count; i++)
		if (!strcmp(gather->reasons[i], text))
			return;
	if (gather->reason_count == REASONS_MAX)
		return;
	gather->reasons =
		own_realloc(gather->reasons, (gather->reason_count + 1) * sizeof(*gather->reasons));
	gather->reasons[gather->reason_count++] = own_strdup(text);
}

const char *gather_incomplete(const struct gather *gather, size_t number)
{
	return number < gather->reason_count ? gather->reasons[number] : NULL;
}

/*** Messages ***/

static struct item *add_item(struct talk *talk, uint64_t exchange, uint64_t first)
{
	struct item *item;

	if (talk->count == talk->room) {
		talk->room = talk->room ? talk->room * 2 : 4;
		talk->items = own_realloc(talk->items, talk->room * sizeof(*talk->items));
	}
	item = &talk->items[talk->count++];
	*item = (struct item){ .exchange = exchange, .first = first, .order = talk->count };
	if (exchange)
		map_put(&talk->by_exchange, exchange, (void *)(uintptr_t)talk->count);
	return item;
}

static struct item *item_of(struct talk *talk, uint64_t exchange, uint64_t first)
{
	uintptr_t at = exchange ? (uintptr_t)map_get(&talk->by_exchange, exchange) : 0;

	return at ? &talk->items[at - 1] : add_item(talk, exchange, first);
}

/* False where there is no more room. */
static bool keep(struct gather *gather, const struct message *message)
{
	size_t size = message->body.kept.len + message->arena.used + sizeof(*message) +
		      message->attr_count * sizeof(*message->attrs);

	if (gather->kept > GATHER_MAX - size || size > GATHER_MAX) {
		gather_doubt(gather, "it is more traffic than %u bytes", GATHER_MAX);
		return false;
	}
	gather->kept += size;
	return true;
}

static void add_part(struct item *item, struct message *message)
{
	size_t count = item->part_count;

	if (!(count & (count - 1)))
		item->parts =
			own_realloc(item->parts, (count ? 2 * count : 1) * sizeof(*item->parts));
	item->parts[item->part_count++] = message_ref(message);
}

/* A long turn of bytes comes in pieces. */
static bool join_turn(struct talk *talk, const struct message *message)
{
	struct item *last = talk->count ? &talk->items[talk->count - 1] : NULL;
	struct message *before = last && last->part_count ? last->parts[0] : NULL;

	if (message->kind != MESSAGE_DATA || event_proto_is_datagram(talk->proto) || !before ||
	    before->kind != MESSAGE_DATA || before->dir != message->dir ||
	    before->body.kept.len >= BODY_MAX)
		return false;
	buf_add(&before->body.kept, message->body.kept.data, message->body.kept.len);
	before->body.len += message->body.len;
	before->body.wire += message->body.wire;
	before->body.cut |= message->body.cut;
	last->last = message->last;
	return true;
}

static void note_tls(struct talk *talk, struct message *message)
{
	struct span sni = message_value(message, ATTR_SNI);

	talk->tls = true;
	if (sni.len && !talk->sni.len)
		talk->sni = arena_copy(&talk->names, sni);
	if (message->kind == MESSAGE_NOTE)
		talk->unread = arena_copy(&talk->names, message_value(message, ATTR_NOTE));
}

/* What a client's side of a handshake takes: it has said nothing else. */
#define HANDSHAKE_MAX 256

/*
 * TLS of which no plaintext was seen. A pool opens connections that it never uses: where the program's
 * TLS is read elsewhere, and only a handshake was sent, nothing was missed.
 */
static void doubt_unread(struct gather *gather, const struct talk *talk)
{
	struct span note = talk->unread, number = span_split(&note, ' ');
	uint64_t sent = UINT64_MAX;
	bool readable = false;

	if (!talk->unread.len || talk->plain || talk->other_end)
		return;
	for (size_t i = 0; i < gather->count && !readable; i++)
		readable = gather->talks[i]->plain && gather->talks[i]->pid == talk->pid;
	if (readable && span_number(number, 10, &sent) && sent <= HANDSHAKE_MAX)
		return;
	gather_doubt(gather, "%s: TLS could not be read: %.*s", talk->comm, (int)talk->unread.len,
		     (const char *)talk->unread.data);
}

/* "example.com 300 A 192.0.2.1": who has that address. */
static void note_answers(struct gather *gather, const struct message *message)
{
	struct span question = message_value(message, ATTR_QUESTION);
	struct span name = span_split(&question, ' ');

	for (size_t i = 0; i < message->attr_count && gather->host_count < 8192; i++) {
		struct span text = message->attrs[i].value, word = { 0 };

		if (message->attrs[i].key != ATTR_ANSWER)
			continue;
		while (text.len)
			word = span_split(&text, ' ');
		gather->hosts = own_realloc(gather->hosts,
					    (gather->host_count + 2) * sizeof(*gather->hosts));
		gather->hosts[gather->host_count++] = arena_copy(&gather->names, word);
		gather->hosts[gather->host_count++] = arena_copy(&gather->names, name);
	}
}

/* Sent by the clock, with anything in them. */
static bool is_keepalive(const struct message *message)
{
	struct span opcode = message_value(message, ATTR_OPCODE);

	return message->protocol == PROTOCOL_WEBSOCKET &&
	       (span_equal(opcode, SPAN("ping")) || span_equal(opcode, SPAN("pong")));
}

static bool is_left_out(const struct message *message)
{
	return is_keepalive(message) || message->kind == MESSAGE_NOTE ||
	       message->flags & MESSAGE_INTERIM;
}

static void on_message(struct message_sink *sink, struct message *message)
{
	struct talk *talk = (struct talk *)sink;
	struct item *item;

	if (message->protocol == PROTOCOL_TLS && message->kind != MESSAGE_DATA) {
		note_tls(talk, message);
		return;
	}
	if (is_left_out(message) || !keep(talk->gather, message))
		return;
	if (!talk->spoke || talk->protocol == PROTOCOL_DATA)
		talk->protocol = message->protocol;
	talk->spoke = true;
	if (!talk->host.len && message_value(message, ATTR_HOST).len)
		talk->host = arena_copy(&talk->names, message_value(message, ATTR_HOST));
	if (message->protocol == PROTOCOL_DNS)
		note_answers(talk->gather, message);
	if (join_turn(talk, message))
		return;
	item = item_of(talk, message->exchange, message->first);
	if (message->first < item->first)
		item->first = message->first;
	if (message->last > item->last)
		item->last = message->last;
	if (message->kind == MESSAGE_REQUEST && !item->request)
		item->request = message_ref(message);
	else if (message->kind == MESSAGE_RESPONSE && !item->response)
		item->response = message_ref(message);
	else
		add_part(item, message);
}

/*** Connections ***/

static const char *comm_of(const struct gather *gather, const struct event *event)
{
	const char *comm = map_get(&gather->comms, (uint64_t)event->pid);

	return comm ? comm : event->comm;
}

static void on_opened(void *ctx, struct stream *stream)
{
	struct gather *gather = ctx;
	struct talk *talk = own_zalloc(sizeof(*talk));
	struct decode_options options = { .body_max = BODY_MAX };

	talk->sink.message = on_message;
	talk->gather = gather;
	talk->decode = decode_new(&options, &talk->sink);
	talk->proto = stream->proto;
	stream->user = talk;
	if (gather->count == gather->room) {
		gather->room = gather->room ? gather->room * 2 : 16;
		gather->talks = own_realloc(gather->talks, gather->room * sizeof(talk));
	}
	gather->talks[gather->count++] = talk;
}

static void on_event(void *ctx, struct stream *stream, const struct event *event)
{
	struct gather *gather = ctx;
	struct talk *talk = stream->user;

	if (!talk->pid || (event->type == EVENT_DATA && !talk->spoke && !talk->tid)) {
		talk->pid = event->pid;
		snprintf(talk->comm, sizeof(talk->comm), "%s", comm_of(gather, event));
	}
	if (!talk->first)
		talk->first = event->time;
	talk->last = event->time;
	talk->role = stream->role;
	talk->local = stream->local;
	talk->remote = stream->remote;
	if (event->type == EVENT_DATA) {
		talk->attempted |= !event->data.error;
		talk->plain |= event->data.layer == LAYER_PLAIN;
		talk->many_threads |= talk->tid && talk->tid != event->tid;
		talk->tid = event->tid;
	} else if (event->type == EVENT_SOCKET && !event_proto_is_datagram(stream->proto)) {
		talk->attempted |=
			event->socket.what == SOCKET_CONNECT || event->socket.what == SOCKET_ACCEPT;
	}
}

static void on_paired(void *ctx, struct stream *stream)
{
	struct stream *accepts = stream->role == ROLE_ACCEPTS ? stream : stream->peer;

	(void)ctx;
	/* It can be that nobody knows who connected. */
	if (accepts && accepts->user)
		((struct talk *)accepts->user)->other_end = true;
}

static struct conversation *conversation_of(struct talk *talk, const struct stream *stream)
{
	struct conversation_facts facts = {
		.fresh = stream->fresh,
		.datagram = stream->datagram,
		.client = stream->role == ROLE_UNKNOWN   ? -1
			  : stream->role == ROLE_ACCEPTS ? (int)DIR_IN
							 : (int)DIR_OUT,
	};

	if (!talk->conversation)
		talk->conversation = conversation_new(talk->decode, &facts);
	return talk->conversation;
}

static void on_bytes(void *ctx, struct stream *stream, const struct event *event)
{
	const struct event_data *data = &event->data;

	(void)ctx;
	conversation_feed(conversation_of(stream->user, stream), data->dir, event, data->payload,
			  data->captured);
}

static void on_gap(void *ctx, struct stream *stream, enum event_layer layer, enum event_dir dir,
		   uint64_t len, const struct event *event)
{
	const struct talk *talk = stream->user;

	if (event->type == EVENT_DATA)
		gather_doubt(ctx, "%s: not all bytes of its messages were kept", talk->comm);
	conversation_gap(conversation_of(stream->user, stream), layer, dir, len);
}

static void on_ended(void *ctx, struct stream *stream, enum event_dir dir,
		     const struct event *event)
{
	(void)ctx;
	(void)event;
	conversation_end(conversation_of(stream->user, stream), dir);
}

static void on_closed(void *ctx, struct stream *stream, const struct event *event)
{
	struct talk *talk = stream->user;

	(void)ctx;
	if (event)
		talk->last = event->time;
	conversation_free(talk->conversation);
	talk->conversation = NULL;
}

static void on_forgotten(void *ctx, struct stream *stream)
{
	(void)ctx;
	stream->user = NULL;
}

/*** Events ***/

static void add_process(struct gather *gather, const struct event *event)
{
	const struct event_process *process = &event->process;
	const char *comm = event->comm;
	int status = process->signal ? process->signal : process->status;

	if (process->what == PROCESS_EXIT) {
		if (event->pid != gather->main_pid)
			return;
		gather->main_ended = true;
		if (status < 0 || status > 255) {
			gather_doubt(gather, "the program's status is %d, which is none", status);
			return;
		}
		gather->how = process->signal ? ENDED_SIGNAL : ENDED_EXIT;
		gather->status = status;
		return;
	}
	if (process->what == PROCESS_START && !gather->main_pid)
		gather->main_pid = event->pid;
	if (process->what == PROCESS_FORK && map_get(&gather->comms, (uint64_t)process->ppid))
		comm = map_get(&gather->comms, (uint64_t)process->ppid);
	comm = own_strdup(comm);
	free(map_put(&gather->comms, (uint64_t)event->pid, (void *)(uintptr_t)comm));
}

static void add_loss(struct gather *gather, const struct event *event)
{
	const struct event_loss *loss = &event->loss;

	gather_doubt(gather, "lost %lu bytes in %lu calls%s%s (%s)", loss->bytes, loss->calls,
		     *event->comm ? " of " : "", event->comm,
		     loss->reason ? loss->reason : "no reason given");
}

static void gather_emit(struct sink *sink, struct event *event)
{
	struct gather *gather = (struct gather *)sink;

	/* What daemons do that it has left behind is luck. */
	if (gather->main_ended && event->type != EVENT_END && event->type != EVENT_LOSS)
		return;
	switch (event->type) {
	case EVENT_PROCESS:
		add_process(gather, event);
		break;
	case EVENT_LOSS:
		add_loss(gather, event);
		break;
	case EVENT_END:
		gather->ended = true;
		if (event->end.rings)
			gather_doubt(gather, "io_uring was used, which cannot be seen; see "
					     "--no-io-uring");
		break;
	default:
		break;
	}
	streams_add(gather->streams, event);
}

static int gather_finish(struct sink *sink)
{
	(void)sink;
	return 0;
}

struct gather *gather_new(const struct gather_options *options)
{
	static const struct stream_ops ops = { .opened = on_opened,
					       .event = on_event,
					       .paired = on_paired,
					       .bytes = on_bytes,
					       .gap = on_gap,
					       .ended = on_ended,
					       .closed = on_closed,
					       .forgotten = on_forgotten };
	struct gather *gather = own_zalloc(sizeof(*gather));

	gather->sink = (struct sink){ .emit = gather_emit, .finish = gather_finish };
	gather->options = *options;
	gather->streams = streams_new(&ops, gather);
	return gather;
}

struct sink *gather_sink(struct gather *gather)
{
	return &gather->sink;
}

static void free_talk(struct talk *talk)
{
	for (size_t i = 0; i < talk->count; i++) {
		struct item *item = &talk->items[i];

		message_unref(item->request);
		message_unref(item->response);
		for (size_t j = 0; j < item->part_count; j++)
			message_unref(item->parts[j]);
		free(item->parts);
	}
	free(talk->items);
	map_done(&talk->by_exchange);
	decode_free(talk->decode);
	arena_done(&talk->names);
	free(talk);
}

void gather_free(struct gather *gather)
{
	if (!gather)
		return;
	streams_free(gather->streams);
	for (size_t i = 0; i < gather->count; i++)
		free_talk(gather->talks[i]);
	free(gather->talks);
	MAP_FOR_EACH(node, &gather->comms)
		free(map_value(node));
	map_done(&gather->comms);
	for (size_t i = 0; i < gather->reason_count; i++)
		free(gather->reasons[i]);
	free(gather->reasons);
	free(gather->hosts);
	arena_done(&gather->names);
	free(gather);
}

static struct model *make_model(struct gather *gather, struct scan *scan)
{
	struct model *model = model_new(gather->options.level);

	model->builtin = BUILTIN_VERSION;
	model->ended = gather->how;
	model->status = gather->status;
	scan_restart(scan, &model->values);
	sections_add(gather, model, scan);
	return model;
}

struct model *gather_model(struct gather *gather)
{
	struct model *model;
	struct scan scan;

	/* What is still open ends here. */
	streams_free(gather->streams);
	gather->streams = NULL;
	for (size_t i = 0; i < gather->count; i++)
		doubt_unread(gather, gather->talks[i]);
	if (!gather->ended)
		gather_doubt(gather, "the capture has no end: iotrace was ended by force");
	rules_settle(gather->options.rules);
	scan_init(&scan, gather->options.rules, NULL, gather->options.environment);
	model = make_model(gather, &scan);
	if (scan_learned(&scan)) {
		/* What one exchange tells to be a secret stands in others, too, earlier ones as well. */
		model_free(model);
		rules_forget(gather->options.rules);
		model = make_model(gather, &scan);
	}
	scan_done(&scan);
	order_hash(model);
	return model;
}
