/*
 * Where a call's bytes lie in the tracee, in one form whatever the call and the word size. Reads
 * the tracee's memory, which is hostile; bounded; makes no events.
 */
#ifndef CAPTURE_GATHER_H
#define CAPTURE_GATHER_H

#include "iotrace/addr.h"
#include "tracer/task.h"

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* UIO_MAXIOV: a call with more pieces fails with EINVAL or EMSGSIZE. */
#define GATHER_PIECES 1024

struct gather {
	struct iovec *pieces; /* remote addresses; points to one, or into heap */
	struct iovec one;
	size_t count;
	uint64_t total;  /* bytes asked for */
	bool unreadable; /* the descriptions were not there: nothing is known of the bytes */
};

/* struct msghdr, of 32- or 64-bit programs. */
struct gather_msg {
	uint64_t name, iov, control;
	uint64_t iovlen, controllen;
	uint32_t namelen;
	uint32_t flags;
};

/* 0, -EFAULT where the descriptions are not readable, -EINVAL where they are not valid, -ESRCH. */
int gather_call(struct gather *gather, const struct task *task);
int gather_iov(struct gather *gather, const struct task *task, uint64_t iov, uint64_t count);
int gather_msghdr(struct gather_msg *ret_msg, const struct task *task, uint64_t at);

/* struct mmsghdr: its size, and where in it the number of bytes stands. */
size_t gather_mmsg_size(const struct task *task);
size_t gather_mmsg_len_offset(const struct task *task);

void gather_done(struct gather *gather);

/* Copies up to len bytes; returns how many were readable from the start, or -ESRCH. */
ssize_t gather_copy(const struct gather *gather, const struct task *task, void *data, size_t len);

/* The socket address of len bytes at `at`; an empty one where it is not readable or not known. */
void gather_addr(struct addr *ret_addr, const struct task *task, uint64_t at, uint64_t len);

/* The same with the length behind a pointer, as at the exit of accept and recvfrom. */
void gather_addr_at(struct addr *ret_addr, const struct task *task, uint64_t at, uint64_t len_at);

#endif
