/*
 * Calls that were made and recorded inside the process (the tap) become events like those that were
 * stopped at. Their records come a little later, so a descriptor may mean something else by then: they
 * bear a number that tells.
 */
#include "base/addr.h"
#include "base/maps.h"
#include "capture/message.h"
#include "capture/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* What the agent records. Of the others, each call is stopped at. */
static bool is_recorded(const struct sock *sock)
{
	enum event_proto proto = sock->info.proto;

	return !sock->path && !sock->hidden &&
	       (proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_UNIX_STREAM);
}

static int state_of(enum fd_state state, const struct sock *sock)
{
	if (state == FD_SOCKET)
		return is_recorded(sock) ? RING_FD_SOCKET : RING_FD_UNKNOWN;
	return state == FD_OTHER ? RING_FD_OTHER : RING_FD_UNKNOWN;
}

void tapped_watch(void *ctx, int fd, enum fd_state state, struct sock *before)
{
	struct cproc *cproc = ctx;
	struct capture *capture = cproc->capture;
	struct sock *sock = NULL;
	uint8_t number;

	if (!capture->tap)
		return;
	number = tap_fd_state(capture->tap, cproc->proc, fd);
	if (before && number >= RING_FD_SOCKET && cproc->proc->tasks && cproc->proc->tasks->next)
		ghost_add(capture, cproc->proc->pid, fd, number, before);
	fdtable_find(cproc->fds, fd, &sock);
	tap_fd(capture->tap, cproc->proc, fd, state_of(state, sock));
}

/* Why a process cannot have the agent, however it came to us; NULL: it can. */
static const char *why_unfit(const struct cproc *cproc)
{
	/* A sandbox may end who makes calls that it does not know. */
	if (cproc->sandboxed)
		return "it has a seccomp filter of its own";
	if (cproc->fds->refs > 1)
		return "it shares its descriptors with another process";
	return cproc->ring ? "it has an io_uring" : NULL;
}

/* Why a process's calls are all stopped at; NULL: they need not be. */
static const char *why_stopped(const struct capture *capture, const struct task *task)
{
	const char *why = why_unfit(cproc_of(task));

	if (!capture->tap)
		return capture->tap_why;
	if (why)
		return why;
	if (task->proc->attached && !task->proc->told_inside)
		return "it was running before";
	if (strcmp(task->call.abi->name, "x86_64") != 0)
		return "it is no 64-bit program";
	return NULL;
}

static void explain(struct capture *capture, struct task *task, const char *why)
{
	char text[200];

	if (!capture->options.explain || !why || cproc_of(task)->explained)
		return;
	cproc_of(task)->explained = true;
	snprintf(text, sizeof(text),
		 "calls of this process are stopped at, not recorded inside it: %s", why);
	emit_note(capture, task, text);
}

/* The same for one place in its code. */
static void explain_site(struct capture *capture, struct task *task, uint64_t refused_before)
{
	struct tap_stats stats;
	char text[200];

	tap_get_stats(capture->tap, &stats);
	if (!capture->options.explain || stats.refused == refused_before)
		return;
	snprintf(text, sizeof(text),
		 "calls at 0x%" PRIx64
		 " are stopped at, not recorded inside the process: there is no "
		 "place for a jump",
		 task->call.ip);
	emit_note(capture, task, text);
}

/* Its code is read, and not run: what would be changed in it is the program's own, not the processor's. */
static bool is_translated(const struct task *task)
{
	struct maps maps;
	bool translated;

	if (maps_read(task->tid, &maps))
		return false;
	translated = maps_translator(&maps);
	maps_done(&maps);
	return translated;
}

/* Only who asks for it: what can go wrong there goes wrong in somebody else's server. */
bool tapped_begin(struct capture *capture, struct task *task)
{
	struct cproc *cproc = cproc_of(task);
	const char *why = "it was running before, and --engine tap was not given";

	cproc->tap_wanted = false;
	if (!capture->tap)
		return false;
	/* Children that are not followed would run, alone, into the traps that they have a copy of. */
	if (capture->options.engine == ENGINE_TAP)
		why = capture->options.no_follow ? "its children are not followed"
						 : why_unfit(cproc);
	if (!why && is_translated(task))
		why = "its code is translated, not run";
	if (!why)
		why = tap_attach(capture->tap, task);
	/* A stopped process is one that makes no calls: at its next one. */
	cproc->tap_wanted = why && task->at == TASK_AT_OTHER;
	if (!cproc->tap_wanted)
		explain(capture, task, why);
	return task->retry;
}

void tapped_mapped(struct capture *capture, struct task *task)
{
	if (capture->tap && task->proc->told_inside && !tap_attach_code(capture->tap, task))
		tracer_distrust(capture->tracer, task);
}

bool tapped_enter(struct capture *capture, struct task *task, int fd, const struct sock *sock)
{
	struct sock *known = NULL;
	enum fd_state state = fdtable_find(cproc_of(task)->fds, fd, &known);
	int wanted = state_of(state, sock);
	const char *why = why_stopped(capture, task);
	struct tap_stats stats;
	bool again;

	if (wanted == RING_FD_SOCKET)
		explain(capture, task, why);
	if (capture->tap && (why || capture->stopped))
		hooked_refuse(capture, task);
	if (!capture->tap || why || capture->stopped || wanted == RING_FD_UNKNOWN)
		return false;
	tap_get_stats(capture->tap, &stats);
	again = tap_site(capture->tap, task, wanted == RING_FD_SOCKET);
	explain_site(capture, task, stats.refused);
	explain(capture, task, tap_why(capture->tap, task->proc));
	if (tap_fd_state(capture->tap, task->proc, fd) == RING_FD_UNKNOWN)
		tap_fd(capture->tap, task->proc, fd, wanted);
	return hooked_make(capture, task) || again;
}

bool tapped_closes(struct capture *capture, struct task *task, int fd)
{
	struct fdtable *fds = cproc_of(task)->fds;
	struct sock_info info;
	struct sock *sock;

	if (!capture->tap || why_stopped(capture, task) || capture->stopped ||
	    capture->options.all_fds || !tap_is_ready(capture->tap, task->proc))
		return false;
	if (fdtable_find(fds, fd, &sock) == FD_UNKNOWN &&
	    descriptor_ask(task, fd, &info) == -ENOTSOCK)
		fdtable_set_other(fds, fd);
	if (fdtable_find(fds, fd, &sock) != FD_OTHER)
		return false;
	tap_site(capture->tap, task, false);
	return true;
}

static struct message_call shape_of(const struct capture *capture, const struct tap_call *call,
				    const struct sock *sock)
{
	return (struct message_call){
		.dir = call->row->dir == SYS_OUT ? DIR_OUT : DIR_IN,
		.name = call->row->name,
		.flags = call->record.flags,
		.max_bytes = capture->options.max_bytes,
		.is_stream = !event_proto_is_datagram(sock->info.proto),
		.discards = call->record.flags & MSG_TRUNC && sock->info.proto == PROTO_TCP,
	};
}

/* The call succeeded: its bytes are in the record. *ret_missing: those that are not. */
static struct event *moved(const struct message_call *shape, const struct tap_call *call,
			   uint64_t *ret_missing)
{
	const struct ring_record *record = &call->record;
	struct message message = { .flags = record->msg_flags };
	uint64_t ret = (uint64_t)record->ret, len = ret < record->asked ? ret : record->asked;
	uint64_t want = message_kept(shape, len);
	/* Room for what is there, whatever the record says of the call. */
	uint64_t there = shape->discards ? 0 : record->payload < want ? record->payload : want;
	struct event *event = message_event_bytes(&message, shape, there);
	struct event_data *data = &event->data;

	if (there)
		memcpy(data->payload, call->payload, there);
	data->len = len;
	if (ret > len)
		data->full = ret;
	if (ret > len || record->msg_flags & MSG_TRUNC)
		data->flags |= FLAG_TRUNC;
	/* Reading nothing is no end where nothing was asked for. */
	if (!record->asked || len)
		data->flags &= ~(uint32_t)FLAG_EOF;
	*ret_missing = data->flags & FLAG_PEEK ? 0 : want - there;
	return event;
}

static struct sock *sock_of(struct capture *capture, const struct task *task,
			    const struct ring_record *record)
{
	struct sock *sock = NULL;

	if (record->fd_state == tap_fd_state(capture->tap, task->proc, record->fd) &&
	    fdtable_find(cproc_of(task)->fds, record->fd, &sock) == FD_SOCKET)
		return sock;
	return ghost_find(capture, task->proc->pid, record->fd, record->fd_state);
}

static void on_lost(void *ctx, uint64_t bytes, uint64_t calls)
{
	emit_loss(ctx, NULL, "overwritten", -1, NULL, bytes, calls);
}

static void on_call(void *ctx, struct task *task, const struct tap_call *call)
{
	struct capture *capture = ctx;
	const struct ring_record *record = &call->record;
	struct sock *sock = sock_of(capture, task, record);
	struct message_call shape;
	struct addr addr = { 0 };
	struct event *event;
	uint64_t missing = 0;

	if (!sock) {
		on_lost(ctx, record->payload, 1);
		return;
	}
	if (call->row->op == OP_SHUTDOWN) {
		if (!record->ret)
			emit_shutdown(capture, task, record->fd, sock, record->flags, call->time);
		return;
	}
	shape = shape_of(capture, call, sock);
	event = record->ret < 0 ? message_event_error(&shape, (int)-record->ret)
				: moved(&shape, call, &missing);
	if (record->addr_len)
		addr_from_bytes(&addr, record->addr, record->addr_len);
	emit_owner(event, task);
	event->time = call->time;
	event->data.dur = call->dur;
	data_place(capture, task, event, sock, record->fd, &addr, 0);
	plain_bind_place(capture, task, sock, record->fd, event, record->sp, record->g);
	capture->totals.calls_tap++;
	capture->totals.calls_again += record->ret == -EAGAIN;
	emit_event(capture, event);
	if (missing)
		emit_loss(capture, task, shape.discards ? "discarded" : "unreadable", record->fd,
			  sock, missing, 1);
}

static void on_accepted(void *ctx, struct task *task, const struct sys_row *row,
			const uint64_t args[6], int fd)
{
	struct capture *capture = ctx;
	struct sock *listener = NULL;

	if (fdtable_find(cproc_of(task)->fds, (int)args[0], &listener) == FD_SOCKET)
		socket_accepted(capture, task, listener, row, args, fd);
	else
		descriptor_came(capture, task, fd);
}

static const struct tap_ops tapped_ops = { on_call, on_accepted, hooked_entered, hooked_left,
					   on_lost };

void tapped_start(struct capture *capture)
{
	const struct capture_options *options = &capture->options;
	const struct tap_options tap = { .errors = options->again,
					 .max_bytes = options->max_bytes };

	if (options->engine == ENGINE_STOP)
		return;
	if (options->stack)
		capture->tap_why = "--stack needs the thread where it was";
	else
		capture->tap =
			tap_new(capture->tracer, &tapped_ops, capture, &tap, &capture->tap_why);
}

void tapped_end(struct capture *capture)
{
	struct tap_stats stats;

	if (!capture->tap)
		return;
	tap_drain(capture->tap);
	ghosts_sweep(capture, true);
	tap_get_stats(capture->tap, &stats);
	capture->totals.calls_again += stats.again;
}

void tapped_stop(struct capture *capture)
{
	tap_free(capture->tap);
	capture->tap = NULL;
	ghosts_drop(capture);
}

const char *capture_engine(const struct capture *capture, const char **ret_why)
{
	*ret_why = capture->tap ? NULL : capture->tap_why;
	return capture->tap ? "tap" : "stop";
}
