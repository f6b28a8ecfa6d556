/*
 * Descriptors and the sockets behind them: looked up where a call names one that we have not met,
 * taken in where a call makes one, let go where one is closed.
 */
#include "base/own.h"
#include "base/proc.h"
#include "capture/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool sock_is_wanted(const struct capture *capture, const struct sock_info *info)
{
	if (info->family == FAMILY_INET || info->family == FAMILY_INET6 || capture->options.all_fds)
		return true;
	return info->family == FAMILY_UNIX && capture->options.unix_sockets;
}

static enum event_proto file_proto(const char *path)
{
	if (!strncmp(path, "pipe:", 5))
		return PROTO_PIPE;
	if (!strncmp(path, "/dev/pts/", 9) || !strncmp(path, "/dev/tty", 8) ||
	    !strcmp(path, "/dev/console"))
		return PROTO_TTY;
	return path[0] == '/' ? PROTO_FILE : PROTO_OTHER;
}

/* One of its references that was under way has arrived. */
static void land(struct capture *capture, struct sock *sock)
{
	if (!sock->in_flight)
		return;
	sock->in_flight--;
	capture->in_flight--;
	sock_put(&capture->socks, sock);
}

static struct sock *take_in(struct capture *capture, struct task *task, int fd,
			    const struct sock_info *info, bool *ret_new)
{
	struct sock *sock = sock_table_get(&capture->socks, info, ret_new);
	struct sock *old = fdtable_set_socket(cproc_of(task)->fds, fd, sock);

	land(capture, sock);
	descriptor_released(capture, task, fd, old);
	sock_put(&capture->socks, sock);
	return sock;
}

/* What is no socket is kept like one, with a path instead of addresses (--all-fds). */
static struct sock *file_found(struct capture *capture, struct task *task, int fd)
{
	struct fdtable *fds = cproc_of(task)->fds;
	struct sock_info info = { 0 };
	char name[32], path[4096];
	struct sock *sock;
	bool is_new;

	snprintf(name, sizeof(name), "fd/%d", fd);
	if (proc_link(task->tid, name, path, sizeof(path)) < 0)
		return NULL;
	info.proto = file_proto(path);
	sock = sock_table_get(&capture->socks, &info, &is_new);
	sock->path = own_strdup(path);
	descriptor_released(capture, task, fd, fdtable_set_socket(fds, fd, sock));
	sock_put(&capture->socks, sock);
	return sock;
}

/* The first use of a socket that was there before. */
static void found(struct capture *capture, struct task *task, int fd, struct sock *sock)
{
	/* It was known, and its descriptors were closed as far as we could see. */
	bool again = sock->conn != 0;
	/* A ring has accepted it, or connected it, and moved what there is. */
	bool by_ring = cproc_of(task)->ring && !sock->hidden && !task->proc->attached;

	sock->hidden = false;
	emit_socket(capture, task, SOCKET_FOUND, fd, sock, 0);
	if (!again)
		audit_adopt(capture, task, fd, sock, by_ring ? "unseen" : "before-attach");
}

/* When the descriptors were looked at, another thread may have been closing this one. */
static bool is_still(const struct task *task, int fd, const struct sock *sock)
{
	return !sock->info.inode || proc_socket_inode(task->tid, fd) == (int64_t)sock->info.inode;
}

/* A ring closes descriptors and makes others of the same number, which no call shows. */
static void renumbered(struct capture *capture, struct task *task, int fd)
{
	struct fdtable *fds = cproc_of(task)->fds;
	struct sock *sock = NULL;
	enum fd_state state = fdtable_find(fds, fd, &sock);
	int64_t inode;

	if (state == FD_UNKNOWN || (state == FD_SOCKET && !sock->info.inode))
		return;
	inode = proc_socket_inode(task->tid, fd);
	if (state == FD_OTHER ? inode > 0 : inode != (int64_t)sock->info.inode)
		descriptor_released(capture, task, fd, fdtable_forget(fds, fd));
}

struct sock *descriptor_sock(struct capture *capture, struct task *task, int fd)
{
	struct fdtable *fds = cproc_of(task)->fds;
	struct sock_info info;
	struct sock *sock = NULL;
	bool is_new;
	int result;

	if (cproc_of(task)->ring)
		renumbered(capture, task, fd);
	switch (fdtable_find(fds, fd, &sock)) {
	case FD_SOCKET:
		if (!sock->hidden)
			return sock;
		if (is_still(task, fd, sock)) {
			found(capture, task, fd, sock);
			return sock;
		}
		descriptor_released(capture, task, fd, fdtable_forget(fds, fd));
		break;
	case FD_OTHER:
		return NULL;
	case FD_UNKNOWN:
		break;
	}
	result = descriptor_ask(task, fd, &info);
	if (result == -ENOTSOCK && capture->options.all_fds)
		return file_found(capture, task, fd);
	/* -EBADF: the call will fail. A failure of ours is not remembered. */
	if (result && result != -ENOTSOCK)
		return NULL;
	if (result || !sock_is_wanted(capture, &info)) {
		fdtable_set_other(fds, fd);
		return NULL;
	}
	sock = take_in(capture, task, fd, &info, &is_new);
	if (is_new || sock->hidden)
		found(capture, task, fd, sock);
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
	/* /proc does not name every kind, nor the peers of local ones. */
	if (info.family == FAMILY_NONE) {
		info.family = fallback->family;
		info.proto = fallback->proto;
	}
	if (!info.remote.len)
		info.remote = fallback->remote;
	if (!sock_is_wanted(capture, &info)) {
		descriptor_released(capture, task, fd, fdtable_set_other(cproc_of(task)->fds, fd));
		return NULL;
	}
	return take_in(capture, task, fd, &info, &is_new);
}

void descriptor_closing(struct capture *capture, struct task *task, int fd)
{
	struct sock *sock = NULL;

	/* What a ring has made is met at its end at the latest. */
	if (cproc_of(task)->ring)
		descriptor_sock(capture, task, fd);
	if (fdtable_find(cproc_of(task)->fds, fd, &sock) == FD_SOCKET && sock->fds == 1)
		audit_close(task, fd, sock);
}

struct meeting {
	struct capture *capture;
	struct task *task;
};

static void meet(void *ctx, int fd)
{
	struct meeting *meeting = ctx;

	descriptor_sock(meeting->capture, meeting->task, fd);
}

/* A socket that has all its descriptors in this table loses them all at once. */
void table_closing(struct capture *capture, struct task *task)
{
	struct fdtable *table = cproc_of(task)->fds;
	struct meeting meeting = { capture, task };
	struct sock *sock = NULL;
	size_t count = 0;
	int *fds auto_free = NULL;

	if (table->refs != 1)
		return;
	if (cproc_of(task)->ring)
		proc_each(task->tid, "fd", meet, &meeting);
	fds = fdtable_sockets(table, &count);
	for (size_t i = 0; i < count; i++)
		if (fdtable_find(table, fds[i], &sock) == FD_SOCKET &&
		    sock->fds == fdtable_count(table, sock))
			audit_close(task, fds[i], sock);
}

void descriptor_released(struct capture *capture, struct task *task, int fd, struct sock *sock)
{
	if (!sock)
		return;
	if (!sock->fds && !sock->in_flight && !sock->path && !sock->hidden) {
		/* A call that is under way on it may still move bytes. */
		if (sock->refs == 1)
			audit_end(capture, task, fd, sock);
		plain_closing(capture, task, fd, sock);
		if (!closing_waits(capture, task, fd, sock))
			emit_socket(capture, task, SOCKET_CLOSE, fd, sock, 0);
	}
	sock_put(&capture->socks, sock);
}

static bool is_name_service(const struct addr *addr)
{
	static const char *const prefixes[] = { "/var/run/nscd/", "/run/nscd/",
						"/run/systemd/userdb/", "/var/lib/sss/pipes/" };

	if (!addr || addr->family != AF_UNIX)
		return false;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(addr->un.sun_path, prefixes[i], strlen(prefixes[i])))
			return true;
	return false;
}

bool named_enter(struct capture *capture, struct task *task, int fd, const struct addr *addr)
{
	struct sock_info info;
	struct sock *sock;

	if (task->proc->wide || task->proc->follow_all || task->call.row->when != WHEN_NAMED)
		return false;
	if (descriptor_ask(task, fd, &info) || !sock_is_wanted(capture, &info) ||
	    is_name_service(addr))
		return false;
	sock = descriptor_made(capture, task, fd, &info);
	if (sock && !sock->conn)
		emit_socket(capture, task, SOCKET_OPEN, fd, sock, 0);
	table_widen(capture, task);
	return task->retry;
}

void descriptor_came(struct capture *capture, struct task *task, int fd)
{
	struct sock_info nothing = { 0 };

	if (descriptor_is_ring(task, fd))
		ring_found(capture, task, "passed by another process");
	/* A process that is wide finds it at its first use, unless it is one that is waited for. */
	descriptor_released(capture, task, fd, fdtable_forget(cproc_of(task)->fds, fd));
	if (task->proc->wide && !capture->in_flight)
		return;
	if (descriptor_made(capture, task, fd, &nothing))
		table_widen(capture, task);
}

void scm_send(struct capture *capture, struct task *task, const struct control *control)
{
	struct sock *sock = NULL;

	for (uint32_t i = 0; i < control->fd_count; i++) {
		if (fdtable_find(cproc_of(task)->fds, control->fds[i], &sock) != FD_SOCKET)
			continue;
		sock_get(sock)->in_flight++;
		capture->in_flight++;
	}
}

void scm_send_failed(struct capture *capture, struct task *task, const struct control *control)
{
	struct sock *sock = NULL;

	for (uint32_t i = 0; i < control->fd_count; i++)
		if (fdtable_find(cproc_of(task)->fds, control->fds[i], &sock) == FD_SOCKET)
			land(capture, sock);
}

void scm_receive(struct capture *capture, struct task *task, const struct control *control)
{
	for (uint32_t i = 0; i < control->fd_count; i++)
		descriptor_came(capture, task, control->fds[i]);
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

void table_drop(struct capture *capture, struct task *task)
{
	struct cproc *cproc = cproc_of(task);
	int *fds auto_free = NULL;
	size_t count = 0;

	if (cproc->fds->refs == 1)
		fds = fdtable_sockets(cproc->fds, &count);
	for (size_t i = 0; i < count; i++)
		sock_put(&capture->socks, fdtable_forget(cproc->fds, fds[i]));
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
	own->watch = tapped_watch;
	own->watch_ctx = cproc;
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

		/* Files are looked up again at their next use. */
		if (fdtable_find(table, fds[i], &sock) == FD_SOCKET &&
		    (inode < 0 || (uint64_t)inode != sock->info.inode || sock->path))
			descriptor_released(capture, task, fds[i], fdtable_forget(table, fds[i]));
	}
}

void capture_widen(struct capture *capture, struct task *task)
{
	if (capture->probes && !task->proc->wide && !task->proc->follow_all)
		cproc_of(task)->scan_wanted = true;
	tracer_widen(capture->tracer, task);
}

void table_widen(struct capture *capture, struct task *task)
{
	struct fdtable *table = cproc_of(task)->fds;

	capture_widen(capture, task);
	if (table->refs == 1)
		return;
	MAP_FOR_EACH(node, &capture->procs) {
		struct cproc *other = map_value(node);

		if (other->fds == table && other->proc != task->proc)
			tracer_widen_other(capture->tracer, other->proc);
	}
}
