/*
 * An address space: what processes that share memory (vfork, CLONE_VM) have in common, and what an
 * exec leaves behind. Breakpoints live here. Nothing outside src/tracer includes this.
 */
#ifndef TRACER_SPACE_H
#define TRACER_SPACE_H

#include "base/map.h"
#include "tracer/brk.h"
#include "tracer/task.h"

/* A breakpoint that a jump stands for. */
struct given {
	struct brk_jump jump;
	brk_hit *hit;
	void *arg;
};

struct space {
	unsigned int refs;
	int mem;            /* /proc/PID/mem, -1: not opened yet */
	struct map brks;    /* by address: struct brk */
	struct map ghosts;  /* addresses of lifted ones: a thread may have hit one just before */
	struct map given;   /* addresses of breakpoints that a jump stands for: struct given */
	struct map held;    /* bytes that are a jump's distance, by address: where it stands */
	struct map islands; /* pages of ours that hold displaced instructions, by address */
	uint64_t catcher;   /* the pages of the handler for SIGTRAP (catcher.h), 0: there is none */
	struct map caught;  /* breakpoints that it knows, by address: the number of its entry */
	bool catcher_refused;
	uint64_t looked; /* when the handler was last seen to be there; CLOCK_MONOTONIC, ns */
	bool masks;      /* threads of it block SIGTRAP */
	uint64_t perch;  /* of the vdso (rescue.c), 0: not looked for yet */
	int64_t sandbox; /* Seccomp of /proc/PID/status when the first island was made */
};

struct space *space_new(void);
struct space *space_get(struct space *space);
/* Releases one reference; the last one closes it. Accepts NULL. */
void space_put(struct space *space);

/* For a child that has a copy of the memory, breakpoints and all. */
struct space *space_copy(const struct space *space);

/* Writes into the code of a process, whatever its protection. 0 or -errno. */
int space_write(struct space *space, pid_t pid, uint64_t addr, const void *data, size_t len);
int space_read(struct space *space, pid_t pid, uint64_t addr, void *data, size_t len);

#endif
