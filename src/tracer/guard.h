/*
 * The guardian: a process that knows every planted byte of attached programs and puts the code back
 * when iotrace is gone without having done so (SIGKILL, a crash). What iotrace has started needs
 * none, as it ends with iotrace (PTRACE_O_EXITKILL).
 */
#ifndef TRACER_GUARD_H
#define TRACER_GUARD_H

#include "tracer/rescue.h"
#include "tracer/task.h"

#include <stdint.h>

struct tracer;

/*
 * Before a process is attached to: until the guardian of an iotrace that was killed has done its work
 * there. It would take our traps for its own, and a thread that it is to bring back would be ours. 0, or
 * -EBUSY if that does not come to an end.
 */
int guard_await(const struct tracer *tracer, pid_t pid);

/* Before a byte is planted: 0 or -errno, and then it must not be. Nothing to do for started programs. */
int guard_add(struct tracer *tracer, struct task *task, uint64_t addr, uint8_t orig);

/*
 * The same for one or two bytes, where `now` is the first while they are ours. Two are put back by way of a
 * trap, of which the catcher has to know.
 */
int guard_add_bytes(struct tracer *tracer, struct task *task, uint64_t addr, uint8_t now,
		    const uint8_t *orig, size_t len);
void guard_remove_bytes(struct tracer *tracer, struct task *task, uint64_t addr, uint8_t now);

/* A child has a copy of all that is planted. */
void guard_fork(struct tracer *tracer, pid_t parent, pid_t child);

/* What it is to know of an injection (rescue.h). 0 or -errno. */
int guard_rescue(struct tracer *tracer, pid_t pid, struct rescue **ret_rescue);

/* After it was restored. */
void guard_remove(struct tracer *tracer, struct task *task, uint64_t addr);

/* The process is no more. */
void guard_forget(struct tracer *tracer, pid_t pid);
/* It has executed something: its memory is another one. */
void guard_exec(struct tracer *tracer, pid_t pid);

/* Ends it; what is still planted is put back. */
void guard_stop(struct tracer *tracer);

#endif
