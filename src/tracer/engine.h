/* What the tracer's own files share. Nothing outside src/tracer includes this. */
#ifndef TRACER_ENGINE_H
#define TRACER_ENGINE_H

#include "abi/regs.h"
#include "base/map.h"
#include "tracer/brk.h"
#include "tracer/stop.h"
#include "tracer/task.h"
#include "tracer/tracer.h"

#include <linux/filter.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

/* A wait status that is to be dispatched. */
struct wait_item {
	pid_t tid;
	int status;
};

struct wait_queue {
	struct wait_item *items;
	size_t count, cap;
};

/* A new task's first stop that came before its creator's clone event. */
struct parked {
	int status;
	uint64_t since; /* CLOCK_MONOTONIC */
};

/* Nanoseconds; a creator that lives reports within microseconds. */
#define PARKED_MAX 200000000ULL

struct tracer {
	const struct tracer_ops *ops;
	void *ctx;
	struct tracer_options options;
	struct map tasks;  /* by tid */
	struct map procs;  /* by pid */
	struct map parked; /* tasks whose creator has not told yet, by tid: struct parked */
	struct wait_queue queue;
	bool lone;     /* the last wait found one task */
	bool catching; /* there are processes that must survive us (catcher.h) */
	struct sock_fprog narrow, wide;
	pid_t main_pid;
	int main_status;
	int go_pipe;    /* the program waits for a byte from it; -1: it has gone */
	int spawn_pipe; /* the child tells why it failed; -1: read already */
	bool main_executed;
	bool no_new_privs; /* set for the started program, so that its filters load */
	struct spawn_error spawn_error;
	struct tracer_stats stats;
	unsigned int wanted; /* bits of enum sys_when: rows that are told */
	struct guard *guard; /* NULL: nothing was planted in attached programs yet */
	bool keep;           /* do not end when nothing is left */
	uint64_t detach_by;  /* CLOCK_MONOTONIC; 0: nobody is to be detached */
	cpu_set_t affinity;  /* ours before --pin */
	cpu_set_t allowed;   /* all that could be asked for */
	pthread_t thread;
	atomic_bool kicked;
};

/* Calls that the tracer handles itself, so that the program does not notice it. */
struct brk;
struct space;

struct own_handler {
	/* True: exit is to be called. */
	bool (*enter)(struct tracer *tracer, struct task *task);
	void (*exit)(struct tracer *tracer, struct task *task);
};

/* pin.c */
extern const struct own_handler pin_get_handler, pin_set_handler;
int pin_start(struct tracer *tracer);
/* The new task's own view of its affinity; parent NULL: the started program. */
void pin_inherit(struct tracer *tracer, const struct task *parent, struct task *child);
/* An attached task is moved to our processor; and back. */
void pin_attach(struct tracer *tracer, struct task *task);
void pin_detach(const struct task *task);

/* tasks.c */
struct task *task_add(struct tracer *tracer, pid_t tid, pid_t pid);
void task_remove(struct tracer *tracer, struct task *task);
void task_rename(struct tracer *tracer, struct task *task, pid_t tid);

/* wait.c: fills the queue, waiting if it is empty. 0, -ECHILD when there is nothing left, -EINTR.
 */
int wait_fill(struct tracer *tracer);
bool wait_next(struct tracer *tracer, struct wait_item *ret_item);
void wait_push(struct tracer *tracer, pid_t tid, int status);
/* Waits for this task alone; its death is queued for the loop, and is -ESRCH here. */
int wait_task(struct tracer *tracer, struct task *task, int *ret_status);

/* PTRACE_CONT, PTRACE_SYSCALL or PTRACE_LISTEN. 0, -ESRCH. */
int task_restart(struct task *task, int request, int sig);
/*
 * Goes on with a task after a stop: to its call's exit where that is wanted. One that is to be let go
 * is detached here, and is no more when this returns.
 */
int task_resume(struct tracer *tracer, struct task *task, int sig);
int task_listen(struct tracer *tracer, struct task *task);
/* Tells its end (a wait status, -1: it was detached) and forgets it. */
void task_forget(struct tracer *tracer, struct task *task, int status);

/* calls.c: the registers behind a system call instruction, in that call's ABI. 0 or -errno. */
int task_get_regs(const struct task *task, struct regs *ret_regs);
/* True at the entry of a call, of whichever kind of stop but seccomp's. */
bool call_is_entered(struct task *task);
int on_seccomp(struct tracer *tracer, struct task *task, struct stop stop);
int on_syscall(struct tracer *tracer, struct task *task, struct stop stop);
/* The exit of the call that the task is in will not be told. */
void call_drop(struct tracer *tracer, struct task *task);

/* The task ends in its call: what the kernel has done of it shows in its registers. */
void call_cut_off(struct tracer *tracer, struct task *task);
bool call_step_into_handler(struct tracer *tracer, struct task *task, int sig);
void call_at_handler(struct tracer *tracer, struct task *task);

/* signals.c. A signal of that number waits for the thread itself. */
bool task_has_pending(pid_t tid, int sig);
/* At a signal's delivery. True: it goes to the main thread, and is not to be delivered here. */
bool signal_pass_on(const struct tracer *tracer, struct task *task, int sig);
/* The program ignores it, by its own will or by default: alone, its threads are not even woken for it. */
bool signal_is_ignored(const struct task *task, int sig);
/* The main thread has one before it that was passed on, and must not be let go until it is there. */
bool signal_is_due(const struct task *task);
/* The main thread ends: what was passed on to it goes to the others. */
void signal_give_back(const struct task *task);

/*
 * sleep.c: at a signal's stop. If the thread is not to know of it (it ignores sig; 0: sig is not for it),
 * a call without a time limit goes on that the signal has ended.
 */
void sleep_go_on(const struct task *task, int sig);

/* birth.c */
int on_clone(struct tracer *tracer, struct task *parent, struct stop stop);
int first_stop(struct tracer *tracer, struct task *task, int status);
void park(struct tracer *tracer, struct wait_item item);
int unpark(struct tracer *tracer, pid_t tid);
void adopt_parked(struct tracer *tracer);

/* attach.c */
int task_detach(struct tracer *tracer, struct task *task, int sig);
/* Makes it stop; a call that fails by that is made again. */
void task_interrupt(struct task *task);
/* At a stop that our PTRACE_INTERRUPT made: the program is not to notice. True: its call is made again. */
bool attach_undo_interrupt(struct task *task);
bool detach_is_overdue(const struct tracer *tracer);

/* brk.c: the task's memory, with its breakpoints. */
#define BRK_TRAP 0xcc
struct space *brk_space(struct task *task);
/* brk_jump.c: that one was given to a jump. */
bool brk_was_given(struct task *task, uint64_t addr, brk_hit *hit, const void *arg);
/* Takes the traps out of what was read. */
void brk_undo(const struct space *space, uint64_t addr, uint8_t *code, size_t len);
/* brk.c: a SIGTRAP came; true if it was a breakpoint of ours, which has been dealt with. */
bool brk_handle(struct tracer *tracer, struct task *task);
/*
 * A SIGTRAP was seen and not taken yet: where it was one of ours the thread goes back in front of the
 * trap, as the kernel would deliver no signal, if we died, once it is taken.
 */
void brk_arrived(struct task *task);
/* All processes that are to be let go get their code back. */
void brk_lift_all(struct tracer *tracer, struct task *task);
/* brk_leave.c: a stopped task is to be detached: false if it has to go on to another stop first. */
bool brk_may_leave(struct tracer *tracer, struct task *task);
/* The last of its process's threads leaves: our pages can go. It must not be about to get a signal. */
bool brk_has_islands(const struct task *task);
void brk_drop_islands(struct tracer *tracer, struct task *task);

/* untraced.c */
extern const struct own_handler untraced_handler;

/* widen.c: at an entry or first stop, when the process has widen_wanted. */
void widen_now(struct tracer *tracer, struct task *task);
/* After a fork: false where the child was made without the filter that its parent has now. */
bool widen_was_inherited(const struct proc *parent, pid_t child);

#endif
