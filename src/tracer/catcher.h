/*
 * A handler of SIGTRAP in attached processes, for the time after a SIGKILL of iotrace: threads that are
 * stopped at a breakpoint then get the signal, and others run into traps until the guardian (guard.h) has
 * put the code back. The handler knows where a copy of each instruction stands and goes on there. While
 * iotrace lives it sees every SIGTRAP first, and the handler never runs.
 *
 * Life: catcher_ensure before the first breakpoint, catcher_add for each, catcher_remove at the detaching.
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

/*
 * Tells it of a breakpoint that is about to be planted; code is what it stands for. False: it is not there, or
 * knows of too many.
 */
bool catcher_add(struct space *space, pid_t pid, const struct brk *brk, const uint8_t *code);

/* The program's own disposition again, and our pages gone. */
void catcher_remove(struct inject *in, struct space *space);

#endif
