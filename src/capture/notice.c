/* Calls that change what other calls mean, or open ways for bytes that no call shows. */
#include "abi/levels.h"
#include "base/own.h"
#include "base/proc.h"
#include "capture/message.h"
#include "capture/state.h"
#include "tracer/mem.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* include/uapi/linux/tls.h */
#define TLS_TX 1
#define TLS_RX 2

/* include/uapi/linux/if_packet.h and if_xdp.h */
#define PACKET_RX_RING 5
#define PACKET_TX_RING 13
#define XDP_RX_RING    2
#define XDP_TX_RING    3

static bool is_ring(int level, int option)
{
	return (level == SOL_PACKET && (option == PACKET_RX_RING || option == PACKET_TX_RING)) ||
	       (level == SOL_XDP && (option == XDP_RX_RING || option == XDP_TX_RING));
}

static bool setsockopt_enter(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;
	int level = (int)task->call.args[1], option = (int)task->call.args[2];
	struct sock *sock;

	if (is_ring(level, option))
		return true;
	if (level != SOL_TLS || (option != TLS_TX && option != TLS_RX))
		return false;
	open->fd = (int)task->call.args[0];
	sock = descriptor_sock(capture, task, open->fd);
	if (!sock)
		return false;
	open->sock = sock_get(sock);
	audit_seal(task, open->fd, sock, option == TLS_TX ? DIR_OUT : DIR_IN);
	return true;
}

static void setsockopt_exit(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;
	int level = (int)task->call.args[1], option = (int)task->call.args[2];

	if (task->call.ret < 0)
		return;
	if (level == SOL_TLS)
		open->sock->info.ktls[option == TLS_TX ? DIR_OUT : DIR_IN] = true;
	else
		emit_note(
			capture, task,
			level == SOL_XDP
				? "an AF_XDP ring is in use: what it moves is not seen"
				: "a packet ring (AF_PACKET) is in use: what it moves is not seen");
}

const struct op_handler setsockopt_handler = { setsockopt_enter, setsockopt_exit };

void ring_found(struct capture *capture, struct task *task, const char *how)
{
	struct cproc *cproc = cproc_of(task);
	char text[256];

	capture->totals.rings++;
	if (cproc->ring)
		return;
	cproc->ring = true;
	/* A ring makes sockets unseen, of numbers that were something else. */
	fdtable_forget_others(cproc->fds);
	if (capture->tap)
		tap_refuse(capture->tap, task->proc);
	snprintf(text, sizeof(text),
		 "io_uring is in use (%s): what it moves is not seen; --no-io-uring makes programs "
		 "fall back to system calls",
		 how);
	emit_note(capture, task, text);
}

bool descriptor_is_ring(const struct task *task, int fd)
{
	char name[32], target[64];

	snprintf(name, sizeof(name), "fd/%d", fd);
	return proc_link(task->tid, name, target, sizeof(target)) > 0 &&
	       !strcmp(target, "anon_inode:[io_uring]");
}

static void look_for_ring(void *ctx, int fd)
{
	struct task *task = ctx;

	if (descriptor_is_ring(task, fd))
		cproc_of(task)->ring = true;
}

void rings_find(struct capture *capture, struct task *task)
{
	proc_each(task->proc->pid, "fd", look_for_ring, task);
	if (!cproc_of(task)->ring)
		return;
	cproc_of(task)->ring = false;
	ring_found(capture, task, "a ring that was there before");
}

static bool io_uring_enter_call(struct capture *capture, struct task *task)
{
	/* With a filter in place the kernel has answered already. */
	if (capture->options.no_io_uring) {
		tracer_skip_call(capture->tracer, task, -ENOSYS);
		return false;
	}
	return true;
}

static void io_uring_exit_call(struct capture *capture, struct task *task)
{
	if (task->call.ret >= 0)
		ring_found(capture, task, "a new ring");
}

const struct op_handler io_uring_handler = { io_uring_enter_call, io_uring_exit_call };

static bool ptrace_enter(struct capture *capture, struct task *task)
{
	(void)capture;
	(void)task;
	return true;
}

/* Only one tracer is possible. The program's own message seldom says why. */
static void ptrace_exit(struct capture *capture, struct task *task)
{
	if (task->call.ret == -EPERM)
		emit_note(capture, task,
			  "this program tried to trace a process; what iotrace traces cannot be "
			  "traced by others");
}

const struct op_handler ptrace_handler = { ptrace_enter, ptrace_exit };

/* struct tcp_zerocopy_receive, include/uapi/linux/tcp.h; its first 40 bytes since 5.11. */
struct zerocopy {
	uint64_t address;
	uint32_t length;
	uint32_t skip_hint, inq;
	int32_t error;
	uint64_t copy_address;
	int32_t copy_len;
	uint32_t flags;
};

void zerocopy_received(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;
	struct iovec *pieces = own_zalloc(2 * sizeof(*pieces));
	struct message message = { .gather = { .pieces = pieces, .count = 2 } };
	struct message_call call = data_call(capture, task, open->sock);
	struct zerocopy zc = { 0 };
	struct event *event;
	uint64_t missing;
	uint32_t room = sizeof(zc);

	mem_read_all(task->tid, task->call.args[4], &room, sizeof(room));
	mem_read(task->tid, task->call.args[3], &zc, room < sizeof(zc) ? room : sizeof(zc));
	pieces[0] = (struct iovec){ (void *)(uintptr_t)zc.address, zc.length };
	if (zc.copy_len > 0)
		pieces[1] =
			(struct iovec){ (void *)(uintptr_t)zc.copy_address, (size_t)zc.copy_len };
	message.gather.total = pieces[0].iov_len + pieces[1].iov_len;
	call.dir = DIR_IN;
	if (!open->sock->zerocopy)
		emit_note(
			capture, task,
			"received by TCP_ZEROCOPY_RECEIVE: pages of the kernel, read when the call "
			"returns");
	open->sock->zerocopy = true;
	if (message.gather.total) {
		event = message_event_in(&message, task, &call, message.gather.total, &missing);
		data_emit(capture, task, event, &message, missing, "unreadable");
	}
	message_done(&message);
}
