#include "tracer/space.h"

#include "base/own.h"
#include "tracer/brk.h"
#include "tracer/space_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct space *space_new(void)
{
	struct space *space = own_zalloc(sizeof(*space));

	space->refs = 1;
	space->mem = -1;
	return space;
}

struct space *space_get(struct space *space)
{
	space->refs++;
	return space;
}

void space_put(struct space *space)
{
	if (!space || --space->refs)
		return;
	map_free(&space->brks);
	map_done(&space->ghosts);
	map_free(&space->given);
	map_done(&space->held);
	map_free(&space->islands);
	map_done(&space->caught);
	if (space->mem >= 0)
		close(space->mem);
	free(space);
}

struct space *space_copy(const struct space *space)
{
	struct space *copy = space_new();

	map_copy(&copy->brks, &space->brks, sizeof(struct brk));
	map_copy(&copy->ghosts, &space->ghosts, 0);
	map_copy(&copy->given, &space->given, sizeof(struct given));
	map_copy(&copy->held, &space->held, 0);
	map_copy(&copy->islands, &space->islands, sizeof(struct island));
	map_copy(&copy->caught, &space->caught, 0);
	copy->catcher = space->catcher;
	copy->catcher_refused = space->catcher_refused;
	copy->masks = space->masks;
	copy->perch = space->perch;
	copy->sandbox = space->sandbox;
	return copy;
}

static int open_mem(struct space *space, pid_t pid)
{
	char path[32];

	if (space->mem >= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	space->mem = open(path, O_RDWR | O_CLOEXEC);
	return space->mem < 0 ? -errno : 0;
}

int space_write(struct space *space, pid_t pid, uint64_t addr, const void *data, size_t len)
{
	int result = open_mem(space, pid);

	if (result)
		return result;
	return pwrite(space->mem, data, len, (off_t)addr) == (ssize_t)len ? 0 : -EFAULT;
}

int space_read(struct space *space, pid_t pid, uint64_t addr, void *data, size_t len)
{
	int result = open_mem(space, pid);

	if (result)
		return result;
	return pread(space->mem, data, len, (off_t)addr) == (ssize_t)len ? 0 : -EFAULT;
}

static struct space *space_of(struct proc *proc)
{
	if (!proc->space)
		proc->space = space_new();
	return proc->space;
}

int space_poke(struct proc *proc, uint64_t addr, const void *data, size_t len)
{
	return space_write(space_of(proc), proc->pid, addr, data, len);
}

int space_peek(struct proc *proc, uint64_t addr, void *data, size_t len)
{
	return space_read(space_of(proc), proc->pid, addr, data, len);
}

bool space_is_shared(const struct proc *proc)
{
	return proc->space && proc->space->refs > 1;
}
