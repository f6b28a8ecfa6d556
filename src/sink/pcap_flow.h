/*
 * A connection as packets: numbers of both sides, what of its beginning and end was seen, and packets
 * that are held back. Side 0 is who connects, side 1 who accepts. Where both ends are traced, both
 * streams share one flow; a byte is written once, whichever end it was seen at first.
 */
#ifndef SINK_PCAP_FLOW_H
#define SINK_PCAP_FLOW_H

#include "iotrace/event.h"
#include "sink/out.h"
#include "sink/pcap_tls.h"
#include "stream/stream.h"

#include <sys/queue.h>

#define SIDES 2

/* Where all packets go. */
struct pcap_file {
	struct out *out;
	bool pktap;
	TAILQ_HEAD(, flow) held; /* flows whose packets are held back, the longest held first */
	size_t held_bytes;
};

/* Why packets are held back. */
enum hold {
	HOLD_PEER = 1, /* the accepting end is about to be seen */
	HOLD_TLS = 2,  /* the secrets must come before the server's first flight */
};

/* Datagrams that were seen at one end only, so far. */
#define SEEN_MAX 64

struct seen {
	uint64_t hash;
	bool sent; /* at the sending end; else at the receiving one */
};

struct flow {
	struct pcap_file *file;
	unsigned int users; /* streams */
	struct addr addrs[SIDES];
	uint64_t conn;
	int out_side;     /* of the event that is being written: who sends is its process */
	uint8_t protocol; /* of IP */
	uint16_t id;
	uint32_t first[SIDES]; /* numbers of SYN */
	uint64_t sent[SIDES];  /* bytes before the next one */
	bool syn[SIDES], fin[SIDES], reset, begun, written;

	unsigned int held; /* enum hold */
	struct buf packets;
	uint64_t held_since; /* time of an event */
	TAILQ_ENTRY(flow) of_held;

	struct pcap_tls tls;
	bool is_plain; /* its plaintext is written instead of the wire's bytes */

	struct seen seen[SIDES][SEEN_MAX]; /* by the side that sends */
	size_t seen_count[SIDES];
};

/* NULL where the stream's bytes are nothing for packets. */
struct flow *flow_new(struct pcap_file *file, const struct stream *stream, int out_side);
void flow_free(struct flow *flow);

/* Bytes that side sent, from that offset on; what was written already is left out. */
void flow_add_bytes(struct flow *flow, int side, uint64_t offset, const void *data, size_t len,
		    const struct event *event);
/* Bytes up to that offset are not there. */
void flow_skip(struct flow *flow, int side, uint64_t end);
/* A datagram; sent: seen at the sending end. */
void flow_add_datagram(struct flow *flow, int side, bool sent, const struct event *event);

/* The parts of a handshake and of an end, where they have not been written yet. */
void flow_add_syn(struct flow *flow, const struct event *event);
void flow_add_answer(struct flow *flow, const struct event *event);
void flow_add_fin(struct flow *flow, int side, const struct event *event);
void flow_add_reset(struct flow *flow, int side, const struct event *event);

void flow_hold(struct flow *flow, enum hold hold, uint64_t time);
/* Lets the packets out, behind the secrets that have come, if nothing else holds them. */
void flow_release(struct flow *flow, unsigned int holds);
/* Forgets the packets that are held back. */
void flow_drop(struct flow *flow);
/* True where packets were written, not only held back. */
bool flow_is_written(const struct flow *flow);

/* Lets out what has been held too long or is too much. */
void flows_release_old(struct pcap_file *file, uint64_t now);

#endif
