/*
 * Tells of processes as they get a name: by the kernel's process connector where we may (root), else
 * by looking at /proc again and again.
 */
#ifndef CMD_WATCH_H
#define CMD_WATCH_H

#include "cmd/opt.h"

#include <stdbool.h>
#include <sys/types.h>

struct watch;
struct tracer;

/*
 * Starts a thread that calls found(ctx, pid) for processes of those names, some of them perhaps more
 * than once, and then kicks the tracer until it answers. The names are borrowed.
 */
struct watch *watch_new(const struct opt_list *names, void (*found)(void *ctx, pid_t pid),
			void *ctx, struct tracer *tracer);
void watch_free(struct watch *watch);

/* The process's name (comm, cut to 15 bytes by the kernel) or its program's file name is `name`. */
bool watch_matches(pid_t pid, const char *name);

#endif
