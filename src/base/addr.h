/* Addresses: make, compare, write. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include "iotrace/addr.h"

#include <stdbool.h>
#include <stddef.h>

/* Longest text that addr_format makes: an abstract name, each byte escaped, and the NUL. */
#define ADDR_TEXT_MAX 512

/*
 * Takes len bytes as the kernel or a program gave them (hostile: bounded, unknown families are kept
 * out). IPv4-mapped IPv6 addresses become IPv4. Returns false and an empty address where the bytes
 * are no address we know.
 */
bool addr_from_bytes(struct addr *ret_addr, const void *data, size_t len);

bool addr_equal(const struct addr *a, const struct addr *b);

/* True where the address names no peer or host: empty, port 0 with an any-address, unnamed. */
bool addr_is_empty(const struct addr *addr);

/* The port in host order, 0 for families without one. */
uint16_t addr_port(const struct addr *addr);

/*
 * "127.0.0.1:80", "[::1]:80", "[fe80::1%2]:80" (scope by number), a path, "@abstract", "" for
 * an empty one. Bytes of a path that are not UTF-8, controls and backslashes are written \xNN.
 * Returns text.
 */
const char *addr_format(const struct addr *addr, char text[ADDR_TEXT_MAX]);

/* The other way round; false where the text is none of those forms. */
bool addr_parse(struct addr *ret_addr, const char *text, size_t len);

#endif
