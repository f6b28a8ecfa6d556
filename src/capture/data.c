/*
 * Calls that move bytes. What is sent is copied at the entry, as the program may change it while
 * the call is blocked; what is received, at the exit. One event a message.
 */
#include "base/addr.h"
#include "base/clock.h"
#include "base/own.h"
#include "capture/message.h"
#include "capture/state.h"
#include "tracer/mem.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* UIO_MAXIOV: the kernel takes no more messages at once. */
#define MESSAGES_MAX 1024U

/* Of one sendmmsg, what is copied at the entry; the rest at the exit. */
#define BATCH_COPY_MAX (1U << 20)

void open_call_done(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;

	/* The last that could move bytes on a socket whose descriptors are closed. */
	if (open->sock && !open->sock->fds && open->sock->refs == 1)
		audit_end(capture, task, open->fd, open->sock);
	sock_put(&capture->socks, open->sock);
	for (size_t i = 0; i < open->count; i++)
		message_done(&open->messages[i]);
	free(open->messages);
	transfer_free(open->transfer);
	*open = (struct open_call){ 0 };
}

struct message_call data_call(const struct capture *capture, const struct task *task,
			      const struct sock *sock)
{
	const struct sys_row *row = task->call.row;
	uint32_t flags = row->flags >= 0 ? (uint32_t)task->call.args[row->flags] : 0;

	return (struct message_call){
		.dir = row->dir == SYS_OUT ? DIR_OUT : DIR_IN,
		.name = row->name,
		.flags = flags,
		.max_bytes = capture->options.max_bytes,
		.is_stream = !event_proto_is_datagram(sock->info.proto),
		.path = sock->path,
		.discards = flags & MSG_TRUNC && sock->info.proto == PROTO_TCP,
	};
}

static size_t message_count(const struct task *task)
{
	const struct sys_row *row = task->call.row;
	uint32_t count;

	if (row->shape != SHAPE_MMSG)
		return 1;
	count = (uint32_t)task->call.args[row->len];
	return count < MESSAGES_MAX ? count : MESSAGES_MAX;
}

static void read_msg(struct message *message, const struct task *task, uint64_t at)
{
	struct gather_msg msg;

	if (gather_msghdr(&msg, task, at)) {
		message->gather.unreadable = true;
		return;
	}
	gather_iov(&message->gather, task, msg.iov, msg.iovlen);
	gather_addr(&message->addr, task, msg.name, msg.namelen);
	control_read(&message->control, task, msg.control, msg.controllen);
	message->flags = msg.flags;
}

/* Where message number `index` is, who it goes to, what goes with it. */
static void read_message(struct message *message, const struct task *task, size_t index)
{
	const struct sys_row *row = task->call.row;
	const uint64_t *args = task->call.args;

	switch (row->shape) {
	case SHAPE_MSG:
		read_msg(message, task, args[row->data]);
		break;
	case SHAPE_MMSG:
		read_msg(message, task, args[row->data] + index * gather_mmsg_size(task));
		break;
	default:
		gather_call(&message->gather, task);
		if (row->addr >= 0 && row->dir == SYS_OUT)
			gather_addr(&message->addr, task, args[row->addr], args[row->addrlen]);
	}
}

static bool is_message(const struct task *task)
{
	return task->call.row->shape == SHAPE_MSG || task->call.row->shape == SHAPE_MMSG;
}

/* True if the exit is wanted: the socket is captured, or sockets go with the messages. */
static bool enter_out(struct capture *capture, struct open_call *open, struct task *task)
{
	struct message_call call;
	uint64_t copied = 0;
	bool rights = false;

	if (!open->sock && !is_message(task))
		return false;
	open->count = message_count(task);
	open->messages = own_zalloc(open->count * sizeof(*open->messages));
	if (open->sock)
		call = data_call(capture, task, open->sock);
	for (size_t i = 0; i < open->count; i++) {
		struct message *message = &open->messages[i];

		read_message(message, task, i);
		scm_send(capture, task, &message->control);
		rights |= message->control.fd_count > 0;
		if (!open->sock || copied > BATCH_COPY_MAX)
			continue;
		message_copy_out(message, task, &call);
		copied += message->copied;
	}
	return open->sock || rights;
}

/* Messages from `first` on were not sent. */
static void undo_rights(struct capture *capture, struct task *task, size_t first)
{
	struct open_call *open = &ctask_of(task)->open;

	for (size_t i = first; i < open->count; i++)
		scm_send_failed(capture, task, &open->messages[i].control);
}

static void enter_in(struct open_call *open, const struct task *task)
{
	const struct sys_row *row = task->call.row;
	uint32_t room;

	if (row->addr >= 0 && task->call.args[row->addr] &&
	    !mem_read_all(task->tid, task->call.args[row->addrlen], &room, sizeof(room)))
		open->addr_room = room;
}

static bool is_message_in(const struct task *task)
{
	const struct sys_row *row = task->call.row;

	return row->dir == SYS_IN && (row->shape == SHAPE_MSG || row->shape == SHAPE_MMSG);
}

static bool data_enter(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;
	int fd = (int)task->call.args[task->call.row->fd];
	struct sock *sock;

	if (named_enter(capture, task, fd, NULL))
		return false;
	sock = descriptor_sock(capture, task, fd);
	if (tapped_enter(capture, task, fd, sock))
		return false;

	open->fd = fd;
	if (sock)
		open->sock = sock_get(sock);
	/* Descriptors may go and come with messages on a socket that is of no interest itself. */
	if (!sock && is_message_in(task))
		return true;
	if (task->call.row->dir == SYS_OUT)
		return enter_out(capture, open, task);
	if (sock)
		enter_in(open, task);
	return sock != NULL;
}

/*
 * The kernel gives a socket its local port at the first sendto, and TCP its peer at one with
 * MSG_FASTOPEN.
 */
static void settle(struct task *task, struct sock *sock, int fd)
{
	struct sock_info info;

	if (sock->settled)
		return;
	if (!event_proto_is_datagram(sock->info.proto) && addr_port(&sock->info.local) &&
	    addr_port(&sock->info.remote)) {
		sock->settled = true;
		return;
	}
	if (sock->path || descriptor_ask(task, fd, &info) || info.inode != sock->info.inode) {
		sock->settled = sock->path != NULL;
		return;
	}
	/* /proc does not list a connection that was reset. */
	if (info.local.len)
		sock->info.local = info.local;
	if (info.remote.len || event_proto_is_datagram(info.proto))
		sock->info.remote = info.remote;
	sock->settled = event_proto_is_datagram(info.proto) ? addr_port(&info.local) != 0
							    : !addr_is_empty(&info.remote);
}

static void fill_ends(struct capture *capture, struct event_data *data, struct sock *sock, int fd,
		      const struct addr *addr)
{
	bool own_peer;

	data->fd = fd;
	data->conn = sock->path ? 0 : sock_conn(capture, sock);
	data->proto = sock->info.proto;
	data->local = sock->info.local;
	/* One SCTP socket can have many peers. */
	own_peer = event_proto_is_datagram(data->proto) || data->proto == PROTO_SCTP;
	data->remote = own_peer && addr->len ? *addr : sock->info.remote;
}

/* What TLS says itself (alerts, tickets, new keys) is not the program's plaintext. */
static void seal(struct event_data *data, struct sock *sock, uint8_t record)
{
	if (!sock->info.ktls[data->dir])
		return;
	data->flags |= FLAG_KTLS;
	if (record && record != RECORD_APPLICATION)
		return;
	data->layer = LAYER_PLAIN;
	sock->plain_seen = true;
}

void data_place(struct capture *capture, struct task *task, struct event *event, struct sock *sock,
		int fd, const struct addr *addr, uint8_t record)
{
	settle(task, sock, fd);
	fill_ends(capture, &event->data, sock, fd, addr);
	seal(&event->data, sock, record);
	sock->moved[event->data.dir] += event_moved(event);
	if (capture->probes && !sock->path && !(event->data.flags & FLAG_KTLS) &&
	    !event_proto_is_datagram(event->data.proto))
		plain_look_at_wire(capture, task, event, sock, fd);
}

void data_emit(struct capture *capture, struct task *task, struct event *event,
	       const struct message *message, uint64_t missing, const char *reason)
{
	struct open_call *open = &ctask_of(task)->open;

	emit_stamp(event, task);
	event->data.dur = clock_monotonic() - task->call.entered;
	data_place(capture, task, event, open->sock, open->fd, &message->addr,
		   message->control.record);
	plain_bind_call(capture, task, open->sock, open->fd, event);
	stack_add(capture, task, event);
	capture->totals.calls_stop++;
	emit_event(capture, event);
	if (missing)
		emit_loss(capture, task, reason, open->fd, open->sock, missing, 1);
}

/* Address of the peer that a datagram came from. */
static void read_source(struct message *message, const struct open_call *open,
			const struct task *task)
{
	const struct sys_row *row = task->call.row;
	uint32_t len;

	if (open->addr_room &&
	    !mem_read_all(task->tid, task->call.args[row->addrlen], &len, sizeof(len)))
		gather_addr(&message->addr, task, task->call.args[row->addr],
			    len < open->addr_room ? len : open->addr_room);
}

/* Only the kernel can tell a seqpacket's end from an empty packet. */
static bool peer_has_ended(struct task *task, int fd)
{
	int own auto_close = descriptor_dup(task, fd);
	struct pollfd pfd = { .fd = own, .events = POLLRDHUP };

	return own >= 0 && poll(&pfd, 1, 0) == 1 && pfd.revents & (POLLRDHUP | POLLHUP);
}

static void message_in(struct capture *capture, struct task *task, size_t index, uint64_t ret)
{
	struct open_call *open = &ctask_of(task)->open;
	struct message message = { 0 };
	struct message_call call;
	struct event *event;
	uint64_t missing;

	read_message(&message, task, index);
	scm_receive(capture, task, &message.control);
	if (open->sock) {
		call = data_call(capture, task, open->sock);
		if (!ret && open->sock->info.proto == PROTO_UNIX_SEQPACKET)
			call.is_stream = peer_has_ended(task, open->fd);
		read_source(&message, open, task);
		event = message_event_in(&message, task, &call, ret, &missing);
		data_emit(capture, task, event, &message, missing,
			  call.discards ? "discarded" : "unreadable");
	}
	message_done(&message);
}

static void message_out(struct capture *capture, struct task *task, size_t index, uint64_t ret)
{
	struct open_call *open = &ctask_of(task)->open;
	struct message_call call;
	struct event *event;
	uint64_t missing;

	if (!open->sock || index >= open->count)
		return;
	call = data_call(capture, task, open->sock);
	event = message_event_out(&open->messages[index], task, &call, ret, &missing);
	data_emit(capture, task, event, &open->messages[index], missing, "unreadable");
}

/* sendmmsg and recvmmsg return how many messages were moved, and write the length of each. */
static void many_done(struct capture *capture, struct task *task,
		      void (*one)(struct capture *, struct task *, size_t, uint64_t))
{
	uint64_t at = task->call.args[task->call.row->data];
	size_t size = gather_mmsg_size(task);
	uint32_t len;

	for (size_t i = 0; i < (size_t)task->call.ret && i < MESSAGES_MAX; i++) {
		if (mem_read_all(task->tid, at + i * size + gather_mmsg_len_offset(task), &len,
				 sizeof(len)))
			break;
		one(capture, task, i, len);
	}
}

static void calls_done(struct capture *capture, struct task *task)
{
	void (*one)(struct capture *, struct task *, size_t, uint64_t) =
		task->call.row->dir == SYS_OUT ? message_out : message_in;

	if (task->call.row->shape == SHAPE_MMSG)
		many_done(capture, task, one);
	else
		one(capture, task, 0, (uint64_t)task->call.ret);
}

void data_failed(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;
	struct message none = { 0 };
	struct message_call call;

	if (task->call.ret == -EAGAIN) {
		capture->totals.calls_again++;
		if (!capture->options.again)
			return;
	}
	call = data_call(capture, task, open->sock);
	data_emit(capture, task, message_event_error(&call, (int)-task->call.ret),
		  open->count ? &open->messages[0] : &none, 0, NULL);
}

/* How many messages were moved. */
static size_t moved_count(const struct task *task)
{
	if (task->call.ret < 0)
		return 0;
	return task->call.row->shape == SHAPE_MMSG ? (size_t)task->call.ret : 1;
}

static void data_exit(struct capture *capture, struct task *task)
{
	undo_rights(capture, task, moved_count(task));
	if (task->call.ret >= 0)
		calls_done(capture, task);
	else if (ctask_of(task)->open.sock)
		data_failed(capture, task);
}

const struct op_handler data_handler = { data_enter, data_exit };
