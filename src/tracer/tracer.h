/*
 * The stop engine: starts programs under ptrace, follows all their descendants and tells its ops
 * what they do. It knows nothing of sockets.
 *
 * Life: tracer_new, tracer_prepare and tracer_start, tracer_run (until all tracees are gone),
 * tracer_free. One thread makes all the calls, but for tracer_kick.
 */
#ifndef TRACER_TRACER_H
#define TRACER_TRACER_H

#include "tracer/stop.h"
#include "tracer/task.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct tracer;

/*
 * What the tracer tells. Tasks are stopped during each call, and resumed when it returns. A tracee
 * may die in any of them: reads then fail with -ESRCH, which is to be taken as a result.
 */
struct tracer_ops {
	/* Any stop of a known task, before it is looked at. True: its signal is not to be delivered. */
	bool (*before)(void *ctx, struct task *task, struct stop stop);
	/* A call with a row begins (task->call is filled). True: call exit() at its end. */
	bool (*enter)(void *ctx, struct task *task);
	/* It ended, call.ret is its result. A call that the kernel restarts has not ended. */
	void (*exit)(void *ctx, struct task *task);
	/*
	 * The call was not made, or its end will not be told: the task was killed in it, its call
	 * was restarted by an injection.
	 */
	void (*drop)(void *ctx, struct task *task);
	/* A new task; of the same process if flags has CLONE_THREAD. flags as in clone(2). */
	void (*fork)(void *ctx, struct task *parent, struct task *child, uint64_t flags);
	/* A running process was attached; the task is its first. */
	void (*found)(void *ctx, struct task *task);
	/* A task whose creator died before it could tell. */
	void (*orphan)(void *ctx, struct task *task);
	/* A new program; the process has one task. */
	void (*exec)(void *ctx, struct task *task);
	/* It is about to end: its memory is still there. */
	void (*exiting)(void *ctx, struct task *task);
	/* An attached one is about to be let go: as often as it stops until then, at any stop. */
	void (*leaving)(void *ctx, struct task *task);
	/* It is the last of its process, at a stop where calls can be made in it from a perch. */
	void (*left)(void *ctx, struct task *task);
	/* It is gone. last: the process is, too, with wait status `status`; -1: it was let go. */
	void (*gone)(void *ctx, struct task *task, int status, bool last);
	/* Calls of this process can't be traced by a filter; it is stopped at each of them. */
	void (*unfiltered)(void *ctx, struct task *task, int error);
	/* tracer_kick was called, or a signal came. */
	void (*kicked)(void *ctx);
};

struct tracer_options {
	bool pin;         /* tracer and tracees on one processor */
	bool named;       /* the calls of WHEN_NAMED are seen from the start */
	bool probes;      /* those of WHEN_PROBED */
	bool files;       /* those of WHEN_FILES, too */
	bool no_io_uring; /* io_uring_setup fails with ENOSYS */
	bool no_follow;   /* children of attached processes are let go */
};

struct tracer_stats {
	uint64_t stops;
	uint64_t widened;
};

/* Whom a program is to run as. */
struct spawn_user {
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t group_count;
};

/* What to start. Strings and arrays are borrowed. */
struct spawn {
	char *const *argv;
	char *const *envp;
	bool background;                 /* the program takes our place, the tracer a new process */
	int out_fd;                      /* becomes its standard output; -1: as ours */
	const struct spawn_user *user;   /* NULL: as ours */
	const sigset_t *sigmask;         /* that it starts with */
	const struct sigaction *sigpipe; /* its SIGPIPE, which we ignore */
	const struct rlimit *nofile;     /* its limit of descriptors, which we raise */
	/* Asked before it runs: does it start with a socket? */
	bool (*owns_socket)(void *ctx, pid_t pid);
	void *ctx;
};

/* Why a start failed. */
struct spawn_error {
	const char *what; /* "seize", "filter", "user" or "exec"; NULL: it was killed */
	int error;
};

/* ops and ctx must outlive the tracer. NULL and a negative errno in *ret_error on failure. */
struct tracer *tracer_new(const struct tracer_ops *ops, void *ctx,
			  const struct tracer_options *options, int *ret_error);
void tracer_free(struct tracer *tracer);

/*
 * Makes the process that will be the program; it waits. To be called before any thread is started.
 * 0, or -errno with *ret_error. With spawn->background it returns in another process.
 */
int tracer_prepare(struct tracer *tracer, const struct spawn *spawn, struct spawn_error *ret_error);

/* Lets it go, traced from its first instruction. 0 or -errno. */
int tracer_start(struct tracer *tracer, const struct spawn *spawn, struct spawn_error *ret_error);

/* Or ends it without having started the program. */
void tracer_abandon(struct tracer *tracer);

/*
 * Follows a running process: all its threads, and from now on its children. Calls that return EINTR
 * because of that are made again where that can be done (docs/limits.md). 0, also where it is followed
 * already; -ESRCH: no such process; -EPERM: the kernel refuses; -EDEADLK: it is ourselves.
 */
int tracer_attach(struct tracer *tracer, pid_t pid);

/* While this is set, the loop goes on although nothing is left to follow: more may come. */
void tracer_keep(struct tracer *tracer, bool keep);

/* Lets all attached processes go, each thread at a safe stop; the loop ends when nothing is left. */
void tracer_detach(struct tracer *tracer);

/* True when the program ended without ever having been executed; then *ret_error says why. */
bool tracer_start_failed(struct tracer *tracer, struct spawn_error *ret_error);

/* Follows until nothing is left to follow. 0, or -errno where waiting itself fails. */
int tracer_run(struct tracer *tracer);

/* The wait status of the started program, -1 while it runs. */
int tracer_main_status(const struct tracer *tracer);

/* From another thread or a signal handler: ops.kicked is called soon. */
/* … and again until this is false: the tracer may be just about to wait. */
void tracer_kick(struct tracer *tracer);
bool tracer_kick_pending(const struct tracer *tracer);

/* True where a tracee has stopped, or ended, and waits to be handled. */
bool tracer_has_stops(const struct tracer *tracer);

/*
 * Sends a signal to the started program, or, when it has ended, to what is left of its children.
 * With not_ours only to those outside our process group: the terminal has sent it to the others.
 */
void tracer_signal(struct tracer *tracer, int sig, bool not_ours);

/* SIGKILL to all that was started, and its children. */
void tracer_kill_all(struct tracer *tracer);

void tracer_get_stats(const struct tracer *tracer, struct tracer_stats *ret_stats);

struct task *tracer_find_task(const struct tracer *tracer, pid_t tid);
struct proc *tracer_find_proc(const struct tracer *tracer, pid_t pid);

/*
 * From here on every call of the rows, wide ones too, of the task's process is seen. The task is
 * stopped in enter(), exit() or at its first stop. Injects the wide filter; where the kernel or the
 * program's own sandbox forbids that, the process is stopped at every call instead and
 * ops.unfiltered is told. In enter() the call will be made again: return false.
 */
void tracer_widen(struct tracer *tracer, struct task *task);

/* The same for another process, whose tasks may be running; they are interrupted if need be. */
void tracer_widen_other(struct tracer *tracer, struct proc *proc);

/*
 * At the entry of a call for seccomp's strict mode, which the kernel refuses to a process that has a
 * filter: gives it one that does the same, and lets the call return 0. In enter(), which then returns
 * false. 0, or a negative errno value: then the call is made as it is, and entered once more.
 */
int tracer_strict(struct tracer *tracer, struct task *task);

/* True if calls of that row are to be seen in a process that owns sockets. */
bool tracer_wants(const struct tracer *tracer, const struct sys_row *row);

/*
 * An attached process runs from here on without being stopped at its calls, until it executes something:
 * code inside runs into a breakpoint in front of each that is wanted, whose handler calls tracer_ask.
 */
void tracer_trust(struct proc *proc);

/* The call in front of which the task stands is told, as if a filter had stopped it. */
void tracer_ask(struct task *task);

/*
 * From here on the process's filters cannot be relied on (another one answers before ours): it is
 * stopped at every call.
 */
void tracer_distrust(struct tracer *tracer, struct task *task);

/*
 * The task has been stopped by a signal in a call of which the tracer was not told, and which the kernel
 * will make again or let fail with EINTR; task->call describes it. It is told as one that has begun.
 */
void tracer_suspend_call(struct tracer *tracer, struct task *task);

/* True where giving up privileges would make a later tracer_widen impossible. */
bool tracer_needs_privilege(const struct tracer *tracer);

/*
 * At a call's entry: it is not made, and returns `ret` to the program. To be called in enter(),
 * which then returns false. 0 or -errno.
 */
int tracer_skip_call(struct tracer *tracer, struct task *task, int64_t ret);

#endif
