/*
 * Descriptors and the sockets behind them: looked up where a call names one that we have not met,
 * taken in where a call makes one, let go where one is closed.
 */
#include "base/own.h"
#include "base/proc.h"
#include "capture/state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool sock_is_wanted(const struct capture *capture, const struct sock_info *info)
{
	(void)capture;
	return info->family == FAMILY_INET || info->family == FAMILY_INET6;
}

/*
 * PIDFD_THREAD (6.9) is the thread's own table, and works when the leader has ended; older kernels
 * know only the process.
 */
static int open_pidfd(pid_t pid, pid_t tid)
{
	int fd = (int)syscall(SYS_pidfd_open, tid, O_EXCL);

	if (fd < 0)
		fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return fd < 0 ? -errno : fd;
}

int descriptor_ask(struct task *task, int fd, struct sock_info *ret_info)
{
	struct cproc *cproc = cproc_of(task);
	int result;

	if (cproc->pidfd < 0)
		cproc->pidfd = open_pidfd(task->proc->pid, task->tid);
	if (cproc->pidfd < 0)
		return cproc->pidfd;
	result = sock_ask(cproc->pidfd, fd, ret_info);
	if (result != -ESRCH)
		return result;
	/* The thread that it was opened for has ended. */
	close(cproc->pidfd);
	cproc->pidfd = open_pidfd(task->proc->pid, task->tid);
	return cproc->pidfd < 0 ? cproc->pidfd : sock_ask(cproc->pidfd, fd, ret_info);
}

static struct sock *take_in(struct capture *capture, struct task *task, int fd,
			    const struct sock_info *info, bool *ret_new)
{
	struct sock *sock = sock_table_get(&capture->socks, info, ret_new);
	struct sock *old = fdtable_set_socket(cproc_of(task)->fds, fd, sock);

	descriptor_released(capture, task, fd, old);
	sock_put(&capture->socks, sock);
	return sock;
}

struct sock *descriptor_sock(struct capture *capture, struct task *task, int fd)
{
	struct fdtable *fds = cproc_of(task)->fds;
	struct sock_info info;
	struct sock *sock = NULL;
	bool is_new;
	int result;

	switch (fdtable_find(fds, fd, &sock)) {
	case FD_SOCKET:
		return sock;
	case FD_OTHER:
		return NULL;
	case FD_UNKNOWN:
		break;
	}
	result = descriptor_ask(task, fd, &info);
	/* -EBADF: the call will fail. A failure of ours is not remembered. */
	if (result && result != -ENOTSOCK)
		return NULL;
	if (result || !sock_is_wanted(capture, &info)) {
		fdtable_set_other(fds, fd);
		return NULL;
	}
	sock = take_in(capture, task, fd, &info, &is_new);
	if (is_new)
		emit_socket(capture, task, SOCKET_FOUND, fd, sock, 0);
	return sock;
}

struct sock *descriptor_made(struct capture *capture, struct task *task, int fd,
			     const struct sock_info *fallback)
{
	struct sock_info info;
	bool is_new;
	int result = descriptor_ask(task, fd, &info);

	if (result == -ESRCH)
		return NULL;
	if (result)
		info = *fallback;
	if (!sock_is_wanted(capture, &info)) {
		descriptor_released(capture, task, fd, fdtable_set_other(cproc_of(task)->fds, fd));
		return NULL;
	}
	return take_in(capture, task, fd, &info, &is_new);
}

void descriptor_released(struct capture *capture, struct task *task, int fd, struct sock *sock)
{
	if (!sock)
		return;
	if (!sock->fds)
		emit_socket(capture, task, SOCKET_CLOSE, fd, sock, 0);
	sock_put(&capture->socks, sock);
}

void table_release(struct capture *capture, struct task *task)
{
	struct cproc *cproc = cproc_of(task);
	int *fds auto_free = NULL;
	size_t count = 0;

	if (cproc->fds->refs == 1)
		fds = fdtable_sockets(cproc->fds, &count);
	for (size_t i = 0; i < count; i++)
		descriptor_released(capture, task, fds[i], fdtable_forget(cproc->fds, fds[i]));
	fdtable_put(cproc->fds);
	cproc->fds = NULL;
}

void table_unshare(struct capture *capture, struct task *task)
{
	struct cproc *cproc = cproc_of(task);
	struct fdtable *own;

	(void)capture;
	if (cproc->fds->refs == 1)
		return;
	own = fdtable_copy(cproc->fds);
	fdtable_put(cproc->fds);
	cproc->fds = own;
}

void table_check(struct capture *capture, struct task *task)
{
	struct fdtable *table = cproc_of(task)->fds;
	struct sock *sock = NULL;
	size_t count;
	int *fds auto_free = fdtable_sockets(table, &count);

	fdtable_forget_others(table);
	for (size_t i = 0; i < count; i++) {
		int64_t inode = proc_socket_inode(task->tid, fds[i]);

		if (fdtable_find(table, fds[i], &sock) == FD_SOCKET &&
		    (inode < 0 || (uint64_t)inode != sock->info.inode))
			descriptor_released(capture, task, fds[i], fdtable_forget(table, fds[i]));
	}
}

void table_widen(struct capture *capture, struct task *task)
{
	struct fdtable *table = cproc_of(task)->fds;

	tracer_widen(capture->tracer, task);
	if (table->refs == 1)
		return;
	MAP_FOR_EACH(node, &capture->procs) {
		struct cproc *other = map_value(node);

		if (other->fds == table && other->proc != task->proc)
			tracer_widen_other(capture->tracer, other->proc);
	}
}

struct scan {
	int pidfd;
	struct capture *capture;
	bool found;
};

static void scan_fd(void *ctx, int fd)
{
	struct scan *scan = ctx;
	struct sock_info info;

	if (!scan->found && !sock_ask(scan->pidfd, fd, &info))
		scan->found = sock_is_wanted(scan->capture, &info);
}

bool capture_owns_socket(void *capture, pid_t pid)
{
	struct scan scan = { .capture = capture };
	int pidfd auto_close = open_pidfd(pid, pid);

	scan.pidfd = pidfd;
	/* Where we cannot look it is safe to believe that it has one. */
	if (pidfd < 0 || proc_each(pid, "fd", scan_fd, &scan))
		return true;
	return scan.found;
}
