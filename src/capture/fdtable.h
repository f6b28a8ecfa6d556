/*
 * The descriptors of a process, as far as we have met them: which are sockets that we capture, and
 * which are something else. What is not in the table has to be looked up (adopt.h). Tables are
 * shared by processes that share descriptors (CLONE_FILES).
 */
#ifndef CAPTURE_FDTABLE_H
#define CAPTURE_FDTABLE_H

#include "capture/sock.h"

#include <stdbool.h>

enum fd_state {
	FD_UNKNOWN,
	FD_OTHER, /* known, and nothing that is captured */
	FD_SOCKET,
};

struct fdtable {
	unsigned int refs;
	struct map fds;
	/* Told of every change, also of one from unknown to unknown. before: the socket it was, or NULL. */
	void (*watch)(void *ctx, int fd, enum fd_state state, struct sock *before);
	void *watch_ctx;
};

struct fdtable *fdtable_new(void);
struct fdtable *fdtable_get(struct fdtable *table);

/* *ret_sock is borrowed, and set for FD_SOCKET. */
enum fd_state fdtable_find(const struct fdtable *table, int fd, struct sock **ret_sock);

/*
 * Sets what fd is. The table takes a reference of its own on the socket and counts it in sock->fds;
 * the socket that was there before is returned to the caller, with its reference, already counted
 * off: NULL if there was none.
 */
struct sock *fdtable_set_socket(struct fdtable *table, int fd, struct sock *sock);
struct sock *fdtable_set_other(struct fdtable *table, int fd);
struct sock *fdtable_forget(struct fdtable *table, int fd);

/* True if any descriptor is a captured socket. */
bool fdtable_has_socket(const struct fdtable *table);

/* How many of the table's descriptors are that socket. */
unsigned int fdtable_count(const struct fdtable *table, const struct sock *sock);

/* The sockets' descriptors in ascending order; *ret_count of them, the caller frees the array. */
int *fdtable_sockets(const struct fdtable *table, size_t *ret_count);

/* Forgets all that is not a socket: it may have been closed unseen. */
void fdtable_forget_others(struct fdtable *table);

/* A copy with its own references, for fork(2). */
struct fdtable *fdtable_copy(const struct fdtable *table);

/* Releases one reference of the table. The last one must find no sockets in it. */
void fdtable_put(struct fdtable *table);

#endif
