/* Reading and writing the memory of a process whatever its protection: code, and pages of ours. */
#ifndef TRACER_SPACE_IO_H
#define TRACER_SPACE_IO_H

#include "tracer/task.h"

#include <stddef.h>
#include <stdint.h>

/* 0 or -errno. Of running processes, too. */
int space_poke(struct proc *proc, uint64_t addr, const void *data, size_t len);
int space_peek(struct proc *proc, uint64_t addr, void *data, size_t len);

/* True while the process shares its memory with another one (vfork). */
bool space_is_shared(const struct proc *proc);

#endif
