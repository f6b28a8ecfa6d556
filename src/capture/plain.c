/*
 * Plaintext above TLS, and the socket that it belongs to: by the system call that the library makes
 * inside its function, by what its session used before, by what the library was given (SSL_set_fd),
 * by Go's own structures, by the client random that was seen on the wire.
 */
#include "base/clock.h"
#include "base/own.h"
#include "capture/message.h"
#include "capture/state.h"
#include "probe/probe.h"
#include "tracer/mem.h"

#include <stdio.h>
#include <string.h>

/* A TLS session of a library, by the address of its object. */
struct session {
	uint64_t id;
	struct sock *sock; /* one reference; NULL: not known yet, or … */
	int fd;
	bool foreign; /* … nothing that is captured */
	bool has_role;
	enum event_dir hello_dir; /* then: which way its ClientHello goes */
};

#define SESSIONS_MAX 1000000U

static struct session *session_of(struct cproc *cproc, uint64_t id)
{
	struct session *session = map_get(&cproc->sessions, id);

	if (session)
		return session;
	/* More than a program has: what they are bound to is found anew. */
	if (map_count(&cproc->sessions) >= SESSIONS_MAX)
		sessions_done(cproc->capture, cproc);
	session = own_zalloc(sizeof(*session));
	session->id = id;
	session->fd = -1;
	map_put(&cproc->sessions, id, session);
	return session;
}

static void session_free(struct capture *capture, struct session *session)
{
	if (!session)
		return;
	sock_put(&capture->socks, session->sock);
	free(session);
}

void sessions_done(struct capture *capture, struct cproc *cproc)
{
	MAP_FOR_EACH(node, &cproc->sessions)
		session_free(capture, map_value(node));
	map_done(&cproc->sessions);
}

/* sock NULL: it has one, but none that is captured. */
static void bind_session(struct capture *capture, struct session *session, struct sock *sock,
			 int fd)
{
	if (session->sock != sock) {
		sock_put(&capture->socks, session->sock);
		session->sock = sock ? sock_get(sock) : NULL;
	}
	if (sock)
		sock->session = session->id;
	session->fd = fd;
	session->foreign = !sock;
}

/* What it is, client or server, it stays. */
static void unbind_session(struct capture *capture, struct session *session)
{
	sock_put(&capture->socks, session->sock);
	session->sock = NULL;
	session->fd = -1;
	session->foreign = false;
}

/*
 * A closed socket is to be doubted, as the object's address may be used anew. But another thread can
 * have closed it while this call was under way, or have left something that was decrypted before.
 */
static bool is_bound(const struct session *session)
{
	return session->sock && session->sock->fds;
}

#define RECORD_HANDSHAKE 0x16
#define CLIENT_HELLO     1
#define RANDOM_OFFSET \
	11 /* 5 of the record, 4 of the handshake, 2 of the version: RFC 8446, 4.1.2 */

static bool is_record(const uint8_t *p, uint64_t len)
{
	return len >= 5 && p[0] >= 0x14 && p[0] <= RECORD_APPLICATION && p[1] == 3 && p[2] <= 4;
}

/* RFC 6347, 4.1: DTLS 1.0 and 1.2. */
static bool is_datagram_record(const uint8_t *p, uint64_t len)
{
	return len >= 13 && p[0] >= 0x14 && p[0] <= RECORD_APPLICATION && p[1] == 0xfe &&
	       p[2] >= 0xfd;
}

/* What of the wire's bytes tells which connection is which session's. */
void plain_look_at_wire(struct capture *capture, struct task *task, const struct event *event,
			struct sock *sock, int fd)
{
	const struct event_data *data = &event->data;
	struct ctask *ctask = ctask_of(task);

	if (data->error || !is_record(data->payload, data->captured))
		return;
	ctask->last_tls[data->dir] = sock;
	ctask->last_tls_fd[data->dir] = fd;
	if (data->payload[0] != RECORD_HANDSHAKE || sock->tls ||
	    data->captured < RANDOM_OFFSET + sizeof(sock->client_random) ||
	    data->payload[5] != CLIENT_HELLO)
		return;
	memcpy(sock->client_random, data->payload + RANDOM_OFFSET, sizeof(sock->client_random));
	sock->hello_dir = data->dir;
	sock->tls = true;
	if (capture->probes)
		probes_blind(capture->probes, task);
}

/*
 * Libraries talk to others, too, inside their functions: to the system's log, to name servers. What goes
 * over TCP is taken for the session's own; elsewhere it must look like it.
 */
static bool is_sessions(const struct sock *sock, const struct event_data *data)
{
	if (sock->info.proto == PROTO_TCP)
		return true;
	if (sock->path || data->error)
		return false;
	return event_proto_is_datagram(sock->info.proto)
		       ? is_datagram_record(data->payload, data->captured)
		       : is_record(data->payload, data->captured);
}

/* A system call that moves bytes, made inside a library's function: that is its session's socket. */
static void bind_inside(struct capture *capture, struct task *task, struct sock *sock, int fd,
			uint64_t id)
{
	if (id)
		bind_session(capture, session_of(cproc_of(task), id), sock, fd);
}

static enum row_dir row_dir(enum event_dir dir)
{
	return dir == DIR_OUT ? ROW_OUT : ROW_IN;
}

void plain_bind_call(struct capture *capture, struct task *task, struct sock *sock, int fd,
		     const struct event *event)
{
	if (capture->probes && is_sessions(sock, &event->data))
		bind_inside(capture, task, sock, fd,
			    probes_session(capture->probes, task, row_dir(event->data.dir)));
}

void plain_bind_place(struct capture *capture, struct task *task, struct sock *sock, int fd,
		      const struct event *event, uint64_t sp, uint64_t g)
{
	if (capture->probes && is_sessions(sock, &event->data))
		bind_inside(
			capture, task, sock, fd,
			probes_session_at(capture->probes, task, row_dir(event->data.dir), sp, g));
}

/* The library was given this descriptor, of whatever kind. */
static void bind_given(struct capture *capture, struct task *task, struct session *session, int fd)
{
	struct sock *sock = fd >= 0 ? descriptor_sock(capture, task, fd) : NULL;

	if (sock && !sock->path)
		bind_session(capture, session, sock, fd);
	else if (fd >= 0)
		bind_session(capture, session, NULL, -1);
}

/*
 * crypto/tls.Conn begins with a net.Conn: a type and a pointer to what begins with a *net.netFD, whose
 * poll.FD has the descriptor at +16 (Go 1.9 to 1.26). Somebody's own net.Conn has something else there.
 */
static bool bind_go(struct capture *capture, struct task *task, struct session *session,
		    uint64_t conn)
{
	struct sock *sock;
	uint64_t at = 0;
	int64_t fd = -1;

	if (mem_read_all(task->tid, conn + 8, &at, sizeof(at)) ||
	    mem_read_all(task->tid, at, &at, sizeof(at)) ||
	    mem_read_all(task->tid, at + 16, &fd, sizeof(fd)) || fd < 0 || fd > INT32_MAX)
		return false;
	sock = descriptor_sock(capture, task, (int)fd);
	if (!sock || sock->path || event_proto_is_datagram(sock->info.proto))
		return false;
	bind_session(capture, session, sock, (int)fd);
	return true;
}

static bool bind_random(struct capture *capture, struct task *task, struct session *session,
			uint64_t object)
{
	struct sock *sock;
	int fd;

	if (!hello_find(task, object, session->has_role ? &session->hello_dir : NULL, &sock, &fd))
		return false;
	bind_session(capture, session, sock, fd);
	return true;
}

/*
 * Memory BIOs, attached in mid-connection: what was read last by this thread is what is decrypted. Where
 * the beginning was seen a TLS session that does not have its random is another connection's.
 */
static void bind_last(struct capture *capture, struct task *task, struct session *session,
		      const struct probe_call *call)
{
	struct ctask *ctask = ctask_of(task);
	struct sock *sock = NULL;

	if (call->row->dir == ROW_IN && ctask->last_tls[DIR_IN] &&
	    fdtable_find(cproc_of(task)->fds, ctask->last_tls_fd[DIR_IN], &sock) == FD_SOCKET &&
	    sock == ctask->last_tls[DIR_IN] && !(call->row->is_tls && sock->tls))
		bind_session(capture, session, sock, ctask->last_tls_fd[DIR_IN]);
}

/* Words of a Go function's frame that are searched for its receiver; Write's has 29 (Go 1.19). */
#define FRAME_WORDS 48U

/* The frame has been left, but nothing has been put over it since. */
static struct session *guess_session(struct capture *capture, struct task *task, uint64_t sp)
{
	uint64_t words[FRAME_WORDS];
	struct session *session;

	if (mem_read_all(task->tid, sp - sizeof(words), words, sizeof(words)))
		return NULL;
	for (size_t i = FRAME_WORDS; i-- > 0;) {
		struct session found = { .fd = -1 };

		if (!words[i] || words[i] & 7 || !bind_go(capture, task, &found, words[i]))
			continue;
		session = session_of(cproc_of(task), words[i]);
		bind_session(capture, session, found.sock, found.fd);
		sock_put(&capture->socks, found.sock);
		return session;
	}
	return NULL;
}

static struct session *find_session(struct capture *capture, struct task *task,
				    const struct probe_call *call)
{
	struct session *session;

	if (!call->session)
		return call->begun_before ? guess_session(capture, task, call->sp) : NULL;
	session = session_of(cproc_of(task), call->session);
	/* Go's object does not have the random, but the next ones in its heap may. */
	if (is_bound(session) || session->foreign ||
	    (call->go ? bind_go(capture, task, session, call->session)
		      : bind_random(capture, task, session, call->session)) ||
	    session->sock)
		return session;
	bind_last(capture, task, session, call);
	return session;
}

static void fill_ends(struct capture *capture, struct event_data *data,
		      const struct session *session)
{
	const struct sock *sock = session ? session->sock : NULL;

	data->fd = sock ? session->fd : -1;
	if (!sock)
		return;
	data->conn = sock_conn(capture, session->sock);
	data->proto = sock->info.proto;
	data->local = sock->info.local;
	data->remote = sock->info.remote;
}

static void copy_bytes(const struct task *task, const struct probe_call *call,
		       struct event_data *data)
{
	ssize_t copied;

	if (call->bytes) {
		if (data->captured > call->there)
			data->captured = call->there;
		memcpy(data->payload, call->bytes, data->captured);
		return;
	}
	copied = mem_read(task->tid, call->buffer, data->payload, data->captured);
	data->captured = copied > 0 ? (uint64_t)copied : 0;
}

/* Of a call that was seen inside, when it returned; else that is now. */
static void stamp(const struct task *task, const struct probe_call *call, struct event *event)
{
	if (call->bytes) {
		emit_owner(event, task);
		event->time = call->time;
		event->data.dur = call->dur;
		return;
	}
	emit_stamp(event, task);
	if (!call->begun_before)
		event->data.dur = clock_monotonic() - call->entered;
}

static void on_data(void *ctx, struct task *task, const struct probe_call *call)
{
	struct capture *capture = ctx;
	enum event_dir dir = call->row->dir == ROW_OUT ? DIR_OUT : DIR_IN;
	struct session *session;
	struct message message = { 0 };
	struct message_call shape = { .dir = dir,
				      .name = call->name,
				      .max_bytes = capture->options.max_bytes };
	struct event *event;
	uint64_t missing;

	capture_ensure(capture, task);
	session = find_session(capture, task, call);
	/* With kernel TLS the system call has told it. */
	if (session && session->sock && session->sock->info.ktls[dir])
		return;
	event = message_event_bytes(&message, &shape, call->len);
	missing = event->data.captured;
	copy_bytes(task, call, &event->data);
	missing -= event->data.captured;
	event->data.layer = LAYER_PLAIN;
	event->data.flags = call->row->peek ? FLAG_PEEK : 0;
	stamp(task, call, event);
	fill_ends(capture, &event->data, session);
	if (session && session->sock && call->row->is_tls)
		session->sock->plain_seen = true;
	stack_add(capture, task, event);
	emit_event(capture, event);
	if (missing)
		emit_loss(capture, task, "unreadable", -1, session ? session->sock : NULL, missing,
			  1);
}

static void on_session(void *ctx, struct task *task, const struct probe_call *call)
{
	struct capture *capture = ctx;
	struct session *session;

	capture_ensure(capture, task);
	switch (call->row->kind) {
	case ROW_BIND:
		session = session_of(cproc_of(task), call->session);
		bind_given(capture, task, session, (int)call->buffer);
		break;
	case ROW_UNBIND:
		session = map_get(&cproc_of(task)->sessions, call->session);
		if (session)
			unbind_session(capture, session);
		break;
	case ROW_ROLE:
		session = session_of(cproc_of(task), call->session);
		session->has_role = true;
		session->hello_dir = call->row->dir == ROW_OUT ? DIR_OUT : DIR_IN;
		break;
	default:
		session_free(capture, map_take(&cproc_of(task)->sessions, call->session));
	}
}

static void on_note(void *ctx, struct task *task, const char *text)
{
	capture_ensure(ctx, task);
	emit_note(ctx, task, text);
}

static void on_busy(void *ctx, struct task *task, unsigned int calls)
{
	capture_ensure(ctx, task);
	hooked_busy(ctx, task, calls);
}

static void on_returned(void *ctx, struct task *task, uint64_t session)
{
	if (task->user)
		closing_returned(ctx, task, session);
}

const struct probe_ops plain_ops = { on_data, on_session, on_returned, on_note, on_busy };

void plain_closing(struct capture *capture, struct task *task, int fd, const struct sock *sock)
{
	if (capture->probes && sock->tls && !sock->plain_seen &&
	    probes_blind(capture->probes, task))
		emit_loss(capture, task, "no-plaintext", fd, (struct sock *)(uintptr_t)sock,
			  sock->moved[DIR_OUT] + sock->moved[DIR_IN], 0);
}

static bool mmap_enter(struct capture *capture, struct task *task)
{
	return (capture->probes || task->proc->told_inside) && (int)task->call.args[4] >= 0;
}

/* A library was loaded. */
static void mmap_exit(struct capture *capture, struct task *task)
{
	if (task->call.ret <= 0 && task->call.ret >= -4095)
		return;
	tapped_mapped(capture, task);
	if (capture->probes)
		probes_scan(capture->probes, task);
}

const struct op_handler mmap_handler = { mmap_enter, mmap_exit };
