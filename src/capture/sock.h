/*
 * A socket as we know it, for its whole life: whichever processes and descriptors refer to it. Its
 * identity is the kernel's: inode number and cookie.
 */
#ifndef CAPTURE_SOCK_H
#define CAPTURE_SOCK_H

#include "base/map.h"
#include "iotrace/event.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What the kernel says of a socket at some moment. */
struct sock_info {
	uint64_t inode;  /* 0: not known */
	uint64_t cookie; /* SO_COOKIE; 0: not known */
	enum event_family family;
	enum event_proto proto;
	struct addr local;
	struct addr remote;
	bool listening;
	bool has_cred;
	struct event_cred cred; /* SO_PEERCRED, of connected unix sockets */
	bool ktls[DIRS];        /* the kernel encrypts: what is moved is plaintext */
};

/* The kernel's count of a TCP socket's bytes, and what it is compared with; audit.c. */
struct audit_counts {
	uint64_t bytes[DIRS];
	uint64_t sent; /* data alone (Linux 4.19) */
	bool vague;    /* up to one too many */
};

struct audit {
	bool begun, ended;
	uint64_t base[DIRS];   /* the kernel's count where ours began */
	uint64_t base_sent;    /* … without a SYN */
	uint64_t sealed[DIRS]; /* unseen before the kernel began to encrypt */
	struct audit_counts final;
};

struct sock {
	struct sock_info info;
	uint64_t conn;          /* number in the events, 0 before the first one */
	unsigned int refs;      /* descriptors, and calls that are under way */
	unsigned int in_flight; /* sent to another process that has not received it yet */
	bool hidden;            /* was there before us and has not been used yet */
	unsigned int fds;       /* descriptors in traced processes */
	bool connecting;        /* connect() said EINPROGRESS */
	bool settled;           /* both ends are known as far as they will be */
	bool zerocopy;          /* has received by TCP_ZEROCOPY_RECEIVE */
	bool tls;               /* a ClientHello was seen, with client_random */
	bool plain_seen;
	uint64_t session; /* of the library's that was bound to it last; 0: none */
	uint8_t client_random[32];
	enum event_dir hello_dir; /* which way that went */
	struct audit audit;
	char *path; /* of a file, pipe or terminal; NULL for sockets */
	uint64_t moved[DIRS];
};

/* All sockets that somebody refers to. */
struct sock_table {
	struct map by_key;
	struct map
		conns; /* cookies of sockets that were let go → their number: they can come back */
};

/* The socket with that identity, made if it is not known (*ret_new says so). One reference more. */
struct sock *sock_table_get(struct sock_table *table, const struct sock_info *info, bool *ret_new);
void sock_table_done(struct sock_table *table);

struct sock *sock_get(struct sock *sock);
/* Releases one reference; accepts NULL. */
void sock_put(struct sock_table *table, struct sock *sock);

/*
 * Asks the kernel about a socket, by a duplicate of its descriptor (pidfd_getfd, Linux 5.6): the
 * answers are those of the socket's own network namespace. 0, -ENOTSOCK or another -errno.
 */
int sock_ask(int fd, struct sock_info *ret_info);

/* Names for the arguments of socket(2): the family and protocol of the events. */
enum event_family sock_family(int domain);
enum event_proto sock_proto(int domain, int type, int protocol);

#endif
