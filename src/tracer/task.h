/*
 * Threads (tasks) and processes as the tracer knows them. The tracer owns both; a task lives from
 * its creator's clone event to its wait status, a process as long as it has tasks. `user` belongs
 * to the tracer_ops.
 */
#ifndef TRACER_TASK_H
#define TRACER_TASK_H

#include "abi/abi.h"
#include "abi/regs.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A system call that a task is in: filled at its entry, ret at its exit. */
struct call {
	const struct abi *abi;
	const struct sys_row *row;
	uint64_t nr;
	uint64_t args[6];
	uint64_t ip, sp;
	int64_t ret;      /* the result, or a negative errno */
	uint64_t entered; /* CLOCK_MONOTONIC, nanoseconds */
};

/* Where a stopped task is, as far as injecting calls into it goes. */
enum task_at {
	TASK_AT_OTHER,
	TASK_AT_ENTRY, /* in front of a call: seccomp- or syscall-entry-stop */
	TASK_AT_FRONT, /* the same, but not stopped by it: after an injection at TASK_AT_ENTRY */
	TASK_AT_EXIT,  /* behind a call: syscall-exit-stop, or a new task's first stop */
	TASK_AT_ANY, /* anywhere, by our interrupt: calls can only be made from a perch (rescue.h) */
};

struct task {
	pid_t tid;
	struct proc *proc;
	struct task *prev, *next; /* proc::tasks */
	bool born;                /* has had its first stop */
	bool stopped;             /* in a ptrace-stop that we have not ended */
	bool at_trap;             /* put back in front of the trap that it has run into */
	bool trapped;             /* has run into a trap of ours before */
	bool has_seen;            /* `seen` are its registers at this stop, read and not changed */
	struct regs seen;
	bool in_call;     /* between an entry and the exit that somebody wants */
	bool dying;       /* at its PTRACE_EVENT_EXIT or behind */
	bool suspended;   /* its call was interrupted: restart or EINTR is not decided yet */
	bool stepping;    /* into the handler of the signal that interrupted it */
	bool entry_told;  /* by a syscall-entry-stop; a seccomp-stop of the same call follows */
	bool interrupted; /* by our PTRACE_INTERRUPT */
	bool detach;      /* to be let go at its next stop */
	bool keeps;       /* … but the last of its process, as calls are to be made in it */
	bool inside_call; /* stopped in the kernel, in the middle of a call or in front of it */
	uint8_t starting; /* a new thread of which so many calls are awaited at most (catcher_follow) */
	bool asked;       /* in front of a call that is to be told (tracer_ask) */
	uint64_t untraced; /* clone flags that were changed in the call, 0: none */
	bool retry;        /* the call it stopped at will be made again */
	enum task_at at;
	struct call call;
	cpu_set_t *affinity; /* what it believes it has, with --pin */
	void *user;
};

struct proc {
	pid_t pid;
	struct task *tasks;
	struct space *space; /* its memory, where we have changed it; NULL: we have not */
	bool attached;       /* was running before us: no filter, and it is let go again */
	bool wide;           /* the wide filter is in place, for all its threads */
	bool told_inside;    /* attached: code of ours inside stands for that filter */
	bool follow_all;     /* stopped at every call, as its filter cannot be had */
	bool widen_failed;   /* … and will not be tried again */
	bool widen_wanted;   /* take the wide filter at the next chance */
	bool multi_widened;  /* had threads when it was widened: forks of that moment are to be
			       checked */
	bool threads_fork;   /* others than the main thread have children, or may have */
	/* Signals on their way to the main thread; NULL: there were none. */
	struct passed *passed;
	void *user;
};

/* No other thread of the process is there that is not about to end; none that is older. */
bool task_is_last(const struct task *task);
bool task_is_oldest(const struct task *task);

#endif
