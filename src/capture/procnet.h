/*
 * Sockets of another process by what /proc tells: for where its descriptors cannot be duplicated
 * (containers' profiles often forbid pidfd_getfd and allow ptrace). Hostile names; bounded.
 */
#ifndef CAPTURE_PROCNET_H
#define CAPTURE_PROCNET_H

#include "capture/sock.h"

/*
 * As sock_ask, for descriptor fd of thread tid, in its own network namespace. The identity is the
 * inode; there is no cookie, and a unix socket's peer is not known. Family and addresses that are not
 * to be found are left out. 0, -ENOTSOCK, -EBADF, -ESRCH or another -errno.
 */
int procnet_ask(pid_t tid, int fd, struct sock_info *ret_info);

#endif
