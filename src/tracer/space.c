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
	MAP_FOR_EACH(node, &space->brks)
		free(map_value(node));
	MAP_FOR_EACH(page, &space->islands)
		free(map_value(page));
	map_done(&space->brks);
	map_done(&space->ghosts);
	MAP_FOR_EACH(given, &space->given)
		free(map_value(given));
	map_done(&space->given);
	map_done(&space->held);
	map_done(&space->islands);
	map_done(&space->caught);
	if (space->mem >= 0)
		close(space->mem);
	free(space);
}

struct space *space_copy(const struct space *space)
{
	struct space *copy = space_new();

	MAP_FOR_EACH(node, &space->brks) {
		struct brk *brk = own_alloc(sizeof(*brk));

		memcpy(brk, map_value(node), sizeof(*brk));
		map_put(&copy->brks, map_key(node), brk);
	}
	MAP_FOR_EACH(ghost, &space->ghosts)
		map_put(&copy->ghosts, map_key(ghost), copy);
	MAP_FOR_EACH(node, &space->given) {
		struct given *given = own_alloc(sizeof(*given));

		*given = *(const struct given *)map_value(node);
		map_put(&copy->given, map_key(node), given);
	}
	MAP_FOR_EACH(held, &space->held)
		map_put(&copy->held, map_key(held), map_value(held));
	MAP_FOR_EACH(page, &space->islands) {
		struct island *island = own_alloc(sizeof(*island));

		memcpy(island, map_value(page), sizeof(*island));
		map_put(&copy->islands, map_key(page), island);
	}
	copy->catcher = space->catcher;
	copy->catcher_refused = space->catcher_refused;
	copy->sandbox = space->sandbox;
	MAP_FOR_EACH(number, &space->caught)
		map_put(&copy->caught, map_key(number), map_value(number));
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
