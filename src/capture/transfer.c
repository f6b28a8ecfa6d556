/*
 * sendfile and splice: the bytes never are in the program's memory. They are read from the other
 * side, through a duplicate of its descriptor: a file at the position that was sent from, a pipe by
 * tee(2), which copies without taking.
 */
#include "base/own.h"
#include "base/proc.h"
#include "capture/message.h"
#include "capture/state.h"
#include "tracer/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct transfer {
	int side;         /* our duplicate of the file's descriptor, -1: none */
	int64_t position; /* in the file */
	uint8_t *bytes;   /* what was in the pipe at the entry */
	size_t len;
};

void transfer_free(struct transfer *transfer)
{
	if (!transfer)
		return;
	if (transfer->side >= 0)
		close(transfer->side);
	free(transfer->bytes);
	free(transfer);
}

static struct transfer *transfer_new(struct open_call *open)
{
	struct transfer *transfer = own_zalloc(sizeof(*transfer));

	transfer->side = -1;
	transfer->position = -1;
	open->transfer = transfer;
	return transfer;
}

static bool open_sock(struct capture *capture, struct task *task, int fd)
{
	struct open_call *open = &ctask_of(task)->open;
	struct sock *sock = descriptor_sock(capture, task, fd);

	if (!sock)
		return false;
	open->fd = fd;
	open->sock = sock_get(sock);
	return true;
}

/* off_t of the call: a long, but for sendfile64 of 32-bit programs. */
static int64_t read_offset(const struct task *task, uint64_t at)
{
	int64_t wide = -1;
	int32_t narrow;

	if (task->call.abi->word == 8 || !strcmp(task->call.row->name, "sendfile64"))
		return mem_read_all(task->tid, at, &wide, sizeof(wide)) ? -1 : wide;
	return mem_read_all(task->tid, at, &narrow, sizeof(narrow)) ? -1 : narrow;
}

static int64_t position_of(const struct task *task, int fd)
{
	char name[32], text[256];
	long long position;

	snprintf(name, sizeof(name), "fdinfo/%d", fd);
	if (proc_read(task->tid, name, text, sizeof(text)) < 0 ||
	    sscanf(text, "pos: %lld", &position) != 1)
		return -1;
	return position;
}

/* What devices and /proc say to us is not what they said to the program. */
static bool is_stored(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && (S_ISBLK(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size > 0));
}

static bool sendfile_enter(struct capture *capture, struct task *task)
{
	const uint64_t *args = task->call.args;
	struct transfer *transfer;

	if (!open_sock(capture, task, (int)args[0]))
		return false;
	transfer = transfer_new(&ctask_of(task)->open);
	transfer->side = descriptor_open(task, (int)args[1]);
	if (is_stored(transfer->side))
		transfer->position =
			args[2] ? read_offset(task, args[2]) : position_of(task, (int)args[1]);
	return true;
}

static size_t read_file(const struct transfer *transfer, uint8_t *to, size_t len)
{
	size_t at = 0;
	ssize_t n;

	if (transfer->side < 0 || transfer->position < 0)
		return 0;
	while (at < len) {
		n = pread(transfer->side, to + at, len - at, transfer->position + (off_t)at);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	return at;
}

/* The event of `ret` bytes, of which fill() finds as many as it can. */
static void emit_transfer(struct capture *capture, struct task *task, enum event_dir dir,
			  size_t (*fill)(const struct transfer *, uint8_t *, size_t))
{
	struct open_call *open = &ctask_of(task)->open;
	struct message_call call = data_call(capture, task, open->sock);
	uint64_t ret = (uint64_t)task->call.ret, missing;
	struct message message = { 0 };
	struct event *event;

	call.dir = dir;
	call.flags = 0;
	event = message_event_bytes(&message, &call, ret);
	event->data.captured = fill(open->transfer, event->data.payload, event->data.captured);
	missing = message_kept(&call, ret) - event->data.captured;
	event->data.flags |= FLAG_FILE;
	data_emit(capture, task, event, &message, missing, "unreadable");
}

static void sendfile_exit(struct capture *capture, struct task *task)
{
	if (task->call.ret > 0)
		emit_transfer(capture, task, DIR_OUT, read_file);
	else if (task->call.ret < 0)
		data_failed(capture, task);
}

const struct op_handler sendfile_handler = { sendfile_enter, sendfile_exit };

/* A copy of all that a pipe holds, at most `max` bytes from its front; the pipe stays as it is. */
static void copy_pipe(struct transfer *transfer, int pipe_fd, size_t max)
{
	int size = fcntl(pipe_fd, F_GETPIPE_SZ), ours[2];
	ssize_t n;

	if (size < 0 || pipe2(ours, O_CLOEXEC | O_NONBLOCK))
		return;
	fcntl(ours[1], F_SETPIPE_SZ, size);
	n = tee(pipe_fd, ours[1], max, SPLICE_F_NONBLOCK);
	if (n > 0) {
		transfer->bytes = own_alloc((size_t)n);
		while (transfer->len < (size_t)n) {
			ssize_t got = read(ours[0], transfer->bytes + transfer->len,
					   (size_t)n - transfer->len);

			if (got <= 0)
				break;
			transfer->len += (size_t)got;
		}
	}
	close(ours[0]);
	close(ours[1]);
}

static bool splice_enter(struct capture *capture, struct task *task)
{
	const uint64_t *args = task->call.args;
	struct open_call *open = &ctask_of(task)->open;
	int pipe_fd auto_close = -1;

	if (open_sock(capture, task, (int)args[2])) {
		pipe_fd = descriptor_open(task, (int)args[0]);
		if (pipe_fd >= 0)
			copy_pipe(transfer_new(open), pipe_fd,
				  args[4] < INT_MAX ? args[4] : INT_MAX);
		else
			transfer_new(open);
		return true;
	}
	return open_sock(capture, task, (int)args[0]);
}

static size_t front_of_pipe(const struct transfer *transfer, uint8_t *to, size_t len)
{
	if (len > transfer->len)
		len = transfer->len;
	if (len)
		memcpy(to, transfer->bytes, len);
	return len;
}

static size_t end_of_pipe(const struct transfer *transfer, uint8_t *to, size_t len)
{
	/* Somebody has read from it already. */
	if (len > transfer->len)
		return 0;
	if (len)
		memcpy(to, transfer->bytes + transfer->len - len, len);
	return len;
}

/* The bytes lie at the pipe's end now; a read end of it is got by way of /proc. */
static void copy_received(struct task *task, struct open_call *open)
{
	struct transfer *transfer = transfer_new(open);
	char path[64];
	int pipe_fd auto_close = -1;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", task->tid, (int)task->call.args[2]);
	pipe_fd = openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (pipe_fd >= 0)
		copy_pipe(transfer, pipe_fd, INT_MAX);
}

static void splice_exit(struct capture *capture, struct task *task)
{
	struct open_call *open = &ctask_of(task)->open;

	if (task->call.ret < 0) {
		data_failed(capture, task);
	} else if (open->transfer) {
		if (task->call.ret)
			emit_transfer(capture, task, DIR_OUT, front_of_pipe);
	} else {
		copy_received(task, open);
		emit_transfer(capture, task, DIR_IN, end_of_pipe);
	}
}

const struct op_handler splice_handler = { splice_enter, splice_exit };
