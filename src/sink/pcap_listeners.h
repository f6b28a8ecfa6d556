/* Listening sockets: the other end of a connection to one of them is about to be seen. */
#ifndef SINK_PCAP_LISTENERS_H
#define SINK_PCAP_LISTENERS_H

#include "base/map.h"
#include "stream/stream.h"

/* Zeroed: none. */
struct pcap_listeners {
	struct map by_conn; /* to struct addr */
};

/* Remembers one; beyond a bound they are not. */
void pcap_listeners_add(struct pcap_listeners *listeners, const struct event_socket *socket);
void pcap_listeners_forget(struct pcap_listeners *listeners, uint64_t conn);
void pcap_listeners_done(struct pcap_listeners *listeners);

/* One of them will accept this connection. */
bool pcap_listeners_await(const struct pcap_listeners *listeners, const struct stream *stream);

#endif
