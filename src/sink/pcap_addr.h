/*
 * The IP addresses that a packet gets. A local socket has none; it gets one that is made up, out of
 * fd69:6f74:7261:6365::/64 ("iotrace"), by its name: docs/pcapng.md.
 */
#ifndef SINK_PCAP_ADDR_H
#define SINK_PCAP_ADDR_H

#include "stream/stream.h"

/* Both of one family, IPv4 or IPv6; false where the stream's bytes are nothing for packets. */
bool pcap_addrs(const struct stream *stream, struct addr *ret_local, struct addr *ret_remote);

/* The bytes of an address, their number in *ret_len. */
const uint8_t *pcap_addr_bytes(const struct addr *addr, size_t *ret_len);

#endif
