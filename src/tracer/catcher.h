/*
 * A handler of SIGTRAP in attached processes, for the time after a SIGKILL of iotrace: threads that are
 * stopped at a breakpoint then get the signal, and others run into traps until the guardian (guard.h) has
 * put the code back. The handler knows where a copy of each instruction stands and goes on there. While
 * iotrace lives it sees every SIGTRAP first, and the handler never runs.
 *
 * Life: catcher_ensure before the first breakpoint, catcher_add for each, catcher_renew when one was hit,
 * catcher_remove at the detaching.
 */
#ifndef TRACER_CATCHER_H
#define TRACER_CATCHER_H

#include "tracer/brk.h"
#include "tracer/inject.h"

/*
 * Puts the handler into the task's process, where it is an attached one and has none; the task is
 * TASK_AT_ENTRY or TASK_AT_EXIT. Where that fails, a SIGKILL of iotrace can end the process.
 */
void catcher_ensure(struct tracer *tracer, struct task *task);

/* The process has the handler. */
bool catcher_is_in(const struct proc *proc);

/*
 * After a trap of ours, when the thread's registers are as it goes on with. A trap in a thread that blocks
 * SIGTRAP unblocks it and takes the process's handler away (force_sig_info_to_task of kernel/signal.c): it
 * is put back. Looked for at a thread's first trap, and from time to time.
 */
void catcher_renew(struct tracer *tracer, struct task *task);

/*
 * In a process with the handler no thread is to block SIGTRAP: a trap would end the process, were iotrace
 * killed before that thread's next stop. At a stop behind a call that may have blocked it. True: it had.
 */
bool catcher_unmask(struct task *task);

/*
 * The same at a new thread's first stop. C libraries start threads with all signals blocked and give them
 * their creator's mask then: where its calls are not stopped at, and others of the process have blocked SIGTRAP,
 * the thread is followed until it has that (task->starting).
 */
void catcher_follow(struct task *task);

/*
 * Tells it of a breakpoint that is about to be planted; code is what it stands for. False: it is not there, or
 * knows of too many.
 */
bool catcher_add(struct space *space, pid_t pid, const struct brk *brk, const uint8_t *code);

/* The program's own disposition again, and our pages gone. */
void catcher_remove(struct inject *in, struct space *space);

#endif
