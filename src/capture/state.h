/* What the capture's own files share. Nothing outside src/capture includes this. */
#ifndef CAPTURE_STATE_H
#define CAPTURE_STATE_H

#include "capture/capture.h"
#include "capture/fdtable.h"
#include "capture/gather.h"
#include "capture/sock.h"

#include <linux/sched.h>

#define COMM_LEN 16

/* Calls that ask for more are captured at their exit, so that only what was moved is copied. */
#define ENTRY_COPY_MAX (256U << 10)

struct capture {
	struct capture_options options;
	struct sink *sink;
	struct tracer *tracer;
	struct sock_table socks;
	struct map procs;      /* by pid: struct cproc */
	struct map lsan_files; /* by file: has it LeakSanitizer? */
	uint64_t conns;
	struct event_end totals;
	uint64_t started; /* CLOCK_MONOTONIC */
	void (*kicked)(void *ctx);
	void *kicked_ctx;
};

/* proc::user */
struct cproc {
	struct proc *proc;
	struct fdtable *fds;
	int pidfd;     /* -1: not opened yet */
	bool executed; /* start was told */
};

/* A call that is under way: what was learned at its entry. */
struct open_call {
	struct sock *sock; /* one reference; NULL: none is concerned */
	int fd;
	struct event *event;  /* the bytes, where they were copied at the entry */
	uint64_t copied;      /* how many of them */
	struct gather gather; /* where the bytes are, where they are copied at the exit */
	struct addr addr;     /* destination of sendto and sendmsg, argument of bind and connect */
	uint64_t addr_room;   /* recvfrom: room for the peer's address */
};

/* task::user */
struct ctask {
	char comm[COMM_LEN];
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
	listen_handler, connect_handler, accept_handler, shutdown_handler, so_error_handler,
	close_handler, close_range_handler, dup_handler, dup_to_handler, unshare_handler,
	pidfd_getfd_handler, lock_handler, prctl_handler;

/* adopt.c: what is this descriptor? Borrowed; NULL where it is nothing that we capture. */
struct sock *descriptor_sock(struct capture *capture, struct task *task, int fd);
/* Asks the kernel about a descriptor of the task. 0 or -errno, as sock_ask. */
int descriptor_ask(struct task *task, int fd, struct sock_info *ret_info);
/* A call made this descriptor: puts it in the table. The socket, borrowed; NULL: not captured. */
struct sock *descriptor_made(struct capture *capture, struct task *task, int fd,
			     const struct sock_info *fallback);
/* The table no longer holds it: tells a close where it was the last one. Accepts NULL. */
void descriptor_released(struct capture *capture, struct task *task, int fd, struct sock *sock);
bool sock_is_wanted(const struct capture *capture, const struct sock_info *info);
/* All descriptors of the task's process are gone (exit), or its table must be its own (exec). */
void table_release(struct capture *capture, struct task *task);
void table_unshare(struct capture *capture, struct task *task);
/* After exec: what close-on-exec has closed. */
void table_check(struct capture *capture, struct task *task);
/* The process owns a socket now: all its calls, and those of whom it shares descriptors with,
 * count. */
void table_widen(struct capture *capture, struct task *task);

/* emit.c: makes events of the task, now. */
void emit_process(struct capture *capture, struct task *task, enum process_event what, pid_t ppid);
void emit_exit(struct capture *capture, struct task *task, int status);
void emit_socket(struct capture *capture, struct task *task, enum socket_event what, int fd,
		 struct sock *sock, int error);
void emit_loss(struct capture *capture, struct task *task, const char *reason, int fd,
	       struct sock *sock, uint64_t bytes, uint64_t calls);
void emit_note(struct capture *capture, struct task *task, const char *text);
/* Fills the head of an event: time, ids, comm. */
void emit_stamp(struct event *event, const struct task *task);
/* Counts and hands over; the reference is the callee's. */
void emit_event(struct capture *capture, struct event *event);
uint64_t sock_conn(struct capture *capture, struct sock *sock);

/* data.c: releases what an open call holds. */
void open_call_done(struct capture *capture, struct open_call *open);

/* scm.c: descriptors that came with a received message (SCM_RIGHTS) are taken in. */
void scm_receive(struct capture *capture, struct task *task);

/* lsan.c: says so where the program has LeakSanitizer. */
void lsan_check(struct capture *capture, struct task *task);

/* The result means that the kernel will make the call again: -ERESTARTSYS … -ERESTART_RESTARTBLOCK.
 */
static inline bool ret_restarts(int64_t ret)
{
	return ret <= -512 && ret >= -516;
}

#endif
