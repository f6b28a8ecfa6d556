/*
 * Packets for Wireshark and its like: what the calls moved, in made-up packets with true sequence
 * numbers, each with the process it belongs to (PKTAP). docs/pcapng.md says what is real.
 */
#include "base/addr.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/own.h"
#include "sink/format.h"
#include "sink/pcap_addr.h"
#include "sink/pcap_block.h"
#include "sink/pcap_flow.h"
#include "sink/pcap_listeners.h"
#include "sink/pcap_order.h"
#include "stream/stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Names that were written; beyond, they are written again. */
#define NAMES_MAX 4096

struct pcapng {
	struct sink sink;
	struct pcap_file file;
	bool plain; /* the plaintext layer instead of the wire's */
	bool begun;
	struct order *order;
	struct streams *streams;
	struct pcap_listeners listeners;
	struct map randoms; /* beginning of a client random to struct flow */
	struct map names;   /* hash of address and name to anything */
};

/* What a stream has of its own. */
struct link {
	struct flow *flow; /* NULL: nothing for packets */
	int out_side;      /* what its DIR_OUT is */
	bool silent;       /* its other end is written */
	uint64_t given[DIRS];
};

static uint64_t random_key(const uint8_t random[TLS_RANDOM])
{
	uint64_t key;

	memcpy(&key, random, sizeof(key));
	return key;
}

static struct flow *flow_by_random(const struct pcapng *pcapng, const uint8_t random[TLS_RANDOM])
{
	struct flow *flow = map_get(&pcapng->randoms, random_key(random));

	return flow && !memcmp(flow->tls.random, random, TLS_RANDOM) ? flow : NULL;
}

static void put_flow(struct pcapng *pcapng, struct flow *flow)
{
	if (!flow || --flow->users)
		return;
	flow_release(flow, HOLD_PEER | HOLD_TLS);
	if (flow->tls.has_random && flow_by_random(pcapng, flow->tls.random) == flow)
		map_take(&pcapng->randoms, random_key(flow->tls.random));
	flow_free(flow);
}

static void add_name(struct pcapng *pcapng, const struct addr *addr, const char *name)
{
	size_t len;
	const uint8_t *bytes = pcap_addr_bytes(addr, &len);
	uint64_t hash = hash_bytes(hash_bytes(0, bytes, len), name, strlen(name));

	if (map_count(&pcapng->names) >= NAMES_MAX)
		map_done(&pcapng->names);
	if (!map_put(&pcapng->names, hash, pcapng))
		pcap_add_name(out_buf(pcapng->file.out), bytes, len, name);
}

/* A local socket's path; an address says nothing of it. */
static void add_path(struct pcapng *pcapng, const struct addr *named, const struct addr *made)
{
	char text[ADDR_TEXT_MAX];

	if (named->len && named->family == AF_UNIX && !addr_is_empty(named))
		add_name(pcapng, made, addr_format(named, text));
}

static struct link *link_new(struct pcapng *pcapng, struct stream *stream)
{
	struct link *link = own_zalloc(sizeof(*link));

	stream->user = link;
	link->out_side = stream->role == ROLE_ACCEPTS;
	link->flow = flow_new(&pcapng->file, stream, link->out_side);
	if (!link->flow)
		return link;
	link->flow->users = 1;
	add_path(pcapng, &stream->local, &link->flow->addrs[link->out_side]);
	add_path(pcapng, &stream->remote, &link->flow->addrs[!link->out_side]);
	return link;
}

/* Messages by themselves, as UDP's; those of a connection are written like a stream. */
static bool is_messages(const struct stream *stream)
{
	return stream->datagram && stream->proto != PROTO_UNIX_SEQPACKET;
}

/* The stream's flow, ready to be written for it; NULL where nothing is to be written. */
static struct flow *flow_of(struct pcapng *pcapng, struct stream *stream)
{
	struct link *link = stream->user ? stream->user : link_new(pcapng, stream);

	if (!link->flow || link->silent)
		return NULL;
	link->flow->out_side = link->out_side;
	return link->flow;
}

static int side_of(const struct stream *stream, enum event_dir dir)
{
	const struct link *link = stream->user;

	return dir == DIR_OUT ? link->out_side : !link->out_side;
}

static void on_connect(struct pcapng *pcapng, struct stream *stream, const struct event *event)
{
	const struct event_socket *socket = &event->socket;
	struct flow *flow = flow_of(pcapng, stream);

	if (!flow || is_messages(stream))
		return;
	if (!flow->begun && !stream->peer && pcap_listeners_await(&pcapng->listeners, stream))
		flow_hold(flow, HOLD_PEER, event->time);
	flow_add_syn(flow, event);
	if (!socket->error)
		flow_add_answer(flow, event);
	else if (socket->error == ECONNREFUSED)
		flow_add_reset(flow, 1, event);
}

static void on_accept(struct pcapng *pcapng, struct stream *stream, const struct event *event)
{
	struct flow *flow = flow_of(pcapng, stream);

	if (!flow)
		return;
	flow_add_syn(flow, event);
	flow_add_answer(flow, event);
}

static void on_socket(struct pcapng *pcapng, struct stream *stream, const struct event *event)
{
	switch (event->socket.what) {
	case SOCKET_LISTEN:
		pcap_listeners_add(&pcapng->listeners, &event->socket);
		break;
	case SOCKET_FOUND:
		if (addr_is_empty(&event->socket.remote))
			pcap_listeners_add(&pcapng->listeners, &event->socket);
		break;
	case SOCKET_CONNECT:
		on_connect(pcapng, stream, event);
		break;
	case SOCKET_ACCEPT:
		on_accept(pcapng, stream, event);
		break;
	default:
		break;
	}
}

static void on_event(void *ctx, struct stream *stream, const struct event *event)
{
	struct pcapng *pcapng = ctx;
	struct flow *flow;

	if (event->type == EVENT_SOCKET) {
		on_socket(pcapng, stream, event);
	} else if (event->data.error == ECONNRESET && !is_messages(stream)) {
		flow = flow_of(pcapng, stream);
		if (flow)
			flow_add_reset(flow, side_of(stream, DIR_IN), event);
	}
}

/* Both streams go on in this one's flow. */
static void share(struct pcapng *pcapng, struct stream *from, struct stream *to)
{
	struct link *link = from->user, *other;

	if (!link || !link->flow)
		return;
	if (!to->user) {
		other = own_zalloc(sizeof(*other));
		to->user = other;
	}
	other = to->user;
	put_flow(pcapng, other->flow);
	other->flow = link->flow;
	other->flow->users++;
	other->out_side = !link->out_side;
	/* Of one that was met in its middle, nobody knows what the other end had seen. */
	if (!from->fresh || !to->fresh) {
		other->given[DIR_OUT] = link->flow->sent[other->out_side];
		other->given[DIR_IN] = link->flow->sent[!other->out_side];
	}
}

/* Nothing of it has been let out. */
static void forget_flow(struct pcapng *pcapng, struct stream *stream)
{
	struct link *link = stream->user;

	flow_drop(link->flow);
	put_flow(pcapng, link->flow);
	link->flow = NULL;
}

static void on_paired(void *ctx, struct stream *stream)
{
	struct pcapng *pcapng = ctx;
	bool accepts = stream->role == ROLE_ACCEPTS && stream->peer->role != ROLE_ACCEPTS;
	struct stream *keep = accepts ? stream : stream->peer;
	struct stream *drop = accepts ? stream->peer : stream;
	struct link *link = drop->user;

	if (is_messages(stream)) {
		share(pcapng, stream->peer, stream);
		return;
	}
	if (link && link->flow && !flow_is_written(link->flow))
		forget_flow(pcapng, drop);
	else if (link && link->flow)
		share(pcapng, drop, keep);
	if (!drop->user)
		drop->user = own_zalloc(sizeof(*link));
	link = drop->user;
	link->silent = true;
}

/* Follows a TLS handshake, and holds packets back while its secrets are due. */
static void follow_tls(struct pcapng *pcapng, struct flow *flow, int side,
		       const struct event *event)
{
	struct pcap_tls *tls = &flow->tls;
	bool known = tls->has_random;
	char name[TLS_NAME];

	pcap_tls_add(tls, side, event->data.payload, event->data.captured);
	if (tls->is_none || pcapng->plain)
		return;
	if (tls->has_random && !known)
		map_put(&pcapng->randoms, random_key(tls->random), flow);
	if (!tls->named && pcap_tls_name(tls, name)) {
		tls->named = true;
		add_name(pcapng, &flow->addrs[!tls->client], name);
	}
	if (pcap_tls_wants_secrets(tls))
		flow_hold(flow, HOLD_TLS, event->time);
	else
		flow_release(flow, HOLD_TLS);
}

/* Which of the two layers is written. */
static bool is_written(const struct pcapng *pcapng, struct flow *flow,
		       const struct event_data *data)
{
	if (data->layer == LAYER_PLAIN) {
		flow->is_plain |= pcapng->plain;
		return pcapng->plain;
	}
	return !pcapng->plain || (flow->tls.is_none && !flow->is_plain);
}

static void on_bytes(void *ctx, struct stream *stream, const struct event *event)
{
	struct pcapng *pcapng = ctx;
	const struct event_data *data = &event->data;
	struct flow *flow = flow_of(pcapng, stream);
	struct link *link = stream->user;
	int side = side_of(stream, data->dir);

	if (!flow)
		return;
	if (data->layer == LAYER_WIRE && !is_messages(stream))
		follow_tls(pcapng, flow, side, event);
	else
		flow->tls.is_none |= is_messages(stream);
	if (!is_written(pcapng, flow, data))
		return;
	if (is_messages(stream)) {
		flow_add_datagram(flow, side, data->dir == DIR_OUT, event);
		return;
	}
	flow_add_bytes(flow, side, link->given[data->dir], data->payload, data->captured, event);
	link->given[data->dir] += data->captured;
}

static void on_gap(void *ctx, struct stream *stream, enum event_layer layer, enum event_dir dir,
		   uint64_t len, const struct event *event)
{
	struct pcapng *pcapng = ctx;
	struct link *link = stream->user;

	(void)event;
	if (!link || !link->flow || (layer == LAYER_PLAIN) != pcapng->plain)
		return;
	link->given[dir] += len;
	if (!link->silent)
		flow_skip(link->flow, side_of(stream, dir), link->given[dir]);
}

static void on_ended(void *ctx, struct stream *stream, enum event_dir dir,
		     const struct event *event)
{
	struct flow *flow = stream->user ? flow_of(ctx, stream) : NULL;

	if (flow)
		flow_add_fin(flow, side_of(stream, dir), event);
}

static void on_closed(void *ctx, struct stream *stream, const struct event *event)
{
	struct pcapng *pcapng = ctx;
	struct flow *flow = stream->user ? flow_of(pcapng, stream) : NULL;

	pcap_listeners_forget(&pcapng->listeners, stream->conn);
	if (!flow || is_messages(stream))
		return;
	/* An answer that was never seen is no connection that could be ended. */
	if (event && (flow->syn[1] || !flow->syn[0]))
		flow_add_fin(flow, side_of(stream, DIR_OUT), event);
	flow_release(flow, HOLD_TLS);
}

static void on_forgotten(void *ctx, struct stream *stream)
{
	struct link *link = stream->user;

	if (link)
		put_flow(ctx, link->flow);
	free(link);
}

static const struct stream_ops ops = {
	.event = on_event,
	.paired = on_paired,
	.bytes = on_bytes,
	.gap = on_gap,
	.ended = on_ended,
	.closed = on_closed,
	.forgotten = on_forgotten,
};

/* A secret belongs before the packets it decrypts: those that are held back, if they are. */
static void add_secret(struct pcapng *pcapng, const char *line)
{
	uint8_t random[TLS_RANDOM];
	unsigned int label;
	struct flow *flow;
	struct buf text auto_buf = { 0 };

	if (!line || pcapng->plain || !pcap_tls_parse(line, random, &label))
		return;
	buf_addf(&text, "%s\n", line);
	flow = flow_by_random(pcapng, random);
	if (flow)
		flow->tls.labels |= label;
	if (!flow || !(flow->held & HOLD_TLS)) {
		pcap_add_secrets(out_buf(pcapng->file.out), text.data, text.len);
		return;
	}
	buf_add(&flow->tls.secrets, text.data, text.len);
	if (pcap_tls_is_complete(flow->tls.labels))
		flow_release(flow, HOLD_TLS);
}

static void begin(struct pcapng *pcapng, const struct event *event)
{
	struct buf *buf = out_buf(pcapng->file.out);
	const char *kernel = event && event->type == EVENT_IOTRACE ? event->start.kernel : NULL;
	char os[128];

	snprintf(os, sizeof(os), "Linux %s", kernel ? kernel : "");
	pcap_add_section(buf, os);
	pcap_add_interface(buf, pcapng->file.pktap ? LINKTYPE_PKTAP : LINKTYPE_RAW);
	pcapng->begun = true;
}

static void add_event(void *ctx, struct event *event)
{
	struct pcapng *pcapng = ctx;

	flows_release_old(&pcapng->file, event->time);
	if (event->type == EVENT_SECRET)
		add_secret(pcapng, event->secret.line);
	else
		streams_add(pcapng->streams, event);
	out_end_record(pcapng->file.out);
}

static void pcapng_emit(struct sink *sink, struct event *event)
{
	struct pcapng *pcapng = (struct pcapng *)sink;

	if (!pcapng->begun)
		begin(pcapng, event);
	order_add(pcapng->order, event);
}

static bool pcapng_idle(struct sink *sink)
{
	struct pcapng *pcapng = (struct pcapng *)sink;

	return order_idle(pcapng->order, clock_monotonic());
}

static int pcapng_finish(struct sink *sink)
{
	struct pcapng *pcapng = (struct pcapng *)sink;
	int result;

	if (!pcapng->begun)
		begin(pcapng, NULL);
	order_free(pcapng->order);
	streams_free(pcapng->streams);
	result = out_close(pcapng->file.out);
	pcap_listeners_done(&pcapng->listeners);
	map_done(&pcapng->randoms);
	map_done(&pcapng->names);
	free(pcapng);
	return result;
}

struct sink *pcapng_new(struct out *out, const struct format_options *options)
{
	struct pcapng *pcapng = own_zalloc(sizeof(*pcapng));

	pcapng->sink =
		(struct sink){ .emit = pcapng_emit, .finish = pcapng_finish, .idle = pcapng_idle };
	pcapng->order = order_new(add_event, pcapng);
	pcapng->file = (struct pcap_file){ .out = out, .pktap = !options->pcap_raw };
	TAILQ_INIT(&pcapng->file.held);
	pcapng->plain = options->pcap_plain;
	pcapng->streams = streams_new(&ops, pcapng);
	return &pcapng->sink;
}
