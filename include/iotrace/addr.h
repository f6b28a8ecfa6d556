/* One end of a connection, as the kernel's socket calls give it. */
#ifndef IOTRACE_ADDR_H
#define IOTRACE_ADDR_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/*
 * len is the number of valid bytes of the union, 0 means "no address". For AF_UNIX it tells a path
 * from an abstract name (first byte NUL) from an unnamed socket (only the family), see unix(7).
 */
struct addr {
	socklen_t len;
	union {
		sa_family_t family;
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
};

#endif
