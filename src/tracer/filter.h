/* The seccomp programs that make the kernel stop on what we trace and on nothing else. */
#ifndef TRACER_FILTER_H
#define TRACER_FILTER_H

#include "abi/sys.h"

#include <linux/filter.h>
#include <stdint.h>

/*
 * Calls made from this page pass every filter. The in-process fast path lives there; an older TRACE
 * beats a newer ALLOW, so each filter has to know it from the start. Below 4 GiB, so that one
 * comparison of the high half serves; clear of where programs and their heaps are loaded.
 */
#define FILTER_TRUSTED_PAGE 0x7a700000ULL
#define FILTER_TRUSTED_SIZE 0x1000ULL

/* The low 16 bits of our SECCOMP_RET_TRACE: PTRACE_GET_SYSCALL_INFO hands them back. */
#define FILTER_TRACE_DATA 0x494f

/* … of the filter that stands for strict mode: a call that it does not allow. */
#define FILTER_STRICT_DATA 0x4953

/*
 * Makes the filter for the rows that `wanted` (a bit per enum sys_when) names, on all our ABIs.
 * An unknown architecture is allowed. The numbers are compared first, so that the kernel (5.11)
 * caches the answer for calls that are not traced. 0 and a program to release with filter_done,
 * or -errno.
 */
int filter_make(unsigned int wanted, struct sock_fprog *ret_program);
void filter_done(struct sock_fprog *program);

#define FILTER_WANT(when) (1U << (when))

/* Beside these: io_uring_setup fails with ENOSYS, and needs no stop for it. */
#define FILTER_NO_IO_URING (1U << 31)

#endif
