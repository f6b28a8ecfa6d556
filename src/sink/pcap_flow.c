#include "sink/pcap_flow.h"

#include "base/hash.h"
#include "base/own.h"
#include "sink/pcap_addr.h"
#include "sink/pcap_block.h"
#include "sink/pcap_header.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* Longest piece of a stream in one packet. */
#define SEGMENT 32768U

static uint8_t protocol_of(enum event_proto proto)
{
	switch (proto) {
	case PROTO_UDP:
	case PROTO_UNIX_DGRAM:
		return IPPROTO_UDP;
	case PROTO_UDPLITE:
		return IPPROTO_UDPLITE;
	case PROTO_RAW:
		return IP_RAW;
	case PROTO_ICMP:
		return IPPROTO_ICMP;
	default:
		return IPPROTO_TCP;
	}
}

struct flow *flow_new(struct pcap_file *file, const struct stream *stream, int out_side)
{
	struct flow *flow;
	struct addr local, remote;

	if (!pcap_addrs(stream, &local, &remote))
		return NULL;
	flow = own_zalloc(sizeof(*flow));
	flow->file = file;
	flow->addrs[out_side] = local;
	flow->addrs[!out_side] = remote;
	flow->conn = stream->conn;
	flow->protocol = protocol_of(stream->proto);
	if (flow->protocol == IPPROTO_ICMP && local.family == AF_INET6)
		flow->protocol = IPPROTO_ICMPV6;
	/* Different for a later connection between the same ports. */
	flow->first[0] = (uint32_t)stream->conn * 0x9e3779b1U;
	flow->first[1] = ~flow->first[0];
	pcap_tls_init(&flow->tls);
	return flow;
}

static void unlist(struct flow *flow)
{
	TAILQ_REMOVE(&flow->file->held, flow, of_held);
	flow->file->held_bytes -= flow->packets.len;
	flow->held = 0;
}

void flow_free(struct flow *flow)
{
	if (flow->held)
		unlist(flow);
	pcap_tls_done(&flow->tls);
	buf_done(&flow->packets);
	free(flow);
}

/* One packet, still without its headers. */
struct piece {
	int side; /* that sends it */
	uint8_t flags;
	uint32_t seq;
	const uint8_t *payload;
	size_t len, left_out;
};

static bool is_outbound(const struct flow *flow, const struct piece *piece)
{
	return piece->side == flow->out_side;
}

static void add_headers(struct flow *flow, struct buf *buf, const struct piece *piece,
			const struct event *event)
{
	int other = !piece->side;
	struct pktap pktap = { .outbound = is_outbound(flow, piece),
			       .inet6 = flow->addrs[0].family == AF_INET6,
			       .pid = event->pid,
			       .comm = event->comm };
	struct header header = {
		.from = &flow->addrs[piece->side],
		.to = &flow->addrs[other],
		.protocol = flow->protocol,
		.id = flow->id++,
		.flags = piece->flags,
		.seq = piece->seq,
		.ack = piece->flags & TCP_ACK
			       ? flow->first[other] + 1 + (uint32_t)flow->sent[other] +
					 flow->fin[other]
			       : 0,
	};

	if (flow->file->pktap)
		header_add_pktap(buf, &pktap);
	/* What a raw IPv4 socket receives has its header. */
	if (flow->protocol == IP_RAW && piece->len && piece->payload[0] >> 4 == 4 &&
	    !is_outbound(flow, piece))
		buf_add(buf, piece->payload, piece->len);
	else
		header_add(buf, &header, piece->payload, piece->len);
}

static void add_packet(struct flow *flow, const struct piece *piece, const struct event *event)
{
	struct buf *buf = flow->held ? &flow->packets : out_buf(flow->file->out);
	size_t before = flow->packets.len;
	struct pcap_packet packet = { .time = event->time,
				      .outbound = is_outbound(flow, piece),
				      .pid = event->pid,
				      .tid = event->tid };
	char comment[128];
	size_t begun;

	if (!flow->begun) {
		snprintf(comment, sizeof(comment), "iotrace: connection %lu, %s[%d]", flow->conn,
			 event->comm, event->pid);
		packet.comment = comment;
	}
	flow->begun = true;
	begun = pcap_begin_packet(buf, &packet);
	add_headers(flow, buf, piece, event);
	packet.left_out = piece->left_out;
	pcap_end_packet(buf, begun, &packet);
	flow->file->held_bytes += flow->packets.len - before;
	if (flow->held)
		return;
	flow->written = true;
	out_end_record(flow->file->out);
}

/* A packet of TCP without payload. */
static void add_control(struct flow *flow, int side, uint8_t flags, uint32_t seq,
			const struct event *event)
{
	const struct piece piece = { .side = side, .flags = flags, .seq = seq };

	if (flow->protocol == IPPROTO_TCP)
		add_packet(flow, &piece, event);
}

static uint32_t seq_of(const struct flow *flow, int side, uint64_t offset)
{
	return flow->first[side] + 1 + (uint32_t)offset;
}

void flow_add_syn(struct flow *flow, const struct event *event)
{
	if (flow->syn[0] || flow->sent[0] || flow->sent[1])
		return;
	flow->syn[0] = true;
	add_control(flow, 0, TCP_SYN, flow->first[0], event);
}

void flow_add_answer(struct flow *flow, const struct event *event)
{
	if (!flow->syn[0] || flow->syn[1] || flow->reset)
		return;
	flow->syn[1] = true;
	add_control(flow, 1, TCP_SYN | TCP_ACK, flow->first[1], event);
	add_control(flow, 0, TCP_ACK, seq_of(flow, 0, 0), event);
}

void flow_add_fin(struct flow *flow, int side, const struct event *event)
{
	if (flow->fin[side] || flow->reset || !flow->begun)
		return;
	flow_add_answer(flow, event);
	add_control(flow, side, TCP_FIN | TCP_ACK, seq_of(flow, side, flow->sent[side]), event);
	flow->fin[side] = true;
	if (flow->fin[!side])
		add_control(flow, !side, TCP_ACK, seq_of(flow, !side, flow->sent[!side]) + 1,
			    event);
}

void flow_add_reset(struct flow *flow, int side, const struct event *event)
{
	bool refused = flow->syn[0] && !flow->syn[1] && side == 1;

	if (flow->reset || !flow->begun)
		return;
	flow->reset = true;
	add_control(flow, side, TCP_RST | TCP_ACK,
		    refused ? 0 : seq_of(flow, side, flow->sent[side]), event);
}

void flow_add_bytes(struct flow *flow, int side, uint64_t offset, const void *data, size_t len,
		    const struct event *event)
{
	struct piece piece = { .side = side, .flags = TCP_ACK, .payload = data };
	uint64_t known = flow->sent[side] > offset ? flow->sent[side] - offset : 0;

	flow_add_answer(flow, event);
	if (known >= len || flow->fin[side])
		return;
	piece.payload += known;
	len -= known;
	flow->sent[side] = offset + known;
	while (len) {
		piece.len = len < SEGMENT ? len : SEGMENT;
		piece.seq = seq_of(flow, side, flow->sent[side]);
		if (piece.len == len)
			piece.flags |= TCP_PSH;
		add_packet(flow, &piece, event);
		flow->sent[side] += piece.len;
		piece.payload += piece.len;
		len -= piece.len;
	}
}

void flow_skip(struct flow *flow, int side, uint64_t end)
{
	if (end > flow->sent[side])
		flow->sent[side] = end;
}

/* Of the beginning, and the length. */
static uint64_t hash_of(const struct event_data *data)
{
	return hash_bytes(data->len, data->payload, data->captured < 256 ? data->captured : 256);
}

/* True where the other end has shown this datagram already; else it is remembered. */
static bool was_seen(struct flow *flow, int side, bool sent, const struct event_data *data)
{
	struct seen *seen = flow->seen[side], now = { hash_of(data), sent };
	size_t *count = &flow->seen_count[side];

	for (size_t i = 0; i < *count; i++) {
		if (seen[i].hash != now.hash || seen[i].sent == sent)
			continue;
		memmove(seen + i, seen + i + 1, (--*count - i) * sizeof(*seen));
		return true;
	}
	if (*count == SEEN_MAX)
		memmove(seen, seen + 1, --*count * sizeof(*seen));
	seen[(*count)++] = now;
	return false;
}

void flow_add_datagram(struct flow *flow, int side, bool sent, const struct event *event)
{
	const struct event_data *data = &event->data;
	uint64_t full = data->full > data->len ? data->full : data->len;
	struct piece piece = { .side = side, .payload = data->payload };

	if (was_seen(flow, side, sent, data))
		return;
	piece.len = data->captured < HEADER_PAYLOAD_MAX ? data->captured : HEADER_PAYLOAD_MAX;
	piece.left_out = full - piece.len < UINT32_MAX / 2 ? full - piece.len : UINT32_MAX / 2;
	add_packet(flow, &piece, event);
}

void flow_hold(struct flow *flow, enum hold hold, uint64_t time)
{
	if (!flow->held) {
		flow->held_since = time;
		TAILQ_INSERT_TAIL(&flow->file->held, flow, of_held);
	}
	flow->held |= hold;
}

void flow_release(struct flow *flow, unsigned int holds)
{
	struct out *out = flow->file->out;
	struct buf *secrets = &flow->tls.secrets;

	if (!(flow->held & holds))
		return;
	if (flow->held & ~holds) {
		flow->held &= ~holds;
		return;
	}
	unlist(flow);
	if (secrets->len)
		pcap_add_secrets(out_buf(out), secrets->data, secrets->len);
	secrets->len = 0;
	if (flow->packets.len) {
		out_write(out, flow->packets.data, flow->packets.len);
		flow->written = true;
	}
	out_end_record(out);
	buf_done(&flow->packets);
}

void flow_drop(struct flow *flow)
{
	if (flow->held)
		unlist(flow);
	buf_done(&flow->packets);
}

bool flow_is_written(const struct flow *flow)
{
	return flow->written;
}

/* A connection's own share, and everybody's. */
#define HELD_MAX     (64U << 10)
#define HELD_ALL_MAX (8U << 20)
#define HELD_NS      2000000000ULL

void flows_release_old(struct pcap_file *file, uint64_t now)
{
	struct flow *flow, *next;

	for (flow = TAILQ_FIRST(&file->held); flow; flow = next) {
		next = TAILQ_NEXT(flow, of_held);
		if (flow->packets.len > HELD_MAX || file->held_bytes > HELD_ALL_MAX ||
		    (now > flow->held_since && now - flow->held_since > HELD_NS))
			flow_release(flow, HOLD_PEER | HOLD_TLS);
	}
}
