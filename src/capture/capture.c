/* The tracer's ops: each call goes to its handler, each process and task has its state here. */
#include "capture/capture.h"

#include "base/clock.h"
#include "base/own.h"
#include "base/proc.h"
#include "capture/state.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct op_handler *const handlers[OPS] = {
	[OP_DATA] = &data_handler,
	[OP_SOCKET] = &socket_handler,
	[OP_SOCKETPAIR] = &socketpair_handler,
	[OP_BIND] = &bind_handler,
	[OP_LISTEN] = &listen_handler,
	[OP_CONNECT] = &connect_handler,
	[OP_ACCEPT] = &accept_handler,
	[OP_SHUTDOWN] = &shutdown_handler,
	[OP_GETSOCKOPT] = &getsockopt_handler,
	[OP_CLOSE] = &close_handler,
	[OP_CLOSE_RANGE] = &close_range_handler,
	[OP_DUP] = &dup_handler,
	[OP_DUP_TO] = &dup_to_handler,
	[OP_UNSHARE] = &unshare_handler,
	[OP_PIDFD_GETFD] = &pidfd_getfd_handler,
	[OP_LOCK] = &lock_handler,
	[OP_PRCTL] = &prctl_handler,
	[OP_SENDFILE] = &sendfile_handler,
	[OP_SPLICE] = &splice_handler,
	[OP_SETSOCKOPT] = &setsockopt_handler,
	[OP_IO_URING] = &io_uring_handler,
	[OP_EXECVE] = &execve_handler,
	[OP_PTRACE] = &ptrace_handler,
	[OP_MMAP] = &mmap_handler,
};

struct capture *capture_new(const struct capture_options *options)
{
	struct capture *capture = own_zalloc(sizeof(*capture));

	capture->options = *options;
	capture->started = clock_monotonic();
	return capture;
}

void capture_free(struct capture *capture)
{
	if (!capture)
		return;
	tapped_stop(capture);
	probes_free(capture->probes);
	sock_table_done(&capture->socks);
	map_done(&capture->procs);
	free(capture->initial);
	map_done(&capture->lsan_files);
	free(capture);
}

void capture_set_sink(struct capture *capture, struct sink *sink)
{
	capture->sink = sink;
}

bool capture_probes(const struct capture *capture)
{
	const struct capture_options *options = &capture->options;

	return !options->no_tls || (options->probes && options->probes[0]);
}

int capture_set_tracer(struct capture *capture, struct tracer *tracer, const char **ret_why)
{
	const struct capture_options *options = &capture->options;

	capture->tracer = tracer;
	tapped_start(capture);
	if (!capture_probes(capture))
		return 0;
	capture->probes = probes_new(tracer, &plain_ops, capture, options->no_tls);
	for (int i = 0; options->probes && options->probes[i]; i++)
		if (probes_add(capture->probes, options->probes[i], ret_why))
			return i + 1;
	return 0;
}

void capture_set_kicked(struct capture *capture, void (*kicked)(void *ctx), void *ctx)
{
	capture->kicked = kicked;
	capture->kicked_ctx = ctx;
}

void capture_learn(struct capture *capture, pid_t pid)
{
	if (capture->tap && capture->options.engine == ENGINE_TAP)
		tap_learn(capture->tap, pid);
}

static void read_comm(struct task *task)
{
	char text[COMM_LEN + 1];
	ssize_t n = proc_read(task->tid, "comm", text, sizeof(text));

	if (n <= 0)
		return;
	if (text[n - 1] == '\n')
		text[n - 1] = '\0';
	text[COMM_LEN - 1] = '\0';
	event_clean_comm(ctask_of(task)->comm, text);
}

static void task_begin(struct task *task, const char *comm)
{
	struct ctask *ctask = own_zalloc(sizeof(*ctask));

	task->user = ctask;
	if (comm)
		memcpy(ctask->comm, comm, sizeof(ctask->comm));
	else
		read_comm(task);
}

static struct cproc *proc_begin(struct capture *capture, struct proc *proc, struct fdtable *fds)
{
	struct cproc *cproc = own_zalloc(sizeof(*cproc));

	cproc->proc = proc;
	cproc->capture = capture;
	cproc->fds = fds;
	/* One that is shared has no agent to be told. */
	fds->watch = fds->refs == 1 ? tapped_watch : NULL;
	fds->watch_ctx = cproc;
	cproc->pidfd = -1;
	proc->user = cproc;
	map_put(&capture->procs, (uint64_t)proc->pid, cproc);
	return cproc;
}

void capture_ensure(struct capture *capture, struct task *task)
{
	if (!task->proc->user)
		proc_begin(capture, task->proc, fdtable_new());
	if (!task->user)
		task_begin(task, NULL);
	if (capture->initial_pid)
		initial_adopt(capture, task);
}

void capture_stop(struct capture *capture)
{
	capture->stopped = true;
}

static bool scan_now(struct capture *capture, struct task *task)
{
	cproc_of(task)->scan_wanted = false;
	if (capture->probes)
		probes_scan(capture->probes, task);
	return !task->retry;
}

static bool on_before(void *ctx, struct task *task, struct stop stop)
{
	struct capture *capture = ctx;

	return capture->tap && tap_before(capture->tap, task, stop);
}

static bool on_enter(void *ctx, struct task *task)
{
	struct capture *capture = ctx;
	const struct op_handler *handler = handlers[task->call.row->op];
	bool wanted;

	capture_ensure(capture, task);
	if (capture->tap && tap_waits(capture->tap, task))
		return false;
	/* It may make calls of its own in the task; then this one comes again. */
	if (cproc_of(task)->scan_wanted && !scan_now(capture, task))
		return false;
	if (cproc_of(task)->tap_wanted && tapped_begin(capture, task))
		return false;
	wanted = handler && handler->enter(capture, task);
	if (!wanted)
		open_call_done(capture, task);
	return wanted;
}

static void on_exit_of_call(void *ctx, struct task *task)
{
	struct capture *capture = ctx;

	handlers[task->call.row->op]->exit(capture, task);
	open_call_done(capture, task);
}

static void on_drop(void *ctx, struct task *task)
{
	open_call_done(ctx, task);
}

/* A thread of the parent is in a call that makes descriptors: the child may have got one of them.
 */
static bool may_be_making_sockets(const struct proc *parent)
{
	for (const struct task *task = parent->tasks; task; task = task->next)
		if (task->in_call && task->call.row->when == WHEN_ALWAYS)
			return true;
	return false;
}

static void on_fork(void *ctx, struct task *parent, struct task *child, uint64_t flags)
{
	struct capture *capture = ctx;
	struct cproc *from;

	capture_ensure(capture, parent);
	from = cproc_of(parent);
	if (!child->proc->user) {
		if (!(flags & CLONE_FILES))
			initial_inherit(capture, parent);
		proc_begin(capture, child->proc,
			   flags & CLONE_FILES ? fdtable_get(from->fds) : fdtable_copy(from->fds));
		cproc_of(child)->executed = from->executed;
		cproc_of(child)->sandboxed = from->sandboxed;
		if (may_be_making_sockets(parent->proc))
			child->proc->widen_wanted = true;
	}
	if (!child->user)
		task_begin(child, ctask_of(parent)->comm);
	if (capture->tap)
		tap_fork(capture->tap, parent, child, flags);
	if (child->proc == parent->proc)
		return;
	emit_process(capture, child, PROCESS_FORK, parent->proc->pid);
	if (capture->probes)
		probes_fork(capture->probes, parent, child);
	cproc_of(child)->scan_wanted = child->proc->wide || child->proc->follow_all;
	if (from->ring)
		ring_found(capture, child, "inherited");
}

static void on_found(void *ctx, struct task *task)
{
	struct capture *capture = ctx;

	capture_ensure(capture, task);
	cproc_of(task)->executed = true;
	lookup_check(capture, task);
	rings_find(capture, task);
	if (capture->probes)
		probes_scan(capture->probes, task);
	/* From here on nothing of it is missed. */
	emit_process(capture, task, PROCESS_FOUND, (pid_t)proc_status(task->tid, "PPid"));
	/* Where that had to make calls in it, it is done at the next one of its own. */
	cproc_of(task)->scan_wanted = true;
	tapped_begin(capture, task);
}

static void on_orphan(void *ctx, struct task *task)
{
	struct capture *capture = ctx;
	bool known = task->proc->user != NULL;

	capture_ensure(capture, task);
	if (known)
		return;
	cproc_of(task)->executed = true;
	emit_process(capture, task, PROCESS_FORK, (pid_t)proc_status(task->tid, "PPid"));
}

static void on_exec(void *ctx, struct task *task)
{
	struct capture *capture = ctx;
	struct cproc *cproc;

	capture_ensure(capture, task);
	if (capture->tap)
		tap_exec(capture->tap, task->proc);
	open_call_done(capture, task);
	read_comm(task);
	cproc = cproc_of(task);
	stack_forget(cproc);
	closings_end(capture, task);
	if (capture->probes)
		probes_forget(capture->probes, task->proc);
	sessions_done(capture, cproc);
	cproc->scan_wanted = task->proc->wide || task->proc->follow_all;
	if (cproc->scan_wanted && capture->probes)
		probes_scan(capture->probes, task);
	cproc->tap_wanted = task->proc->attached;
	/* It may stand for another thread now. */
	if (cproc->pidfd >= 0)
		close(cproc->pidfd);
	cproc->pidfd = -1;
	emit_process(capture, task, cproc->executed ? PROCESS_EXEC : PROCESS_START, 0);
	cproc->executed = true;
	lookup_check(capture, task);
	table_unshare(capture, task);
	table_check(capture, task);
	lsan_check(capture, task);
}

static void on_exiting(void *ctx, struct task *task)
{
	struct cproc *cproc;
	unsigned int tasks = 0;

	capture_ensure(ctx, task);
	cproc = cproc_of(task);
	cproc->exiting++;
	for (const struct task *one = task->proc->tasks; one; one = one->next)
		tasks++;
	/* The last one takes the descriptors with it. */
	if (cproc->exiting >= tasks)
		table_closing(ctx, task);
}

static void on_leaving(void *ctx, struct task *task)
{
	struct capture *capture = ctx;

	if (capture->tap)
		tap_leave(capture->tap, task);
}

static void on_left(void *ctx, struct task *task)
{
	struct capture *capture = ctx;

	if (capture->tap)
		tap_left(capture->tap, task);
}

static void on_gone(void *ctx, struct task *task, int status, bool last)
{
	struct capture *capture = ctx;
	struct cproc *cproc = task->proc->user;

	if (capture->tap)
		tap_gone(capture->tap, task, last);
	if (!task->user && !cproc)
		return;
	capture_ensure(capture, task);
	if (cproc && cproc->exiting)
		cproc->exiting--;
	if (last) {
		cproc = cproc_of(task);
		/* One that is let go keeps its descriptors. */
		if (status == -1)
			table_drop(capture, task);
		else
			table_release(capture, task);
		closings_end(capture, task);
		if (cproc->executed && status != -1)
			emit_exit(capture, task, status);
		map_take(&capture->procs, (uint64_t)task->proc->pid);
		if (cproc->pidfd >= 0)
			close(cproc->pidfd);
		stack_forget(cproc);
		sessions_done(capture, cproc);
		map_done(&cproc->in_calls);
		if (capture->probes)
			probes_forget(capture->probes, task->proc);
		free(cproc);
		task->proc->user = NULL;
	}
	if (capture->probes)
		probes_forget_task(capture->probes, task);
	free(task->user);
	task->user = NULL;
}

static void on_unfiltered(void *ctx, struct task *task, int error)
{
	struct capture *capture = ctx;
	char text[256];

	capture_ensure(ctx, task);
	/* Its stops would tell what its agent has told. */
	if (capture->tap)
		tap_refuse(capture->tap, task->proc);
	snprintf(text, sizeof(text),
		 "process %d can't be given a filter (%s): it is stopped at every system call, "
		 "which is "
		 "slower; nothing is missed",
		 task->proc->pid, strerrorname_np(-error) ? strerrorname_np(-error) : "?");
	emit_note(ctx, task, text);
}

static void on_kicked(void *ctx)
{
	struct capture *capture = ctx;

	if (capture->tap)
		tap_tick(capture->tap);
	ghosts_sweep(capture, false);
	if (capture->kicked)
		capture->kicked(capture->kicked_ctx);
}

const struct tracer_ops capture_ops = {
	.before = on_before,
	.enter = on_enter,
	.exit = on_exit_of_call,
	.drop = on_drop,
	.fork = on_fork,
	.found = on_found,
	.orphan = on_orphan,
	.exec = on_exec,
	.exiting = on_exiting,
	.leaving = on_leaving,
	.left = on_left,
	.gone = on_gone,
	.unfiltered = on_unfiltered,
	.kicked = on_kicked,
};
