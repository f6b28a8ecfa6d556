/*
 * What a packet capture must know of TLS: whose secrets these are, by the client's random; when the
 * server's first flight begins, before which the secrets have to be; the server's name.
 */
#ifndef SINK_PCAP_TLS_H
#define SINK_PCAP_TLS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_RANDOM 32
#define TLS_NAME   256

/* Of one connection. */
struct pcap_tls {
	struct buf heads[2]; /* how each side begins, as much as is looked at */
	bool is_none;        /* it does not begin as TLS does */
	int client;          /* the side that said ClientHello; -1: nobody yet */
	int turns;           /* of the server: how often it has begun to speak */
	int last;            /* side that spoke last; -1: none */
	bool has_random, named;
	uint8_t random[TLS_RANDOM];
	unsigned int labels; /* of the secrets that have come */
	struct buf secrets;  /* their lines, until they are written */
};

void pcap_tls_init(struct pcap_tls *tls);
void pcap_tls_done(struct pcap_tls *tls);

/* What a side says next. */
void pcap_tls_add(struct pcap_tls *tls, int side, const void *data, size_t len);

/* True where the server's first flight goes on, and its secrets are not complete. */
bool pcap_tls_wants_secrets(const struct pcap_tls *tls);

/* The server's name, once it is known; false before. */
bool pcap_tls_name(const struct pcap_tls *tls, char name[TLS_NAME]);

/* A line of a key log: its client random, and the bit of its label. False where it is none. */
bool pcap_tls_parse(const char *line, uint8_t random[TLS_RANDOM], unsigned int *ret_label);

/* True where these labels decrypt a connection. */
bool pcap_tls_is_complete(unsigned int labels);

#endif
