/*
 * A traced run from outside: the command that drives a server, the time limit, and the end of the run
 * when the main program has ended. A thread of its own watches; it never touches a tracee but by
 * signals.
 */
#ifndef CMD_DRIVE_H
#define CMD_DRIVE_H

#include "cmd/trace.h"
#include "event/sink.h"

struct drive;

/*
 * Before anything is blocked or started: `command` (NULL: none) is run by sh, untraced, when a traced
 * program first listens. limit_ns: the run is ended then; 0: never. NULL after a message.
 */
struct drive *drive_new(const char *command, uint64_t limit_ns);

/* The events go through this on their way to `next`; NULL: nowhere. */
struct sink *drive_sink(struct drive *drive, struct sink *next);

const struct trace_hooks *drive_hooks(struct drive *drive);

/* What came of it, after the trace; false where there is nothing to complain about. */
struct drive_outcome {
	bool timed_out;
	bool not_run; /* there was a command, but nobody listened */
	bool failed;  /* the command did, with this wait status */
	int status;
};
void drive_outcome(const struct drive *drive, struct drive_outcome *ret_outcome);

void drive_free(struct drive *drive);

#endif
