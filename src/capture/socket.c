/* Calls that make sockets and change their state. */
#include "base/addr.h"
#include "capture/state.h"
#include "tracer/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static bool want_exit(struct capture *capture, struct task *task)
{
	(void)capture;
	(void)task;
	return true;
}

static bool socket_enter(struct capture *capture, struct task *task)
{
	struct sock_info info = { .family = sock_family((int)task->call.args[0]) };

	return sock_is_wanted(capture, &info);
}

static struct sock_info info_of_args(const struct task *task)
{
	int domain = (int)task->call.args[0];

	return (struct sock_info){
		.family = sock_family(domain),
		.proto = sock_proto(domain, (int)task->call.args[1], (int)task->call.args[2]),
	};
}

static void made_socket(struct capture *capture, struct task *task, int fd, enum socket_event what,
			const struct sock_info *fallback)
{
	struct sock *sock = descriptor_made(capture, task, fd, fallback);

	if (!sock)
		return;
	if (what == SOCKET_ACCEPT)
		audit_begin(sock, false);
	emit_socket(capture, task, what, fd, sock, 0);
	table_widen(capture, task);
}

static void socket_exit(struct capture *capture, struct task *task)
{
	struct sock_info fallback = info_of_args(task);

	/* A narrow process's local socket counts when it is used: named_enter. */
	if (task->call.ret < 0 ||
	    (fallback.family == FAMILY_UNIX && !task->proc->wide && !task->proc->follow_all))
		return;
	made_socket(capture, task, (int)task->call.ret, SOCKET_OPEN, &fallback);
}

const struct op_handler socket_handler = { socket_enter, socket_exit };

static void socketpair_exit(struct capture *capture, struct task *task)
{
	struct sock_info fallback = info_of_args(task);
	int fds[2];

	if (task->call.ret < 0 || mem_read_all(task->tid, task->call.args[3], fds, sizeof(fds)))
		return;
	for (int i = 0; i < 2; i++)
		made_socket(capture, task, fds[i], SOCKET_OPEN, &fallback);
}

const struct op_handler socketpair_handler = { socket_enter, socketpair_exit };

/* The calls on a socket that exists: fd and the socket are kept for the exit. */
static bool sock_enter(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;
	const struct sys_row *row = task->call.row;
	struct sock *sock;

	open->fd = (int)task->call.args[row->fd];
	if (row->addr >= 0 && row->op != OP_ACCEPT)
		gather_addr(&open->addr, task, task->call.args[row->addr],
			    task->call.args[row->addrlen]);
	if (named_enter(capture, task, open->fd, &open->addr))
		return false;
	sock = descriptor_sock(capture, task, open->fd);
	if (sock)
		open->sock = sock_get(sock);
	return sock != NULL;
}

static void refresh(struct task *task, struct open_call *open)
{
	struct sock_info info;

	if (descriptor_ask(task, open->fd, &info) || info.inode != open->sock->info.inode)
		return;
	/* A stream whose peer has ended has no peer's name any more. */
	if (!info.remote.len && !event_proto_is_datagram(info.proto))
		info.remote = open->sock->info.remote;
	/* Its identity, and where it had to be looked up in /proc, what is not there. */
	info.cookie = open->sock->info.cookie;
	if (!info.local.len)
		info.local = open->sock->info.local;
	if (info.family == FAMILY_NONE) {
		info.family = open->sock->info.family;
		info.proto = open->sock->info.proto;
	}
	open->sock->info = info;
}

/* Of a call that the agent makes from now on. */
static bool tapped_sock_enter(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;

	return sock_enter(capture, task) && !tapped_enter(capture, task, open->fd, open->sock);
}

static int error_of(const struct task *task)
{
	return task->call.ret < 0 ? (int)-task->call.ret : 0;
}

static void state_exit(struct capture *capture, struct task *task, enum socket_event what)
{
	struct open_call *open = &ctask_of(task)->open;

	refresh(task, open);
	emit_socket(capture, task, what, open->fd, open->sock, error_of(task));
}

static void bind_exit(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;
	struct sock_info before = open->sock->info;

	if (!error_of(task)) {
		/* /proc does not list a TCP socket before it listens. */
		if (addr_port(&open->addr))
			open->sock->info.local = open->addr;
		state_exit(capture, task, SOCKET_BIND);
		return;
	}
	/* What it failed to be bound to is what the user wants to see. */
	open->sock->info.local = open->addr;
	emit_socket(capture, task, SOCKET_BIND, open->fd, open->sock, error_of(task));
	open->sock->info = before;
}

const struct op_handler bind_handler = { sock_enter, bind_exit };

static void listen_exit(struct capture *capture, struct task *task)
{
	state_exit(capture, task, SOCKET_LISTEN);
}

const struct op_handler listen_handler = { sock_enter, listen_exit };

static void shutdown_exit(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;

	if (error_of(task))
		return;
	if (!open->sock->settled)
		refresh(task, open);
	emit_shutdown(capture, task, open->fd, open->sock, (uint32_t)task->call.args[1], 0);
}

const struct op_handler shutdown_handler = { tapped_sock_enter, shutdown_exit };

static void connect_exit(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;
	struct sock *sock = open->sock;
	int error = error_of(task);

	if (error == EALREADY)
		return;
	refresh(task, open);
	if (!sock->info.remote.len)
		sock->info.remote = open->addr;
	sock->settled = false;
	/* The second connect() of those who do not ask for SO_ERROR. */
	if (sock->connecting && error == EISCONN)
		error = 0;
	if (!error || error == EINPROGRESS)
		audit_begin(sock, true);
	sock->connecting = error == EINPROGRESS;
	emit_socket(capture, task, SOCKET_CONNECT, open->fd, sock, error);
}

const struct op_handler connect_handler = { sock_enter, connect_exit };

static bool is_zerocopy(const struct task *task)
{
	return (uint32_t)task->call.args[1] == IPPROTO_TCP;
}

static bool getsockopt_enter(struct capture *capture, struct task *task)
{
	if (is_zerocopy(task))
		return (uint32_t)task->call.args[2] == TCP_ZEROCOPY_RECEIVE &&
		       sock_enter(capture, task);
	return (uint32_t)task->call.args[1] == SOL_SOCKET &&
	       (uint32_t)task->call.args[2] == SO_ERROR && sock_enter(capture, task) &&
	       ctask_of(task)->open.sock->connecting;
}

static void so_error_exit(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;
	struct sock_info now = { 0 };
	int error;

	if (task->call.ret < 0 ||
	    mem_read_all(task->tid, task->call.args[3], &error, sizeof(error)))
		return;
	/* Asked before it was decided: there is no peer yet. */
	if (!error && (descriptor_ask(task, open->fd, &now) || !now.remote.len))
		return;
	refresh(task, open);
	open->sock->connecting = false;
	emit_socket(capture, task, SOCKET_CONNECT, open->fd, open->sock, error);
}

static void getsockopt_exit(struct capture *capture, struct task *task)
{
	if (!is_zerocopy(task))
		so_error_exit(capture, task);
	else if (!task->call.ret)
		zerocopy_received(capture, task);
}

const struct op_handler getsockopt_handler = { getsockopt_enter, getsockopt_exit };

void socket_accepted(struct capture *capture, struct task *task, const struct sock *listener,
		     const struct sys_row *row, const uint64_t args[6], int fd)
{
	struct sock_info fallback = listener->info;

	fallback.inode = fallback.cookie = 0;
	fallback.listening = false;
	gather_addr_at(&fallback.remote, task, args[row->addr], args[row->addrlen]);
	made_socket(capture, task, fd, SOCKET_ACCEPT, &fallback);
}

static void accept_exit(struct capture *capture, struct task *task)
{
	const struct call *call = &task->call;

	if (call->ret >= 0)
		socket_accepted(capture, task, ctask_of(task)->open.sock, call->row, call->args,
				(int)call->ret);
}

const struct op_handler accept_handler = { tapped_sock_enter, accept_exit };

static void pidfd_getfd_exit(struct capture *capture, struct task *task)
{
	if (task->call.ret >= 0)
		descriptor_came(capture, task, (int)task->call.ret);
}

const struct op_handler pidfd_getfd_handler = { want_exit, pidfd_getfd_exit };
