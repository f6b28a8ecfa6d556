#include "sink/out.h"

#include "base/own.h"
#include "base/zstd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER (128U << 10)

/* A frame of compressed data ends between two events when it holds this much. */
#define FRAME (1U << 20)

struct out {
	char *name;
	int fd;
	bool keep_open;
	int command; /* pidfd of the command, -1: none */
	int error;
	uint64_t written;
	struct buf buf;
	struct zstd_writer *zstd; /* NULL: not compressed */
	struct buf packed;
	size_t in_frame; /* bytes that the frame holds so far */
	bool held;       /* some of them not written yet */
};

static struct out *out_new(const char *name, int fd)
{
	struct out *out = own_zalloc(sizeof(*out));

	out->name = own_strdup(name);
	out->fd = fd;
	out->command = -1;
	return out;
}

static _Noreturn void run_command(const char *command, int input, int pid_fd)
{
	sigset_t none;
	pid_t pid = fork();

	if (pid) {
		if (pid < 0 || write(pid_fd, &pid, sizeof(pid)) != sizeof(pid))
			_exit(1);
		_exit(0);
	}
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	if (dup2(input, STDIN_FILENO) < 0)
		_exit(126);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static void close_pair(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/*
 * By way of a process in between, so that the command is not our child: the tracer waits for any
 * child, and its own end is when there is none.
 */
static int start_command(const char *command, int *ret_fd, int *ret_pidfd)
{
	int input[2], report[2];
	pid_t middle, pid = 0;
	int error;

	if (pipe2(input, O_CLOEXEC))
		return -errno;
	if (pipe2(report, O_CLOEXEC)) {
		error = -errno;
		close_pair(input);
		return error;
	}
	middle = fork();
	if (middle < 0) {
		error = -errno;
		close_pair(input);
		close_pair(report);
		return error;
	}
	if (!middle)
		run_command(command, input[0], report[1]);
	close(input[0]);
	close(report[1]);
	if (read(report[0], &pid, sizeof(pid)) == sizeof(pid))
		*ret_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	close(report[0]);
	waitpid(middle, NULL, 0);
	if (!pid) {
		close(input[1]);
		return -EAGAIN;
	}
	*ret_fd = input[1];
	return 0;
}

static int create(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);

	return fd < 0 ? -errno : fd;
}

struct out *out_open(const char *name, int out_fd, int *ret_error)
{
	int fd = -1, pidfd = -1;
	struct out *out;

	*ret_error = 0;
	if (!strcmp(name, "-"))
		return out_from_fd(out_fd, "standard output");
	if (name[0] == '|') {
		*ret_error = start_command(name + 1, &fd, &pidfd);
		if (*ret_error)
			return NULL;
		out = out_new(name, fd);
		out->command = pidfd;
		return out;
	}
	fd = create(name);
	*ret_error = fd < 0 ? fd : 0;
	return fd < 0 ? NULL : out_new(name, fd);
}

struct out *out_from_fd(int fd, const char *name)
{
	struct out *out = out_new(name, fd);

	out->keep_open = true;
	return out;
}

struct buf *out_buf(struct out *out)
{
	return &out->buf;
}

static void wait_writable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	poll(&pfd, 1, -1);
}

static void write_all(struct out *out, const char *data, size_t len)
{
	ssize_t n;

	while (len && !out->error) {
		n = write(out->fd, data, len);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
			out->written += (uint64_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			/* Somebody else's non-blocking pipe or terminal. */
			wait_writable(out->fd);
		} else if (n < 0 && errno != EINTR) {
			out->error = -errno;
		}
	}
}

/* Compressed where that is asked for. */
static void pass_on(struct out *out, const void *data, size_t len, enum zstd_end end)
{
	if (!out->zstd) {
		write_all(out, data, len);
		return;
	}
	zstd_write(out->zstd, &out->packed, data, len, end);
	write_all(out, out->packed.data, out->packed.len);
	out->packed.len = 0;
	out->in_frame = end == ZSTD_ENDED ? 0 : out->in_frame + len;
	out->held = end == ZSTD_MORE;
}

static void empty(struct out *out, enum zstd_end end)
{
	if (out->buf.len || (end == ZSTD_ENDED ? out->in_frame > 0 : out->held))
		pass_on(out, out->buf.data, out->buf.len, end);
	out->buf.len = 0;
	if (out->buf.cap > 8 * BUFFER)
		buf_done(&out->buf);
}

void out_flush(struct out *out)
{
	empty(out, ZSTD_FLUSHED);
}

void out_commit(struct out *out)
{
	if (out->buf.len >= BUFFER)
		empty(out, ZSTD_MORE);
}

void out_end_record(struct out *out)
{
	if (out->in_frame + out->buf.len >= FRAME && out->zstd)
		empty(out, ZSTD_ENDED);
	else
		out_commit(out);
}

void out_write(struct out *out, const void *data, size_t len)
{
	if (len < BUFFER / 2) {
		buf_add(&out->buf, data, len);
		return;
	}
	empty(out, ZSTD_MORE);
	pass_on(out, data, len, ZSTD_MORE);
}

void out_compress(struct out *out)
{
	if (!out->zstd)
		out->zstd = zstd_writer_new();
}

const char *out_name(const struct out *out)
{
	return out->name;
}

bool out_is_terminal(const struct out *out)
{
	return isatty(out->fd);
}

uint64_t out_written(const struct out *out)
{
	return out->written;
}

int out_error(const struct out *out)
{
	return out->error;
}

bool out_is_file(const struct out *out)
{
	return !out->keep_open && out->command < 0;
}

void out_next(struct out *out, const char *name)
{
	int fd;

	empty(out, ZSTD_ENDED);
	fd = create(name);
	if (close(out->fd) && !out->error)
		out->error = -errno;
	out->fd = fd;
	if (fd < 0 && !out->error)
		out->error = fd;
	out->written = 0;
}

int out_close(struct out *out)
{
	struct pollfd pfd;
	int error;

	if (!out)
		return 0;
	empty(out, ZSTD_ENDED);
	if (!out->keep_open && out->fd >= 0 && close(out->fd) && !out->error)
		out->error = -errno;
	if (out->command >= 0) {
		pfd = (struct pollfd){ .fd = out->command, .events = POLLIN };
		while (poll(&pfd, 1, -1) < 0 && errno == EINTR)
			continue;
		close(out->command);
	}
	error = out->error;
	buf_done(&out->buf);
	buf_done(&out->packed);
	zstd_writer_free(out->zstd);
	free(out->name);
	free(out);
	return error;
}
