/*
 * Calls that move bytes. What is sent is copied at the entry, as the program may change it while
 * the call is blocked; what is received, at the exit.
 */
#include "base/addr.h"
#include "base/clock.h"
#include "base/own.h"
#include "capture/state.h"
#include "tracer/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void open_call_done(struct capture *capture, struct open_call *open)
{
	sock_put(&capture->socks, open->sock);
	event_unref(open->event);
	gather_done(&open->gather);
	*open = (struct open_call){ 0 };
}

static uint32_t call_flags(const struct task *task)
{
	const struct sys_row *row = task->call.row;

	return row->flags >= 0 ? (uint32_t)task->call.args[row->flags] : 0;
}

static struct event *new_data(const struct task *task, size_t room)
{
	const struct sys_row *row = task->call.row;
	struct event *event = event_new(EVENT_DATA, room);

	event->data.dir = row->dir == SYS_OUT ? DIR_OUT : DIR_IN;
	event->data.layer = LAYER_WIRE;
	event->data.call = row->name;
	event->data.payload = event_room(event, room);
	return event;
}

static void read_destination(struct open_call *open, const struct task *task)
{
	const struct sys_row *row = task->call.row;
	struct gather_msg msg;

	if (row->shape == SHAPE_MSG) {
		if (!gather_msghdr(&msg, task, task->call.args[row->data]))
			gather_addr(&open->addr, task, msg.name, msg.namelen);
	} else if (row->addr >= 0) {
		gather_addr(&open->addr, task, task->call.args[row->addr],
			    task->call.args[row->addrlen]);
	}
}

static void enter_out(struct open_call *open, const struct task *task)
{
	ssize_t copied;

	read_destination(open, task);
	if (gather_call(&open->gather, task) || open->gather.total > ENTRY_COPY_MAX)
		return;
	open->event = new_data(task, open->gather.total);
	copied = gather_copy(&open->gather, task, open->event->data.payload, open->gather.total);
	open->copied = copied > 0 ? (uint64_t)copied : 0;
}

static void enter_in(struct open_call *open, const struct task *task)
{
	const struct sys_row *row = task->call.row;
	uint32_t room;

	if (row->addr >= 0 && task->call.args[row->addr] &&
	    !mem_read_all(task->tid, task->call.args[row->addrlen], &room, sizeof(room)))
		open->addr_room = room;
}

/* A call that is of interest only for the descriptors that may come with it. */
static bool may_pass_descriptors(const struct task *task)
{
	const struct sys_row *row = task->call.row;
	struct gather_msg msg;

	return row->shape == SHAPE_MSG && row->dir == SYS_IN &&
	       !gather_msghdr(&msg, task, task->call.args[row->data]) && msg.controllen;
}

static bool data_enter(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;
	int fd = (int)task->call.args[task->call.row->fd];
	struct sock *sock = descriptor_sock(capture, task, fd);

	open->fd = fd;
	if (!sock)
		return may_pass_descriptors(task);
	open->sock = sock_get(sock);
	if (task->call.row->dir == SYS_OUT)
		enter_out(open, task);
	else
		enter_in(open, task);
	return true;
}

static uint32_t event_flags(const struct task *task)
{
	uint32_t flags = call_flags(task);

	return (flags & MSG_PEEK ? FLAG_PEEK : 0U) | (flags & MSG_OOB ? FLAG_OOB : 0U) |
	       (flags & MSG_ERRQUEUE ? FLAG_ERRQUEUE : 0U);
}

/* Address of the peer that a datagram came from, and the flags that the kernel wrote back. */
static uint32_t read_source(struct open_call *open, const struct task *task)
{
	const struct sys_row *row = task->call.row;
	struct gather_msg msg;
	uint32_t len;

	if (row->shape == SHAPE_MSG) {
		if (gather_msghdr(&msg, task, task->call.args[row->data]))
			return 0;
		gather_addr(&open->addr, task, msg.name, msg.namelen);
		return msg.flags;
	}
	if (open->addr_room &&
	    !mem_read_all(task->tid, task->call.args[row->addrlen], &len, sizeof(len)))
		gather_addr(&open->addr, task, task->call.args[row->addr],
			    len < open->addr_room ? len : open->addr_room);
	return 0;
}

/* A stream's bytes, read with MSG_TRUNC, never reach the buffer (tcp(7)). */
static bool discards(const struct open_call *open, const struct task *task)
{
	return call_flags(task) & MSG_TRUNC && open->sock->info.proto == PROTO_TCP;
}

/* What was received; the result may exceed the room when MSG_TRUNC was asked for. */
static struct event *event_in(struct open_call *open, const struct task *task)
{
	uint32_t msg_flags = read_source(open, task);
	uint64_t ret = (uint64_t)task->call.ret, len = ret;
	struct event *event;
	ssize_t copied;

	if (gather_call(&open->gather, task))
		open->gather.total = ret;
	if (len > open->gather.total)
		len = open->gather.total;
	event = new_data(task, len);
	copied = discards(open, task) ? 0
				      : gather_copy(&open->gather, task, event->data.payload, len);
	event->data.len = len;
	event->data.captured = copied > 0 ? (uint64_t)copied : 0;
	event->data.flags = event_flags(task);
	if (ret > len)
		event->data.full = ret;
	if (ret > len || msg_flags & MSG_TRUNC)
		event->data.flags |= FLAG_TRUNC;
	if (!ret && open->gather.total && !event_proto_is_datagram(open->sock->info.proto))
		event->data.flags |= FLAG_EOF;
	return event;
}

/* Gives back what a copy made for a large request has too much. */
static struct event *fit(struct event *event, uint64_t len)
{
	struct event *small;

	if (event->room_size - len < 4096)
		return event;
	small = event_new(EVENT_DATA, len);
	small->data = event->data;
	small->data.payload = event_room(small, len);
	memcpy(small->data.payload, event->data.payload, len);
	event_unref(event);
	return small;
}

static struct event *event_out(struct open_call *open, const struct task *task)
{
	uint64_t len = (uint64_t)task->call.ret;
	struct event *event = open->event;
	ssize_t copied;

	open->event = NULL;
	if (event) {
		if (open->copied > len)
			open->copied = len;
		event = fit(event, open->copied);
	} else {
		event = new_data(task, len);
		copied = gather_copy(&open->gather, task, event->data.payload, len);
		open->copied = copied > 0 ? (uint64_t)copied : 0;
	}
	event->data.len = len;
	event->data.captured = open->copied;
	event->data.flags = event_flags(task);
	return event;
}

static struct event *event_error(const struct task *task)
{
	struct event *event = new_data(task, 0);

	event->data.error = (int)-task->call.ret;
	event->data.flags = event_flags(task);
	return event;
}

static void fill_ends(struct capture *capture, struct event_data *data, struct open_call *open)
{
	struct sock *sock = open->sock;

	data->fd = open->fd;
	data->conn = sock_conn(capture, sock);
	data->proto = sock->info.proto;
	data->local = sock->info.local;
	data->remote = event_proto_is_datagram(data->proto) && open->addr.len ? open->addr
									      : sock->info.remote;
}

/*
 * The kernel gives a socket its local port at the first sendto, and TCP its peer at one with
 * MSG_FASTOPEN.
 */
static void settle(struct task *task, struct open_call *open)
{
	struct sock *sock = open->sock;
	struct sock_info info;

	if (sock->settled || descriptor_ask(task, open->fd, &info) ||
	    info.inode != sock->info.inode)
		return;
	sock->info.local = info.local;
	sock->info.remote = info.remote;
	sock->settled = event_proto_is_datagram(info.proto) ? addr_port(&info.local) != 0
							    : !addr_is_empty(&info.remote);
}

static bool is_again(const struct task *task)
{
	return task->call.ret == -EAGAIN || task->call.ret == -EWOULDBLOCK;
}

static void data_done(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;
	uint64_t dur = clock_monotonic() - task->call.entered;
	struct event *event;
	uint64_t missing;

	if (task->call.ret < 0)
		event = event_error(task);
	else if (task->call.row->dir == SYS_OUT)
		event = event_out(open, task);
	else
		event = event_in(open, task);
	emit_stamp(event, task);
	event->data.dur = dur;
	settle(task, open);
	fill_ends(capture, &event->data, open);
	missing = event->data.error ? 0 : event->data.len - event->data.captured;
	open->sock->moved[event->data.dir] += event_moved(event);
	emit_event(capture, event);
	if (missing)
		emit_loss(capture, task, discards(open, task) ? "discarded" : "unreadable",
			  open->fd, open->sock, missing, 1);
}

static void data_exit(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;

	if (task->call.row->shape == SHAPE_MSG && task->call.row->dir == SYS_IN &&
	    task->call.ret >= 0)
		scm_receive(capture, task);
	if (!open->sock)
		return;
	if (is_again(task))
		capture->totals.calls_again++;
	if (is_again(task) && !capture->options.again)
		return;
	if (!ret_restarts(task->call.ret))
		data_done(capture, task);
}

const struct op_handler data_handler = { data_enter, data_exit };
