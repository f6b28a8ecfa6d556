/* The headers in front of a packet's payload: PKTAP, IP, and TCP or UDP, with their checksums. */
#ifndef SINK_PCAP_HEADER_H
#define SINK_PCAP_HEADER_H

#include "base/buf.h"
#include "iotrace/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one process's packet (Wireshark's packet-pktap.c). */
struct pktap {
	bool outbound;
	bool inet6;
	int32_t pid;
	const char *comm;
};

void header_add_pktap(struct buf *buf, const struct pktap *pktap);

enum tcp_flag { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };

#define IP_RAW 255 /* what the protocol is, is not known */

/* What is around the payload. Both addresses are of one family, IPv4 or IPv6. */
struct header {
	const struct addr *from, *to;
	uint8_t protocol; /* IPPROTO_TCP, _UDP, _UDPLITE: with their header; others without */
	uint16_t id;      /* of IPv4 */
	uint8_t flags;    /* enum tcp_flag */
	uint32_t seq, ack;
};

/* Longest payload of one packet. */
#define HEADER_PAYLOAD_MAX 65000U

/* Adds the headers, and the payload. */
void header_add(struct buf *buf, const struct header *header, const void *payload, size_t len);

#endif
