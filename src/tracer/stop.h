/*
 * What a wait status says. A pure function, and above each kind what must be done next; see
 * ptrace(2), "Stopped states". All tracees are seized, so group-stops can be told from signals.
 */
#ifndef TRACER_STOP_H
#define TRACER_STOP_H

enum stop_kind {
	/* The thread is gone; forget it. code is the exit status. */
	STOP_EXITED,
	/* The same, by a signal; code is its number. */
	STOP_KILLED,
	/* A traced call begins. PTRACE_CONT, or PTRACE_SYSCALL where its end is wanted. */
	STOP_SECCOMP,
	/* A call's entry or exit: PTRACE_GET_SYSCALL_INFO tells which. Never count. */
	STOP_SYSCALL,
	/* PTRACE_GETEVENTMSG: the new thread's id. In a call: if its exit is wanted, say so again.
	 */
	STOP_FORK,
	STOP_VFORK,
	STOP_CLONE,
	STOP_VFORK_DONE,
	/* PTRACE_GETEVENTMSG: the thread's id before. All other threads are gone. */
	STOP_EXEC,
	/* The thread is about to end; its memory is still there. */
	STOP_EXIT,
	/* The process is stopped by signal `code`: PTRACE_LISTEN keeps it so. */
	STOP_GROUP,
	/* After PTRACE_INTERRUPT, after SIGCONT, or a new child's first stop. */
	STOP_EVENT,
	/* Signal `code` is to be delivered: restart with it. */
	STOP_SIGNAL,
	STOP_KINDS,
};

struct stop {
	enum stop_kind kind;
	int code;
};

struct stop stop_from_status(int status);

#endif
