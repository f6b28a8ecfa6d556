/*
 * Running processes that are to be traced: by id, and by name, also those that start later. A thread
 * watches for those; the tracer's attaches them.
 */
#ifndef CMD_TARGETS_H
#define CMD_TARGETS_H

#include "cmd/opt.h"
#include "tracer/tracer.h"

struct targets;

struct target_settings {
	struct opt_list pids;  /* -p: each may be several, separated by commas */
	struct opt_list names; /* --name */
};

struct capture;

/* NULL after a message: an id that is none. All are borrowed for its life. */
struct targets *targets_new(const struct target_settings *settings, struct tracer *tracer,
			    struct capture *capture);

/*
 * Attaches what is there, and starts to watch for names. The number of processes, or -1 after a
 * message where one that was named by its id cannot be attached.
 */
int targets_attach(struct targets *targets);

/* In the tracer's thread, when it was kicked: attaches what the watch has found. */
void targets_handle(struct targets *targets);

/* True while processes may still come. */
bool targets_are_watched(const struct targets *targets);
void targets_stop(struct targets *targets);
void targets_free(struct targets *targets);

/* Why the kernel refuses to let pid be traced, and what can be done, as a message. */
void targets_explain(pid_t pid, int error);

#endif
