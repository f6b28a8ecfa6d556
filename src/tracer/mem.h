/* Memory of a tracee. It is hostile: any address can be unmapped, and change while we read. */
#ifndef TRACER_MEM_H
#define TRACER_MEM_H

#include "abi/abi.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * Reads up to len bytes at addr of thread tid. Returns how many bytes from the start could be read
 * (the first unmapped page ends it), 0 included, or -ESRCH when the thread is gone.
 */
ssize_t mem_read(pid_t tid, uint64_t addr, void *data, size_t len);

/* 0, or -EFAULT where not all of it is there, or -ESRCH. */
int mem_read_all(pid_t tid, uint64_t addr, void *data, size_t len);

/* Writes all of it, -EFAULT otherwise. Needs the page writable by the tracee. */
int mem_write(pid_t tid, uint64_t addr, const void *data, size_t len);

/* A NUL-terminated string of at most cap - 1 bytes; its length, or -EFAULT, -ESRCH. */
ssize_t mem_read_string(pid_t tid, uint64_t addr, char *text, size_t cap);

/*
 * Gathers up to len bytes out of the remote pieces, in order; stops at the first byte that is not
 * there. Returns the number of bytes, or -ESRCH.
 */
ssize_t mem_gather(pid_t tid, const struct iovec *pieces, size_t count, void *data, size_t len);

#endif
