/* What the capture's own files share. Nothing outside src/capture includes this. */
#ifndef CAPTURE_STATE_H
#define CAPTURE_STATE_H

#include "capture/capture.h"
#include "capture/fdtable.h"
#include "capture/gather.h"
#include "capture/message.h"
#include "capture/sock.h"
#include "probe/probe.h"
#include "tap/tap.h"

#include <linux/sched.h>

#define COMM_LEN 16

/* TLS's type of records that carry what the program sends: RFC 8446, 5.1. */
#define RECORD_APPLICATION 23

struct initial_sock {
	int fd;
	struct sock_info info;
};

struct capture {
	struct capture_options options;
	struct sink *sink;
	struct tracer *tracer;
	struct sock_table socks;
	struct map procs;      /* by pid: struct cproc */
	struct probes *probes; /* NULL: none are wanted */
	struct tap *tap;       /* NULL: all calls are stopped at */
	const char *tap_why;   /* there is none */
	struct ghost *ghosts;  /* the oldest first */
	struct ghost **last_ghost;
	struct map lsan_files;  /* by file: has it LeakSanitizer? */
	unsigned int in_flight; /* sockets that were sent and not received yet */
	pid_t initial_pid;      /* the program before it runs, and the sockets it starts with */
	struct initial_sock *initial;
	size_t initial_count;
	bool stopped; /* nothing more is recorded */
	bool lookup_checked;
	uint64_t conns;
	struct event_end totals;
	uint64_t started; /* CLOCK_MONOTONIC */
	void (*kicked)(void *ctx);
	void *kicked_ctx;
};

/* proc::user */
struct cproc {
	struct proc *proc;
	struct capture *capture;
	struct fdtable *fds;
	int pidfd;             /* -1: not opened yet */
	struct map sessions;   /* of TLS libraries, by their object's address: struct session */
	bool tap_wanted;       /* attached: the agent is put in at its next call */
	bool scan_wanted;      /* something may be mapped that is to be probed */
	struct unwind *unwind; /* of this program, with --stack; NULL: not made yet */
	bool executed;         /* start was told */
	bool sandboxed;        /* has a filter of its own */
	bool strict_as_is;     /* seccomp's strict mode is the kernel's own */
	bool ring;             /* has an io_uring */
	bool hooks_wanted;     /* probed functions are called often: they could be seen inside */
	bool hooks_refused;    /* they cannot */
	bool explained;        /* why its calls are stopped at was told */
	bool scanned;          /* attached: all its descriptors have been looked at */
	unsigned int exiting;  /* tasks that are about to end */
	struct closing *closings;
	struct map in_calls;  /* descriptors that threads were waiting on, at … */
	uint64_t in_calls_at; /* CLOCK_MONOTONIC */
};

/* A call that is under way: what was learned at its entry. */
struct open_call {
	struct sock *sock; /* one reference; NULL: none is concerned */
	int fd;
	struct message *messages; /* what a sending call was given */
	size_t count;
	struct addr addr;          /* argument of bind and connect */
	uint64_t addr_room;        /* recvfrom: room for the peer's address */
	struct transfer *transfer; /* sendfile and splice: the other side */
};

/* task::user */
struct ctask {
	char comm[EVENT_COMM_MAX];         /* clean */
	const struct sock *last_tls[DIRS]; /* that it moved TLS records on; only to be compared */
	int last_tls_fd[DIRS];
	struct open_call open;
};

static inline struct ctask *ctask_of(const struct task *task)
{
	return task->user;
}

static inline struct cproc *cproc_of(const struct task *task)
{
	return task->proc->user;
}

/* One handler per enum sys_op. enter: true if exit is to be called. Either may be NULL. */
struct op_handler {
	bool (*enter)(struct capture *capture, struct task *task);
	void (*exit)(struct capture *capture, struct task *task);
};

extern const struct op_handler data_handler, socket_handler, socketpair_handler, bind_handler,
	listen_handler, connect_handler, accept_handler, shutdown_handler, getsockopt_handler,
	close_handler, close_range_handler, dup_handler, dup_to_handler, unshare_handler,
	pidfd_getfd_handler, lock_handler, prctl_handler, sendfile_handler, splice_handler,
	setsockopt_handler, io_uring_handler, execve_handler, ptrace_handler, mmap_handler;

/* adopt.c: what is this descriptor? Borrowed; NULL where it is nothing that we capture. */
struct sock *descriptor_sock(struct capture *capture, struct task *task, int fd);
/*
 * A process that is still narrow uses a socket by name (--unix: until then its local sockets do not
 * count, as most are the name service's). True: it was widened, and the call will be made again.
 */
bool named_enter(struct capture *capture, struct task *task, int fd, const struct addr *addr);
/* A call made this descriptor: puts it in the table. The socket, borrowed; NULL: not captured. */
struct sock *descriptor_made(struct capture *capture, struct task *task, int fd,
			     const struct sock_info *fallback);
/* The table no longer holds it: tells a close where it was the last one. Accepts NULL. */
void descriptor_released(struct capture *capture, struct task *task, int fd, struct sock *sock);
bool sock_is_wanted(const struct capture *capture, const struct sock_info *info);
/* The descriptor is about to be closed; to be called before the table is changed. */
void descriptor_closing(struct capture *capture, struct task *task, int fd);
/* … and all of the table that may go with the process's end or an exec. */
void table_closing(struct capture *capture, struct task *task);
/* All descriptors of the task's process are gone (exit), or its table must be its own (exec). */
void table_release(struct capture *capture, struct task *task);
void table_drop(struct capture *capture, struct task *task);
void table_unshare(struct capture *capture, struct task *task);
/* After exec: what close-on-exec has closed. */
void table_check(struct capture *capture, struct task *task);
/* All calls of the process are seen from here on, and what it has mapped is probed. */
void capture_widen(struct capture *capture, struct task *task);
/* The process owns a socket now: all its calls, and those of whom it shares descriptors with,
 * count. */
void table_widen(struct capture *capture, struct task *task);

/* lookup.c: asks the kernel about a descriptor of the task. 0 or -errno, as sock_ask. */
int descriptor_ask(struct task *task, int fd, struct sock_info *ret_info);
/* A duplicate of the task's descriptor, ours to close, or -errno. */
int descriptor_dup(struct task *task, int fd);
/* The same, or where that is forbidden the file or pipe behind it, opened anew to be read. */
int descriptor_open(struct task *task, int fd);
/* Of a process that is not traced yet. */
int process_ask(pid_t pid, int fd, struct sock_info *ret_info);
/* Says once what cannot be had here. */
void lookup_check(struct capture *capture, struct task *task);

/* emit.c: makes events of the task, now. */
void emit_process(struct capture *capture, struct task *task, enum process_event what, pid_t ppid);
void emit_exit(struct capture *capture, struct task *task, int status);
void emit_socket(struct capture *capture, struct task *task, enum socket_event what, int fd,
		 struct sock *sock, int error);
/* how: SHUT_RD and so on; time: when it returned, 0: now. */
void emit_shutdown(struct capture *capture, struct task *task, int fd, struct sock *sock,
		   uint32_t how, uint64_t time);
void emit_loss(struct capture *capture, struct task *task, const char *reason, int fd,
	       struct sock *sock, uint64_t bytes, uint64_t calls);
void emit_note(struct capture *capture, struct task *task, const char *text);
/* Fills the head of an event: time, ids, comm. */
void emit_stamp(struct event *event, const struct task *task);
/* The same without the time. */
void emit_owner(struct event *event, const struct task *task);
/* Counts and hands over; the reference is the callee's. */
void emit_event(struct capture *capture, struct event *event);
uint64_t sock_conn(struct capture *capture, struct sock *sock);

/* data.c: releases what an open call holds. */
void open_call_done(struct capture *capture, struct task *task);
struct message_call data_call(const struct capture *capture, const struct task *task,
			      const struct sock *sock);
/*
 * Fills in where a data event belongs, and counts its bytes; addr is the message's own, if it has one,
 * record the type that the call gave or got for kernel TLS, else 0.
 */
void data_place(struct capture *capture, struct task *task, struct event *event, struct sock *sock,
		int fd, const struct addr *addr, uint8_t record);
/* Completes and emits a data event of the task's call on open.sock; a loss too if bytes are missing. */
void data_emit(struct capture *capture, struct task *task, struct event *event,
	       const struct message *message, uint64_t missing, const char *reason);
/* The call on open.sock failed. */
void data_failed(struct capture *capture, struct task *task);

/* audit.c */
void audit_begin(struct sock *sock, bool active);
/* A connection that was there before we met it: a loss where bytes were moved on it. */
void audit_adopt(struct capture *capture, struct task *task, int fd, struct sock *sock,
		 const char *reason);
/* From here on the kernel encrypts what goes this way, and its count is no longer that of our bytes. */
void audit_seal(struct task *task, int fd, struct sock *sock, enum event_dir dir);
/* The last descriptor is about to be closed: what does the kernel say? */
void audit_close(struct task *task, int fd, struct sock *sock);
/* Nothing more can come: a loss where the kernel has moved more than we have seen. */
void audit_end(struct capture *capture, struct task *task, int fd, struct sock *sock);

/* notice.c */
bool descriptor_is_ring(const struct task *task, int fd);
/* Rings that the process had before we came. */
void rings_find(struct capture *capture, struct task *task);
void ring_found(struct capture *capture, struct task *task, const char *how);
void zerocopy_received(struct capture *capture, struct task *task);

/* plain.c */
extern const struct probe_ops plain_ops;
void plain_look_at_wire(struct capture *capture, struct task *task, const struct event *event,
			struct sock *sock, int fd);
/* The call was made inside a library's function, perhaps: that is its session's socket. */
void plain_bind_call(struct capture *capture, struct task *task, struct sock *sock, int fd,
		     const struct event *event);
/* The last descriptor goes: a loss where it was TLS that could not be read. */
void plain_closing(struct capture *capture, struct task *task, int fd, const struct sock *sock);
/* The same for a call that was told afterwards: its stack pointer, and Go's goroutine. */
void plain_bind_place(struct capture *capture, struct task *task, struct sock *sock, int fd,
		      const struct event *event, uint64_t sp, uint64_t g);
void sessions_done(struct capture *capture, struct cproc *cproc);

/*
 * hello.c: the process's connection whose ClientHello's random the library's object holds. dir: which way that
 * went, as both ends of one can be here; NULL: not known.
 */
bool hello_find(struct task *task, uint64_t object, const enum event_dir *dir,
		struct sock **ret_sock, int *ret_fd);

/* socket.c: a connection was accepted, by a call with those arguments, traced or not. */
void socket_accepted(struct capture *capture, struct task *task, const struct sock *listener,
		     const struct sys_row *row, const uint64_t args[6], int fd);

/* tapped.c: calls that are recorded inside the process */
void tapped_start(struct capture *capture);
void tapped_stop(struct capture *capture);
/* An attached process can be made to run without stops. True: the call that it is at will be made again. */
bool tapped_begin(struct capture *capture, struct task *task);
/* It has mapped code. */
void tapped_mapped(struct capture *capture, struct task *task);
/* At the entry of a data call, or accept: has it to be made again, as it goes through the agent from now on? */
bool tapped_enter(struct capture *capture, struct task *task, int fd, const struct sock *sock);
/*
 * True where fd is nothing that is captured, in a process with the agent: it closes such ones without
 * a stop. The number stays known for that, as whatever makes a socket of it is seen.
 */
bool tapped_closes(struct capture *capture, struct task *task, int fd);
/* The table's watcher: the agent knows descriptors by a table of its own. */
void tapped_watch(void *cproc, int fd, enum fd_state state, struct sock *before);
void tapped_end(struct capture *capture);

/* hooked.c: probed functions that are seen inside the process */
/* One was called so often. */
void hooked_busy(struct capture *capture, struct task *task, unsigned int calls);
/* Its calls are all stopped at, or nothing is recorded any more: none will be seen inside. */
void hooked_refuse(struct capture *capture, struct task *task);
/* At the entry of a call of a tapped process: true if it will be made again. */
bool hooked_make(struct capture *capture, struct task *task);
void hooked_entered(void *ctx, struct task *task, const struct tap_hooked *call);
void hooked_left(void *ctx, struct task *task, const struct tap_hooked *call);

/* ghost.c: sockets behind descriptors of just before, for records that come late */
void ghost_add(struct capture *capture, pid_t pid, int fd, uint8_t state, struct sock *sock);
struct sock *ghost_find(const struct capture *capture, pid_t pid, int fd, uint8_t state);
/* They have had their time, or it is the end. */
void ghosts_sweep(struct capture *capture, bool all);
void ghosts_drop(struct capture *capture);

/*
 * closing.c: true if the socket's close is to be told later, as a function of Go's TLS is under way on it;
 * then, or when the process ends, or has a new program.
 */
bool closing_waits(struct capture *capture, struct task *task, int fd, struct sock *sock);
void closing_returned(struct capture *capture, struct task *task, uint64_t session);
void closings_end(struct capture *capture, struct task *task);

/* capture.c: the state of a task and its process, made if there is none yet. */
void capture_ensure(struct capture *capture, struct task *task);

/* transfer.c */
void transfer_free(struct transfer *transfer);

/* stack.c: adds to a data event where in the program the call was made, if that is asked for. */
void stack_add(struct capture *capture, struct task *task, struct event *event);
void stack_forget(struct cproc *cproc);

/* adopt.c: descriptors that came with a received message (SCM_RIGHTS) are taken in. */
void scm_receive(struct capture *capture, struct task *task, const struct control *control);

/* … and those that go with one that is sent stay open; undone if the call failed. */
void scm_send(struct capture *capture, struct task *task, const struct control *control);
void scm_send_failed(struct capture *capture, struct task *task, const struct control *control);
/* initial.c: the sockets that the program starts with, into its table. */
void initial_adopt(struct capture *capture, struct task *task);
/* Those of an attached process that it has not used yet: before a child gets a copy of its table. */
void initial_inherit(struct capture *capture, struct task *task);

/* The same for one descriptor that another process's table gave. */
void descriptor_came(struct capture *capture, struct task *task, int fd);

/* lsan.c: says so where the program has LeakSanitizer. */
void lsan_check(struct capture *capture, struct task *task);

#endif
