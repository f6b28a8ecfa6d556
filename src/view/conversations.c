#include "view/conversations.h"

#include "base/addr.h"
#include "base/own.h"
#include "stream/stream.h"

#include <errno.h>
#include <string.h>

struct conversations {
	struct sink sink;
	struct message_sink tap; /* what the decoders speak to */
	struct message_sink *next;
	struct decode *decode;
	struct streams *streams; /* NULL: all has been said */
	struct talk *talk;       /* whose bytes are being decoded */
	uint64_t connections;
};

/* What a stream has of its own. */
struct talk {
	struct conversation *conversation; /* NULL: no byte was seen, or it is closed */
	struct stream *stream;
	struct connection facts;
	struct origin *peer; /* the other end's, once that is gone */
	bool silent;         /* the other end, now gone, speaks for both */
	bool connects;
	bool encrypted; /* the wire has TLS */
	bool plain;     /* plaintext is known */
	bool told;      /* … and messages of it were passed on */
};

static struct talk *talk_of(const struct stream *stream)
{
	return stream ? stream->user : NULL;
}

static struct talk *other_of(const struct talk *talk)
{
	return talk_of(talk->stream->peer);
}

/* How well an end's bytes can be read. */
static int rank_of(const struct talk *talk)
{
	return talk->plain ? 2 : !talk->encrypted;
}

/* True where the other end speaks for both. */
static bool is_outranked(const struct talk *talk, const struct talk *other)
{
	int rank = rank_of(talk), others = rank_of(other);

	/* Its plaintext was there first: what it said is not said again. */
	if (talk->told != other->told)
		return other->told;
	if (rank != others)
		return rank < others;
	if (talk->connects != other->connects)
		return !talk->connects;
	return talk->stream->conn > other->stream->conn;
}

static bool is_silent(const struct talk *talk)
{
	const struct talk *other = other_of(talk);

	return other ? is_outranked(talk, other) : talk->silent;
}

static struct origin *peer_of(const struct talk *talk)
{
	const struct talk *other = other_of(talk);

	return other ? other->facts.origin : talk->peer;
}

static struct origin *origin_of(const struct stream *stream, const struct event *event)
{
	struct origin *origin = own_zalloc(sizeof(*origin));

	*origin = (struct origin){ .refs = 1,
				   .pid = event->pid,
				   .tid = event->tid,
				   .fd = event->type == EVENT_DATA ? event->data.fd
								   : event->socket.fd,
				   .conn = stream->conn,
				   .proto = stream->proto,
				   .local = stream->local,
				   .remote = stream->remote };
	memcpy(origin->comm, event->comm, sizeof(origin->comm));
	return origin;
}

static struct talk *talk_new(struct stream *stream)
{
	struct talk *talk = own_zalloc(sizeof(*talk));

	talk->stream = stream;
	stream->user = talk;
	return talk;
}

static int error_of(const struct event *event)
{
	int error = event->type == EVENT_DATA ? event->data.error : event->socket.error;

	/* These say that it goes on. */
	return error == EINPROGRESS || error == EAGAIN || error == EINTR || error == EALREADY
		       ? 0
		       : error;
}

static bool is_same_origin(const struct origin *origin, const struct stream *stream,
			   const struct event *event)
{
	return origin && origin->pid == event->pid && !strcmp(origin->comm, event->comm) &&
	       addr_equal(&origin->local, &stream->local) &&
	       addr_equal(&origin->remote, &stream->remote);
}

static void on_event(void *ctx, struct stream *stream, const struct event *event)
{
	struct talk *talk = stream->user ? stream->user : talk_new(stream);
	struct connection *facts = &talk->facts;
	int error = error_of(event);

	(void)ctx;
	if (!facts->first)
		facts->first = event->time;
	facts->last = event->time;
	if (error)
		facts->error = error;
	talk->connects = stream->role == ROLE_CONNECTS;
	if (is_same_origin(facts->origin, stream, event))
		return;
	origin_unref(facts->origin);
	facts->origin = origin_of(stream, event);
}

static struct conversation *conversation_of(struct conversations *conversations,
					    struct stream *stream)
{
	struct talk *talk = stream->user;
	struct conversation_facts facts = {
		.fresh = stream->fresh,
		.datagram = stream->datagram,
		.client =
			stream->role_seen ? (stream->role == ROLE_ACCEPTS ? DIR_IN : DIR_OUT) : -1,
	};

	if (!talk->conversation)
		talk->conversation = conversation_new(conversations->decode, &facts);
	conversations->talk = talk;
	return talk->conversation;
}

static void on_bytes(void *ctx, struct stream *stream, const struct event *event)
{
	struct conversation *conversation = conversation_of(ctx, stream);
	struct talk *talk = stream->user;
	const struct event_data *data = &event->data;
	bool plain = data->layer == LAYER_PLAIN;

	talk->plain |= plain;
	talk->facts.bytes[plain ? LAYER_PLAIN : LAYER_WIRE][data->dir] += data->captured;
	conversation_feed(conversation, data->dir, event, data->payload, data->captured);
}

static void on_gap(void *ctx, struct stream *stream, enum event_layer layer, enum event_dir dir,
		   uint64_t len, const struct event *event)
{
	struct talk *talk = stream->user ? stream->user : talk_new(stream);

	(void)event;
	talk->facts.lost += len;
	/* Of what was never heard nothing is missing. */
	if (talk->conversation || len)
		conversation_gap(conversation_of(ctx, stream), layer, dir, len);
}

static void on_ended(void *ctx, struct stream *stream, enum event_dir dir,
		     const struct event *event)
{
	const struct talk *talk = stream->user;

	(void)event;
	if (talk && talk->conversation)
		conversation_end(conversation_of(ctx, stream), dir);
}

static bool has_anything(const struct talk *talk)
{
	const struct connection *facts = &talk->facts;

	return facts->origin &&
	       (!addr_is_empty(&facts->origin->remote) || facts->lost ||
		facts->bytes[LAYER_WIRE][DIR_OUT] || facts->bytes[LAYER_WIRE][DIR_IN] ||
		facts->bytes[LAYER_PLAIN][DIR_OUT] || facts->bytes[LAYER_PLAIN][DIR_IN]);
}

static void on_closed(void *ctx, struct stream *stream, const struct event *event)
{
	struct conversations *conversations = ctx;
	struct talk *talk = stream->user;

	if (!talk)
		return;
	conversations->talk = talk;
	if (event)
		conversation_close(talk->conversation);
	else
		conversation_free(talk->conversation);
	talk->conversation = NULL;
	conversations->talk = NULL;
	if (!has_anything(talk) || is_silent(talk))
		return;
	talk->facts.number = ++conversations->connections;
	talk->facts.accepted = stream->role == ROLE_ACCEPTS;
	talk->facts.datagram = stream->datagram;
	talk->facts.peer = peer_of(talk);
	message_sink_connection(conversations->next, &talk->facts);
}

/* The last moment at which the other end can be told from here who it spoke with. */
static void leave(struct talk *talk, struct talk *other)
{
	other->silent = is_outranked(other, talk);
	origin_unref(other->peer);
	other->peer = talk->facts.origin ? origin_ref(talk->facts.origin) : NULL;
}

static void on_forgotten(void *ctx, struct stream *stream)
{
	struct talk *talk = stream->user, *other;

	(void)ctx;
	if (!talk)
		return;
	other = other_of(talk);
	if (other)
		leave(talk, other);
	origin_unref(talk->peer);
	origin_unref(talk->facts.origin);
	message_unref(talk->facts.hellos[0]);
	message_unref(talk->facts.hellos[1]);
	message_unref(talk->facts.note);
	free(talk);
	stream->user = NULL;
}

static void keep_hello(struct talk *talk, struct message *message)
{
	struct message **place = &talk->facts.hellos[message->kind == MESSAGE_RESPONSE];

	if (message->kind > MESSAGE_RESPONSE)
		return;
	message_unref(*place);
	*place = message_ref(message);
	talk->encrypted |= message->kind == MESSAGE_RESPONSE && !message_attr(message, ATTR_ERROR);
}

static void count_message(struct talk *talk, struct message *message)
{
	struct connection *facts = &talk->facts;

	switch (message->kind) {
	case MESSAGE_DATA:
		facts->undecoded[message->dir] += message->bytes;
		if (!facts->why)
			facts->why = message->body.why;
		break;
	case MESSAGE_NOTE:
		if (!facts->note)
			facts->note = message_ref(message);
		break;
	default:
		facts->protocols |= 1U << message->protocol;
		facts->messages += message->kind == MESSAGE_ONEWAY;
		break;
	}
	if (message->protocol == PROTOCOL_TLS)
		keep_hello(talk, message);
	talk->encrypted |= message->protocol == PROTOCOL_TLS && message->kind == MESSAGE_NOTE;
}

/* What the wire carries is only the same once more. */
static bool is_ciphertext(const struct talk *talk, const struct message *message)
{
	return talk->plain && message->origin && message->origin->layer == LAYER_WIRE &&
	       (message->kind == MESSAGE_DATA || message->kind == MESSAGE_NOTE);
}

static struct conversations *of_tap(struct message_sink *tap)
{
	return (struct conversations *)((char *)tap - offsetof(struct conversations, tap));
}

static void on_message(struct message_sink *tap, struct message *message)
{
	struct conversations *conversations = of_tap(tap);
	struct talk *talk = conversations->talk;

	if (is_ciphertext(talk, message))
		return;
	count_message(talk, message);
	if (is_silent(talk))
		return;
	talk->told |= message->origin && message->origin->layer == LAYER_PLAIN;
	message_sink_message(conversations->next, message);
}

static void on_exchange(struct message_sink *tap, struct exchange *exchange)
{
	struct conversations *conversations = of_tap(tap);
	struct talk *talk = conversations->talk;
	struct origin *peer = peer_of(talk);

	talk->facts.exchanges += exchange->protocol != PROTOCOL_TLS;
	if (is_silent(talk))
		return;
	if (peer)
		exchange->peer = origin_ref(peer);
	message_sink_exchange(conversations->next, exchange);
}

static void say_all(struct conversations *conversations)
{
	streams_free(conversations->streams);
	conversations->streams = NULL;
}

static void conversations_emit(struct sink *sink, struct event *event)
{
	struct conversations *conversations = (struct conversations *)sink;

	/* The totals come last. */
	if (event->type == EVENT_END)
		say_all(conversations);
	message_sink_event(conversations->next, event);
	if (conversations->streams)
		streams_add(conversations->streams, event);
}

static int conversations_finish(struct sink *sink)
{
	struct conversations *conversations = (struct conversations *)sink;
	int result;

	say_all(conversations);
	decode_free(conversations->decode);
	result = conversations->next->finish(conversations->next);
	free(conversations);
	return result;
}

struct sink *conversations_new(const struct decode_options *options, struct message_sink *next)
{
	static const struct stream_ops ops = {
		.event = on_event,
		.bytes = on_bytes,
		.gap = on_gap,
		.ended = on_ended,
		.closed = on_closed,
		.forgotten = on_forgotten,
	};
	struct conversations *conversations = own_zalloc(sizeof(*conversations));

	conversations->sink =
		(struct sink){ .emit = conversations_emit, .finish = conversations_finish };
	conversations->tap.message = on_message;
	conversations->tap.exchange = on_exchange;
	conversations->next = next;
	conversations->decode = decode_new(options, &conversations->tap);
	conversations->streams = streams_new(&ops, conversations);
	return &conversations->sink;
}
