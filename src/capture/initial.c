/* Sockets that were there before us: of the program that is started, of a process that is attached. */
#include "base/own.h"
#include "base/proc.h"
#include "capture/state.h"

#include <string.h>

struct scan {
	pid_t pid;
	struct capture *capture;
};

static void scan_fd(void *ctx, int fd)
{
	struct scan *scan = ctx;
	struct capture *capture = scan->capture;
	struct initial_sock initial = { .fd = fd };

	if (process_ask(scan->pid, fd, &initial.info) || !sock_is_wanted(capture, &initial.info))
		return;
	capture->initial = own_realloc(capture->initial,
				       (capture->initial_count + 1) * sizeof(*capture->initial));
	capture->initial[capture->initial_count++] = initial;
}

bool capture_owns_socket(void *ctx, pid_t pid)
{
	struct capture *capture = ctx;
	const struct capture_options *options = &capture->options;
	struct scan scan = { pid, capture };

	capture->initial_pid = pid;
	/* Where we cannot look it is safe to believe that it has one. */
	if (proc_each(pid, "fd", scan_fd, &scan))
		return true;
	/* The user's own probes do not wait for a socket. */
	return capture->initial_count || options->all_fds ||
	       (options->probes && options->probes[0]);
}

static void adopt(struct capture *capture, struct task *task, int fd, const struct sock_info *info)
{
	bool is_new;
	struct sock *sock = sock_table_get(&capture->socks, info, &is_new);

	if (is_new)
		sock->hidden = true;
	fdtable_set_socket(cproc_of(task)->fds, fd, sock);
	sock_put(&capture->socks, sock);
}

/*
 * All at once, so that one that a child closes is not taken for closed while the parent has it; they
 * are told of when they are used.
 */
void initial_adopt(struct capture *capture, struct task *task)
{
	if (task->proc->pid != capture->initial_pid)
		return;
	capture->initial_pid = 0;
	for (size_t i = 0; i < capture->initial_count; i++)
		adopt(capture, task, capture->initial[i].fd, &capture->initial[i].info);
}

struct inherit {
	struct capture *capture;
	struct task *task;
};

static void inherit_fd(void *ctx, int fd)
{
	struct inherit *inherit = ctx;
	struct sock_info info;
	struct sock *sock;

	if (fdtable_find(cproc_of(inherit->task)->fds, fd, &sock) == FD_UNKNOWN &&
	    !descriptor_ask(inherit->task, fd, &info) && sock_is_wanted(inherit->capture, &info))
		adopt(inherit->capture, inherit->task, fd, &info);
}

void initial_inherit(struct capture *capture, struct task *task)
{
	struct inherit inherit = { capture, task };

	if (!task->proc->attached || cproc_of(task)->scanned)
		return;
	cproc_of(task)->scanned = true;
	proc_each(task->tid, "fd", inherit_fd, &inherit);
}
