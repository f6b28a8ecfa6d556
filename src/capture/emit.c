/* Facts become events here, and are counted. */
#include "base/clock.h"
#include "base/own.h"
#include "base/proc.h"
#include "capture/state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Bytes of a command line that are kept. */
#define ARGV_MAX (64U << 10)

void emit_owner(struct event *event, const struct task *task)
{
	event->pid = task->proc->pid;
	event->tid = task->tid;
	memcpy(event->comm, ctask_of(task)->comm, sizeof(event->comm));
}

void emit_stamp(struct event *event, const struct task *task)
{
	event->time = clock_realtime();
	if (task)
		emit_owner(event, task);
}

void emit_event(struct capture *capture, struct event *event)
{
	if (!capture->stopped || event->type == EVENT_NOTE)
		sink_emit(capture->sink, event);
	event_unref(event);
}

uint64_t sock_conn(struct capture *capture, struct sock *sock)
{
	if (!sock->conn)
		sock->conn = ++capture->conns;
	return sock->conn;
}

/* exe and argv as /proc has them; a process that is gone has none. */
void emit_process(struct capture *capture, struct task *task, enum process_event what, pid_t ppid)
{
	char *argv auto_free = own_alloc(ARGV_MAX);
	char exe[4096];
	ssize_t exe_len = -1, argv_len = -1;
	struct event *event;

	if (what != PROCESS_FORK) {
		exe_len = proc_link(task->tid, "exe", exe, sizeof(exe));
		argv_len = proc_read(task->tid, "cmdline", argv, ARGV_MAX);
	}
	event = event_new(EVENT_PROCESS,
			  (exe_len > 0 ? EVENT_TEXT_ROOM((size_t)exe_len) : 0) +
				  (argv_len > 0 ? EVENT_TEXT_ROOM((size_t)argv_len + 1) : 0));
	emit_stamp(event, task);
	event->process.what = what;
	event->process.ppid = ppid;
	event->process.status = -1;
	if (exe_len > 0)
		event->process.exe = event_text_len(event, exe, (size_t)exe_len);
	if (argv_len > 0) {
		const char *end = argv + argv_len;
		const char *start = (const char *)event->room + event->room_used;

		for (const char *arg = argv; arg < end; arg += strlen(arg) + 1)
			event_text(event, arg);
		event->process.argv.data = start;
		event->process.argv.len =
			(size_t)((const char *)event->room + event->room_used - start);
	}
	emit_event(capture, event);
}

void emit_exit(struct capture *capture, struct task *task, int status)
{
	struct event *event = event_new(EVENT_PROCESS, 0);

	emit_stamp(event, task);
	event->process.what = PROCESS_EXIT;
	event->process.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	event->process.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	emit_event(capture, event);
}

static struct event *make_socket(struct capture *capture, struct task *task, enum socket_event what,
				 int fd, struct sock *sock)
{
	struct event *event = event_new(EVENT_SOCKET, 0);

	emit_stamp(event, task);
	event->socket.what = what;
	event->socket.fd = fd;
	event->socket.conn = sock_conn(capture, sock);
	event->socket.family = sock->info.family;
	event->socket.proto = sock->info.proto;
	event->socket.local = sock->info.local;
	event->socket.remote = sock->info.remote;
	event->socket.has_cred =
		sock->info.has_cred && (what == SOCKET_CONNECT || what == SOCKET_ACCEPT);
	event->socket.cred = sock->info.cred;
	return event;
}

void emit_socket(struct capture *capture, struct task *task, enum socket_event what, int fd,
		 struct sock *sock, int error)
{
	struct event *event = make_socket(capture, task, what, fd, sock);

	event->socket.error = error;
	emit_event(capture, event);
}

void emit_shutdown(struct capture *capture, struct task *task, int fd, struct sock *sock,
		   uint32_t how, uint64_t time)
{
	struct event *event = make_socket(capture, task, SOCKET_SHUTDOWN, fd, sock);

	/* SHUT_RD, SHUT_WR, SHUT_RDWR are 0, 1, 2. */
	if (how <= SHUT_RDWR)
		event->socket.how = SHUTDOWN_READ + how;
	if (time)
		event->time = time;
	emit_event(capture, event);
}

void emit_loss(struct capture *capture, struct task *task, const char *reason, int fd,
	       struct sock *sock, uint64_t bytes, uint64_t calls)
{
	struct event *event = event_new(EVENT_LOSS, EVENT_TEXT_ROOM(strlen(reason)));

	emit_stamp(event, task);
	event->loss.reason = event_text(event, reason);
	event->loss.fd = fd;
	event->loss.conn = sock ? sock_conn(capture, sock) : 0;
	event->loss.bytes = bytes;
	event->loss.calls = calls;
	emit_event(capture, event);
}

void emit_note(struct capture *capture, struct task *task, const char *text)
{
	struct event *event = event_new(EVENT_NOTE, EVENT_TEXT_ROOM(strlen(text)));

	emit_stamp(event, task);
	event->note.text = event_text(event, text);
	emit_event(capture, event);
}

void capture_note(struct capture *capture, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	emit_note(capture, NULL, text);
}

void capture_end(struct capture *capture)
{
	struct event *event = event_new(EVENT_END, 0);
	struct tracer_stats stats;
	const char *symbol;

	for (size_t i = 0; capture->probes && (symbol = probes_unmatched(capture->probes, i)); i++)
		capture_note(capture, "--probe: no traced program has a function %s", symbol);

	tapped_end(capture);
	tracer_get_stats(capture->tracer, &stats);
	capture->totals.stops = stats.stops;
	capture->totals.wall = clock_monotonic() - capture->started;
	emit_stamp(event, NULL);
	event->end = capture->totals;
	sink_emit(capture->sink, event);
	event_unref(event);
	tapped_stop(capture);
}
