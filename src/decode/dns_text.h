/* Names and records of DNS (RFC 1035) as text, from hostile bytes. */
#ifndef DECODE_DNS_TEXT_H
#define DECODE_DNS_TEXT_H

#include "base/buf.h"
#include "base/span.h"

/*
 * Reads a name at the reader's place and adds it without the dot at its end; "." is the root. `whole`
 * is the message that pointers point into. The reader is set to bad where it is none.
 */
void dns_add_name(struct buf *out, struct span whole, struct reader *reader);

/* "example.com A", with the class where that is not the Internet's. */
void dns_add_question(struct buf *out, struct span whole, struct reader *reader);

struct dns_record {
	uint16_t type, class;
	uint32_t ttl;
	struct span data;
};

/* "example.com 300 A 192.0.2.1". */
void dns_add_record(struct buf *out, struct span whole, struct reader *reader,
		    struct dns_record *ret_record);

/* "version 0 udp 1232 do cookie …": what an OPT record says (RFC 6891). */
void dns_add_edns(struct buf *out, const struct dns_record *record);

#define DNS_TYPE_OPT 41

/* "NXDOMAIN"; numbers beyond those that are known are written RCODE42. */
void dns_add_rcode(struct buf *out, unsigned int rcode);

#endif
