#include "sink/pcap_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* All little endian on disk, as on Apple's machines; that is what Wireshark takes it for. */
struct pktap_header {
	uint32_t length;
	uint32_t next; /* 1: a packet follows */
	uint32_t dlt;
	char interface[24];
	uint32_t flags;
	uint32_t family;
	uint32_t before, after;
	int32_t pid;
	char comm[20];
	uint32_t service;
	uint16_t interface_type, interface_unit;
	int32_t effective_pid;
	char effective_comm[20];
};

#define PKTAP_IN  1
#define PKTAP_OUT 2

/* DLT_RAW of BSD: what follows is an IP packet. */
#define DLT_RAW 12

/* Apple's AF_INET6. */
#define DARWIN_INET6 30

void header_add_pktap(struct buf *buf, const struct pktap *pktap)
{
	struct pktap_header header = {
		.length = htole32(sizeof(header)),
		.next = htole32(1),
		.dlt = htole32(DLT_RAW),
		.interface = "iotrace",
		.flags = htole32(pktap->outbound ? PKTAP_OUT : PKTAP_IN),
		.family = htole32(pktap->inet6 ? DARWIN_INET6 : AF_INET),
		.pid = (int32_t)htole32((uint32_t)pktap->pid),
		.effective_pid = (int32_t)htole32((uint32_t)pktap->pid),
	};

	_Static_assert(sizeof(header) == 108, "PKTAP");
	strncpy(header.comm, pktap->comm, sizeof(header.comm) - 1);
	strncpy(header.effective_comm, pktap->comm, sizeof(header.effective_comm) - 1);
	buf_add(buf, &header, sizeof(header));
}

/* The Internet checksum (RFC 1071), of pieces of even length but for the last. */
static uint64_t sum(uint64_t total, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t word;
	uint16_t last = 0;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		total += word;
	}
	if (len >= 2) {
		memcpy(&last, p, 2);
		total += last;
		p += 2;
		len -= 2;
	}
	/* A last odd byte is the high one of its word. */
	return len ? total + htons((uint16_t)(*p << 8)) : total;
}

static uint16_t fold(uint64_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

struct ipv4_header {
	uint8_t version, tos;
	uint16_t length, id, fragment;
	uint8_t ttl, protocol;
	uint16_t checksum;
	struct in_addr from, to;
};

struct ipv6_header {
	uint32_t version;
	uint16_t length;
	uint8_t next, hops;
	struct in6_addr from, to;
};

#define DONT_FRAGMENT 0x4000
#define TTL           64

/* Returns the sum of the pseudo header that the upper one's checksum includes. */
static uint64_t add_ip(struct buf *buf, const struct header *header, size_t len)
{
	uint32_t pseudo[2] = { htonl((uint32_t)len), htonl(header->protocol) };
	uint64_t total = sum(0, pseudo, sizeof(pseudo));

	if (header->from->family == AF_INET) {
		struct ipv4_header ip = { .version = 0x45,
					  .length = htons((uint16_t)(sizeof(ip) + len)),
					  .id = htons(header->id),
					  .fragment = htons(DONT_FRAGMENT),
					  .ttl = TTL,
					  .protocol = header->protocol,
					  .from = header->from->in.sin_addr,
					  .to = header->to->in.sin_addr };

		ip.checksum = fold(sum(0, &ip, sizeof(ip)));
		buf_add(buf, &ip, sizeof(ip));
		return sum(sum(total, &ip.from, 4), &ip.to, 4);
	}
	struct ipv6_header ip = { .version = htonl(6U << 28),
				  .length = htons((uint16_t)len),
				  .next = header->protocol,
				  .hops = TTL,
				  .from = header->from->in6.sin6_addr,
				  .to = header->to->in6.sin6_addr };

	buf_add(buf, &ip, sizeof(ip));
	return sum(sum(total, &ip.from, 16), &ip.to, 16);
}

struct tcp_header {
	uint16_t from, to;
	uint32_t seq, ack;
	uint8_t offset, flags;
	uint16_t window, checksum, urgent;
};

/* MSS, and a window that is never full: without one, an analyser sees a sender that waits. */
static const uint8_t syn_options[] = { 2, 4, 0x80, 0x00, 1, 3, 3, 14 };

static uint16_t port_of(const struct addr *addr)
{
	return addr->family == AF_INET ? addr->in.sin_port : addr->in6.sin6_port;
}

static void add_tcp(struct buf *buf, const struct header *header, const void *payload, size_t len)
{
	size_t options = header->flags & TCP_SYN ? sizeof(syn_options) : 0;
	struct tcp_header tcp = { .from = port_of(header->from),
				  .to = port_of(header->to),
				  .seq = htonl(header->seq),
				  .ack = htonl(header->ack),
				  .offset = (uint8_t)((sizeof(tcp) + options) / 4 << 4),
				  .flags = header->flags,
				  .window = htons(UINT16_MAX) };
	uint64_t total = add_ip(buf, header, sizeof(tcp) + options + len);

	total = sum(sum(total, &tcp, sizeof(tcp)), syn_options, options);
	tcp.checksum = fold(sum(total, payload, len));
	buf_add(buf, &tcp, sizeof(tcp));
	buf_add(buf, syn_options, options);
}

struct udp_header {
	uint16_t from, to, length, checksum;
};

static void add_udp(struct buf *buf, const struct header *header, const void *payload, size_t len)
{
	/* UDP-Lite (RFC 3828) has there how much the checksum covers; 0 is all. */
	bool lite = header->protocol == IPPROTO_UDPLITE;
	struct udp_header udp = { .from = port_of(header->from),
				  .to = port_of(header->to),
				  .length = lite ? 0 : htons((uint16_t)(sizeof(udp) + len)) };
	uint64_t total = add_ip(buf, header, sizeof(udp) + len);

	udp.checksum = fold(sum(sum(total, &udp, sizeof(udp)), payload, len));
	/* 0 would say that there is none. */
	if (!udp.checksum)
		udp.checksum = 0xffff;
	buf_add(buf, &udp, sizeof(udp));
}

void header_add(struct buf *buf, const struct header *header, const void *payload, size_t len)
{
	switch (header->protocol) {
	case IPPROTO_TCP:
		add_tcp(buf, header, payload, len);
		break;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		add_udp(buf, header, payload, len);
		break;
	default:
		add_ip(buf, header, len);
	}
	buf_add(buf, payload, len);
}
