/*
 * The rows. Argument orders are those of the man pages in section 2; they are the same on every
 * processor that we know, but for i386's socketcall (see docs/howto/add-a-syscall.md).
 */
#include "abi/sys.h"

#include "abi/levels.h"

#include <fcntl.h>
#include <linux/prctl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#define NO_ARGS .fd = -1, .data = -1, .len = -1, .flags = -1, .addr = -1, .addrlen = -1
#define IF(a, v)                                                        \
	{                                                               \
		.arg = (a), .mask = 0xffffffffU, .value = (uint32_t)(v) \
	}
#define IF_BIT(a, v)                                                      \
	{                                                                 \
		.arg = (a), .mask = (uint32_t)(v), .value = (uint32_t)(v) \
	}

/* A call without bytes: which argument is the descriptor. */
#define CALL(n, o, w, f)                                                               \
	{                                                                              \
		.name = (n), .op = (o), .when = (w), .fd = (f), .data = -1, .len = -1, \
		.flags = -1, .addr = -1, .addrlen = -1                                 \
	}
#define CALL_IF(n, o, w, f, ...)                                                       \
	{                                                                              \
		.name = (n), .op = (o), .when = (w), .fd = (f), .data = -1, .len = -1, \
		.flags = -1, .addr = -1, .addrlen = -1, .conds = {                     \
			__VA_ARGS__                                                    \
		}                                                                      \
	}
/* A call with flags, or a socket address. */
#define CALL_ADDR(n, o, w, fl, a, l)                                                 \
	{                                                                            \
		.name = (n), .op = (o), .when = (w), .fd = 0, .data = -1, .len = -1, \
		.flags = (fl), .addr = (a), .addrlen = (l)                           \
	}
/* A call that moves bytes on descriptor argument 0. */
#define DATA(n, w, d, s, p, l, fl, a, al)                                                   \
	{                                                                                   \
		.name = (n), .op = OP_DATA, .when = (w), .dir = (d), .shape = (s), .fd = 0, \
		.data = (p), .len = (l), .flags = (fl), .addr = (a), .addrlen = (al)        \
	}

#define DATA_IF(n, w, d, s, c)                                                              \
	{                                                                                   \
		.name = (n), .op = OP_DATA, .when = (w), .dir = (d), .shape = (s), .fd = 0, \
		.data = 1, .len = 2, .flags = -1, .addr = -1, .addrlen = -1, .conds = {     \
			c                                                                   \
		}                                                                           \
	}

const struct sys_row sys_rows[] = {
	DATA("read", WHEN_WIDE, SYS_IN, SHAPE_BUF, 1, 2, -1, -1, -1),
	DATA("write", WHEN_WIDE, SYS_OUT, SHAPE_BUF, 1, 2, -1, -1, -1),
	DATA("readv", WHEN_WIDE, SYS_IN, SHAPE_IOV, 1, 2, -1, -1, -1),
	DATA("writev", WHEN_WIDE, SYS_OUT, SHAPE_IOV, 1, 2, -1, -1, -1),
	DATA("recvfrom", WHEN_WIDE, SYS_IN, SHAPE_BUF, 1, 2, 3, 4, 5),
	DATA("recv", WHEN_WIDE, SYS_IN, SHAPE_BUF, 1, 2, 3, -1, -1),
	DATA("sendto", WHEN_NAMED, SYS_OUT, SHAPE_BUF, 1, 2, 3, 4, 5),
	DATA("send", WHEN_WIDE, SYS_OUT, SHAPE_BUF, 1, 2, 3, -1, -1),
	/* Always: descriptors can come with it (SCM_RIGHTS). */
	DATA("recvmsg", WHEN_ALWAYS, SYS_IN, SHAPE_MSG, 1, -1, 2, -1, -1),
	DATA("recvmmsg", WHEN_ALWAYS, SYS_IN, SHAPE_MMSG, 1, 2, 3, -1, -1),
	DATA("recvmmsg_time64", WHEN_ALWAYS, SYS_IN, SHAPE_MMSG, 1, 2, 3, -1, -1),
	DATA("sendmsg", WHEN_NAMED, SYS_OUT, SHAPE_MSG, 1, -1, 2, -1, -1),
	DATA("sendmmsg", WHEN_NAMED, SYS_OUT, SHAPE_MMSG, 1, 2, 3, -1, -1),
	/* With an offset, sockets refuse them (ESPIPE); -1 is none. */
	DATA_IF("preadv2", WHEN_WIDE, SYS_IN, SHAPE_IOV, IF(3, -1)),
	DATA_IF("pwritev2", WHEN_WIDE, SYS_OUT, SHAPE_IOV, IF(3, -1)),
	DATA("pread64", WHEN_FILES, SYS_IN, SHAPE_BUF, 1, 2, -1, -1, -1),
	DATA("pwrite64", WHEN_FILES, SYS_OUT, SHAPE_BUF, 1, 2, -1, -1, -1),
	DATA("preadv", WHEN_FILES, SYS_IN, SHAPE_IOV, 1, 2, -1, -1, -1),
	DATA("pwritev", WHEN_FILES, SYS_OUT, SHAPE_IOV, 1, 2, -1, -1, -1),
	DATA("vmsplice", WHEN_FILES, SYS_OUT, SHAPE_IOV, 1, 2, -1, -1, -1),
	CALL("sendfile", OP_SENDFILE, WHEN_WIDE, 0),
	CALL("sendfile64", OP_SENDFILE, WHEN_WIDE, 0),
	CALL("splice", OP_SPLICE, WHEN_WIDE, 0),

	CALL("socket", OP_SOCKET, WHEN_ALWAYS, -1),
	CALL("socketpair", OP_SOCKETPAIR, WHEN_ALWAYS, -1),
	CALL_ADDR("bind", OP_BIND, WHEN_NAMED, -1, 1, 2),
	CALL("listen", OP_LISTEN, WHEN_WIDE, 0),
	CALL_ADDR("connect", OP_CONNECT, WHEN_NAMED, -1, 1, 2),
	CALL_ADDR("accept", OP_ACCEPT, WHEN_WIDE, -1, 1, 2),
	CALL_ADDR("accept4", OP_ACCEPT, WHEN_WIDE, 3, 1, 2),
	CALL_ADDR("shutdown", OP_SHUTDOWN, WHEN_WIDE, 1, -1, -1),
	CALL_IF("getsockopt", OP_GETSOCKOPT, WHEN_WIDE, 0, IF(2, SO_ERROR),
		IF(2, TCP_ZEROCOPY_RECEIVE)),
	CALL_IF("setsockopt", OP_SETSOCKOPT, WHEN_ALWAYS, 0, IF(1, SOL_TLS), IF(1, SOL_PACKET),
		IF(1, SOL_XDP)),
	CALL("io_uring_setup", OP_IO_URING, WHEN_ALWAYS, -1),
	CALL("execve", OP_EXECVE, WHEN_WIDE, -1),
	CALL("execveat", OP_EXECVE, WHEN_WIDE, -1),

	CALL("close", OP_CLOSE, WHEN_WIDE, 0),
	CALL("close_range", OP_CLOSE_RANGE, WHEN_WIDE, -1),
	CALL("dup", OP_DUP, WHEN_WIDE, 0),
	CALL("dup2", OP_DUP_TO, WHEN_WIDE, 0),
	CALL("dup3", OP_DUP_TO, WHEN_WIDE, 0),
	CALL_IF("fcntl", OP_DUP, WHEN_WIDE, 0, IF(1, F_DUPFD), IF(1, F_DUPFD_CLOEXEC)),
	CALL_IF("fcntl64", OP_DUP, WHEN_WIDE, 0, IF(1, F_DUPFD), IF(1, F_DUPFD_CLOEXEC)),
	CALL_IF("unshare", OP_UNSHARE, WHEN_ALWAYS, -1, IF_BIT(0, CLONE_FILES),
		IF_BIT(0, CLONE_NEWUSER)),
	CALL("pidfd_getfd", OP_PIDFD_GETFD, WHEN_ALWAYS, -1),

	/* A child that asks not to be traced would live on with our filter and without us. */
	CALL_IF("clone", OP_CLONE, WHEN_ALWAYS, -1, IF_BIT(0, CLONE_UNTRACED)),
	CALL("clone3", OP_CLONE, WHEN_ALWAYS, -1),

	CALL("setuid", OP_LOCK, WHEN_ALWAYS, -1),
	CALL("setuid32", OP_LOCK, WHEN_ALWAYS, -1),
	CALL("setreuid", OP_LOCK, WHEN_ALWAYS, -1),
	CALL("setreuid32", OP_LOCK, WHEN_ALWAYS, -1),
	CALL("setresuid", OP_LOCK, WHEN_ALWAYS, -1),
	CALL("setresuid32", OP_LOCK, WHEN_ALWAYS, -1),
	CALL("capset", OP_LOCK, WHEN_ALWAYS, -1),
	CALL("setns", OP_LOCK, WHEN_ALWAYS, -1),
	CALL("seccomp", OP_LOCK, WHEN_ALWAYS, -1),
	CALL_IF("prctl", OP_PRCTL, WHEN_ALWAYS, -1, IF(0, PR_SET_NAME), IF(0, PR_SET_SECCOMP)),

	CALL_IF("mmap", OP_MMAP, WHEN_PROBED, -1, IF_BIT(2, PROT_EXEC)),
	CALL_IF("mmap2", OP_MMAP, WHEN_PROBED, -1, IF_BIT(2, PROT_EXEC)),
	CALL_IF("ptrace", OP_PTRACE, WHEN_ALWAYS, -1, IF(0, PTRACE_TRACEME), IF(0, PTRACE_ATTACH),
		IF(0, PTRACE_SEIZE)),

	CALL("sched_getaffinity", OP_GET_AFFINITY, WHEN_PINNED, -1),
	CALL("sched_setaffinity", OP_SET_AFFINITY, WHEN_PINNED, -1),
	{ NO_ARGS },
};
