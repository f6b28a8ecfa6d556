/* Calls that close, copy and renumber descriptors, and what else must be seen in time. */
#include "base/own.h"
#include "capture/state.h"
#include "tracer/mem.h"

#include <errno.h>
#include <linux/close_range.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <string.h>

/*
 * At the entry: the number can be given to another descriptor as soon as the call is made. Linux
 * closes it whatever close(2) returns, but for EBADF.
 */
static bool close_enter(struct capture *capture, struct task *task)
{
	int fd = (int)task->call.args[0];

	if (tapped_closes(capture, task, fd))
		return false;
	descriptor_closing(capture, task, fd);
	descriptor_released(capture, task, fd, fdtable_forget(cproc_of(task)->fds, fd));
	return false;
}

const struct op_handler close_handler = { close_enter, NULL };

static bool close_range_enter(struct capture *capture, struct task *task)
{
	uint32_t first = (uint32_t)task->call.args[0], last = (uint32_t)task->call.args[1];
	uint32_t flags = (uint32_t)task->call.args[2];
	struct fdtable *table;
	int *fds auto_free = NULL;
	size_t count;

	if (first > last)
		return false;
	if (flags & CLOSE_RANGE_UNSHARE)
		table_unshare(capture, task);
	if (flags & CLOSE_RANGE_CLOEXEC)
		return false;
	table = cproc_of(task)->fds;
	fdtable_forget_others(table);
	fds = fdtable_sockets(table, &count);
	for (size_t i = 0; i < count; i++)
		if ((uint32_t)fds[i] >= first && (uint32_t)fds[i] <= last) {
			descriptor_closing(capture, task, fds[i]);
			descriptor_released(capture, task, fds[i], fdtable_forget(table, fds[i]));
		}
	return false;
}

const struct op_handler close_range_handler = { close_range_enter, NULL };

static bool dup_enter(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;
	struct sock *sock = descriptor_sock(capture, task, (int)task->call.args[0]);

	if (sock)
		open->sock = sock_get(sock);
	if (task->call.row->op == OP_DUP_TO && task->call.args[0] != task->call.args[1])
		descriptor_closing(capture, task, (int)task->call.args[1]);
	/* dup2 onto a number also closes what it was. */
	return sock || task->call.row->op == OP_DUP_TO;
}

static void dup_exit(struct capture *capture, struct task *task)
{
	struct fdtable *table = cproc_of(task)->fds;
	struct open_call *open = &ctask_of(task)->open;
	int fd = (int)task->call.ret;
	struct sock *old;

	if (fd < 0)
		return;
	if (open->sock)
		old = fdtable_set_socket(table, fd, open->sock);
	else if (fd == (int)task->call.args[0])
		return;
	else
		old = fdtable_forget(table, fd);
	descriptor_released(capture, task, fd, old);
}

const struct op_handler dup_handler = { dup_enter, dup_exit };
const struct op_handler dup_to_handler = { dup_enter, dup_exit };

/* In another user namespace an exec can take the privileges that a filter needs. */
static bool unshare_enter(struct capture *capture, struct task *task)
{
	if (task->call.args[0] & CLONE_NEWUSER && tracer_needs_privilege(capture->tracer))
		capture_widen(capture, task);
	return task->call.args[0] & CLONE_FILES;
}

static void unshare_exit(struct capture *capture, struct task *task)
{
	/* A thread's own table is not told from its process's: see docs/limits.md. */
	if (!task->call.ret && !task->proc->tasks->next)
		table_unshare(capture, task);
}

const struct op_handler unshare_handler = { unshare_enter, unshare_exit };

/* First the filter that could not be taken afterwards; then the call comes again. */
static void lock_strictly(struct capture *capture, struct task *task)
{
	struct cproc *cproc = cproc_of(task);

	/*
	 * Who has a filter of its own is refused strict mode by the kernel. What is attached has none of ours
	 * either, and gets the real mode, which stays when we leave.
	 */
	if (cproc->sandboxed || cproc->strict_as_is || task->proc->attached)
		return;
	capture_widen(capture, task);
	if (!task->retry)
		cproc->strict_as_is = tracer_strict(capture->tracer, task) != 0;
}

/* seccomp(2), with the arguments that the kernel takes; with others it refuses. */
static bool asks_for_strict(const struct task *task)
{
	return (uint32_t)task->call.args[0] == SECCOMP_SET_MODE_STRICT && !task->call.args[1] &&
	       !task->call.args[2];
}

/* The last moment at which the wide filter can be taken. */
static bool lock_enter(struct capture *capture, struct task *task)
{
	bool sandbox = !strcmp(task->call.row->name, "seccomp");

	if (sandbox && asks_for_strict(task)) {
		lock_strictly(capture, task);
		return false;
	}

	if (sandbox && (uint32_t)task->call.args[0] != SECCOMP_SET_MODE_FILTER)
		return false;
	/* USER_NOTIF beats TRACE: who listens answers, and we are not asked. */
	if (sandbox && task->call.args[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER)
		tracer_distrust(capture->tracer, task);
	else if (sandbox || tracer_needs_privilege(capture->tracer))
		capture_widen(capture, task);
	return sandbox;
}

/* In an attached process a filter may kill who makes the call that is none, by which calls are skipped. */
static void note_sandbox(struct capture *capture, struct task *task)
{
	cproc_of(task)->sandboxed = true;
	if (capture->tap && task->proc->attached)
		tap_refuse(capture->tap, task->proc);
}

static void lock_exit(struct capture *capture, struct task *task)
{
	/* Before it executes its program the filters are ours. */
	if (task->call.ret >= 0 && cproc_of(task)->executed)
		note_sandbox(capture, task);
}

const struct op_handler lock_handler = { lock_enter, lock_exit };

/* What close-on-exec will close is closed when we hear of the exec. */
static bool execve_enter(struct capture *capture, struct task *task)
{
	table_closing(capture, task);
	return false;
}

const struct op_handler execve_handler = { execve_enter, NULL };

static bool prctl_enter(struct capture *capture, struct task *task)
{
	if ((uint32_t)task->call.args[0] != PR_SET_SECCOMP)
		return true;
	if (task->call.args[1] == SECCOMP_MODE_STRICT)
		lock_strictly(capture, task);
	else
		capture_widen(capture, task);
	return true;
}

static void prctl_exit(struct capture *capture, struct task *task)
{
	char name[COMM_LEN] = "";

	if (task->call.ret)
		return;
	if ((uint32_t)task->call.args[0] == PR_SET_SECCOMP) {
		note_sandbox(capture, task);
		return;
	}
	if (mem_read_string(task->tid, task->call.args[1], name, sizeof(name)) >= 0)
		event_clean_comm(ctask_of(task)->comm, name);
}

const struct op_handler prctl_handler = { prctl_enter, prctl_exit };
