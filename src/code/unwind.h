/* Where in its program a stopped thread is: its frames, by debug information or unwind tables. */
#ifndef CODE_UNWIND_H
#define CODE_UNWIND_H

#include "base/buf.h"

#include <sys/types.h>

struct unwind;

/* For one process's address space; to be made anew after an exec. NULL where it cannot be read. */
struct unwind *unwind_new(pid_t pid);
void unwind_free(struct unwind *unwind);

/*
 * Adds the frames of a ptrace-stopped thread, innermost first, one a line: "function+0x12
 * (file.c:34)" or "module+0x1234". At most UNWIND_FRAMES.
 */
void unwind_add(struct unwind *unwind, pid_t tid, struct buf *buf);

#define UNWIND_FRAMES 64

#endif
