/* The blocks of a pcapng file (draft-ietf-opsawg-pcapng), in this machine's byte order. */
#ifndef SINK_PCAP_BLOCK_H
#define SINK_PCAP_BLOCK_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINKTYPE_RAW   101
#define LINKTYPE_PKTAP 258

void pcap_add_section(struct buf *buf, const char *os);
/* The only one; times are in nanoseconds. */
void pcap_add_interface(struct buf *buf, uint16_t linktype);

struct pcap_packet {
	uint64_t time;
	bool outbound;
	int32_t pid, tid;
	const char *comment; /* NULL: none */
	size_t left_out;     /* bytes at its end that are not here */
};

/* The packet's bytes are added between the two. */
size_t pcap_begin_packet(struct buf *buf, const struct pcap_packet *packet);
void pcap_end_packet(struct buf *buf, size_t begun, const struct pcap_packet *packet);

/* A name for 4 or 16 bytes of address. */
void pcap_add_name(struct buf *buf, const uint8_t *addr, size_t len, const char *name);

/* TLS secrets, as lines of a key log (NSS). */
void pcap_add_secrets(struct buf *buf, const char *lines, size_t len);

#endif
