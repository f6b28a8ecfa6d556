/*
 * What a descriptor of another process is: asked by a duplicate of it (pidfd_getfd, Linux 5.6), so in
 * its own network namespace; by way of /proc where duplicating is forbidden.
 */
#include "base/own.h"
#include "capture/procnet.h"
#include "capture/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static int get_fd(int pidfd, int fd)
{
	int own = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	return own < 0 ? -errno : own;
}

int descriptor_dup(struct task *task, int fd)
{
	struct cproc *cproc = cproc_of(task);
	int own = -ESRCH;

	if (cproc->pidfd >= 0)
		own = get_fd(cproc->pidfd, fd);
	if (own != -ESRCH)
		return own;
	/* The thread that it was opened for has ended, or there was none yet. */
	if (cproc->pidfd >= 0)
		close(cproc->pidfd);
	cproc->pidfd = open_pidfd(task->proc->pid, task->tid);
	return cproc->pidfd < 0 ? cproc->pidfd : get_fd(cproc->pidfd, fd);
}

/* By a container's profile, or because the process is not dumpable. */
static bool is_forbidden(int result)
{
	return result == -EPERM || result == -ENOSYS;
}

int descriptor_ask(struct task *task, int fd, struct sock_info *ret_info)
{
	int own auto_close = descriptor_dup(task, fd);

	if (is_forbidden(own))
		return procnet_ask(task->tid, fd, ret_info);
	return own < 0 ? own : sock_ask(own, ret_info);
}

int descriptor_open(struct task *task, int fd)
{
	int own = descriptor_dup(task, fd);
	char path[64];

	if (!is_forbidden(own))
		return own;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", task->tid, fd);
	own = openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return own < 0 ? -errno : own;
}

int process_ask(pid_t pid, int fd, struct sock_info *ret_info)
{
	int pidfd auto_close = open_pidfd(pid, pid);
	int own auto_close = pidfd < 0 ? pidfd : get_fd(pidfd, fd);

	if (is_forbidden(own))
		return procnet_ask(pid, fd, ret_info);
	return own < 0 ? own : sock_ask(own, ret_info);
}

/* Our own may always be duplicated, but for such a profile. */
static bool can_dup(void)
{
	int pidfd auto_close = open_pidfd(getpid(), getpid());
	int own auto_close = pidfd < 0 ? pidfd : get_fd(pidfd, pidfd);

	return !is_forbidden(own);
}

void lookup_check(struct capture *capture, struct task *task)
{
	if (capture->lookup_checked)
		return;
	capture->lookup_checked = true;
	if (!can_dup())
		emit_note(capture, task,
			  "descriptors of the traced programs cannot be duplicated (pidfd_getfd; a "
			  "container's profile may forbid it): sockets are looked up in /proc, and "
			  "bytes that no call shows are not noticed");
}
