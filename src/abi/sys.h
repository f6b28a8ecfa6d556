/*
 * What the traced system calls mean: one row per call, the same for every processor. Numbers come
 * from libseccomp by name (abi.c). Adding a call is adding a row to sys.c.
 */
#ifndef ABI_SYS_H
#define ABI_SYS_H

#include <stdint.h>

/* What to do about a call; the capture has one handler each. */
enum sys_op {
	OP_NONE,
	OP_DATA, /* moves bytes: dir, shape and the argument places tell which */
	OP_SOCKET,
	OP_SOCKETPAIR,
	OP_BIND,
	OP_LISTEN,
	OP_CONNECT,
	OP_ACCEPT,
	OP_SHUTDOWN,
	OP_GETSOCKOPT,
	OP_SETSOCKOPT,
	OP_SENDFILE,
	OP_SPLICE,
	OP_IO_URING,
	OP_EXECVE,
	OP_CLOSE,
	OP_CLOSE_RANGE,
	OP_DUP,
	OP_DUP_TO,
	OP_UNSHARE,
	OP_PIDFD_GETFD,
	OP_CLONE,
	OP_LOCK, /* afterwards the process may be unable to take a wider filter */
	OP_PTRACE,
	OP_MMAP,
	OP_PRCTL, /* PR_SET_NAME, PR_SET_SECCOMP */
	OP_GET_AFFINITY,
	OP_SET_AFFINITY,
	OPS,
};

/* When a call must be seen. */
enum sys_when {
	WHEN_ALWAYS, /* it makes or passes sockets, or must be seen before it happens */
	WHEN_WIDE,   /* once the process owns a socket */
	WHEN_NAMED,  /* the same; always with --unix, as its sockets count when they are used */
	WHEN_PROBED, /* the same, where functions are probed */
	WHEN_FILES,  /* only with --all-fds: files and pipes */
	WHEN_PINNED, /* only with --pin */
};

enum sys_dir { SYS_NO_DIR, SYS_OUT, SYS_IN };

/* How the bytes lie in memory. */
enum sys_shape {
	SHAPE_NONE,
	SHAPE_BUF,  /* pointer and length */
	SHAPE_IOV,  /* pointer to struct iovec and count */
	SHAPE_MSG,  /* pointer to struct msghdr */
	SHAPE_MMSG, /* pointer to struct mmsghdr and count */
};

/* Holds if (args[arg] & mask) == value. Conditions look at 32 bits only. */
struct sys_cond {
	uint32_t mask; /* 0: no condition */
	uint32_t value;
	uint8_t arg;
};

#define SYS_CONDS 3

/* An argument's place is its index; -1: the call has none. */
struct sys_row {
	const char *name;
	enum sys_op op;
	enum sys_when when;
	enum sys_dir dir;
	enum sys_shape shape;
	int8_t fd;
	int8_t data;    /* buffer, iovec array or msghdr */
	int8_t len;     /* its length or count */
	int8_t flags;   /* MSG_ flags, the flags of dup3 and accept4, or shutdown's how */
	int8_t addr;    /* socket address */
	int8_t addrlen; /* its length: by value when out, by pointer when in */
	struct sys_cond conds[SYS_CONDS]; /* traced if one holds; none given: always */
};

/* All rows; the last has no name. */
extern const struct sys_row sys_rows[];

#endif
