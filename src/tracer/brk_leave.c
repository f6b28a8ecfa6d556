/* What breakpoints leave behind in a process is taken away when it is let go: our pages, our handler. */
#include "base/proc.h"
#include "tracer/brk.h"
#include "tracer/catcher.h"
#include "tracer/engine.h"
#include "tracer/inject.h"
#include "tracer/mem.h"
#include "tracer/space.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>

static bool is_on_island(const struct space *space, uint64_t ip)
{
	MAP_FOR_EACH(node, &space->islands)
		if (ip - map_key(node) < ISLAND_SIZE)
			return true;
	return false;
}

/* A copy and the jump behind it are two instructions. */
#define ISLAND_STEPS 4

static void step_off_island(struct tracer *tracer, struct task *task)
{
	struct regs regs;
	int status;

	for (int i = 0; i < ISLAND_STEPS; i++) {
		if (regs_get(task->tid, &regs) || !is_on_island(task->proc->space, regs_ip(&regs)))
			return;
		if (task_restart(task, PTRACE_SINGLESTEP, 0) || wait_task(tracer, task, &status))
			return;
	}
}

/* True behind a system call instruction, wherever the thread was stopped. */
static bool is_behind_call(const struct task *task)
{
	uint8_t code[2];
	struct regs regs;

	return !regs_get(task->tid, &regs) &&
	       !mem_read_all(task->tid, regs_ip(&regs) - 2, code, sizeof(code)) &&
	       code[0] == 0x0f && code[1] == 0x05;
}

/* Unmaps all islands but `last`, and then that. */
static void unmap_islands(struct inject *in, struct space *space, uint64_t last)
{
	uint64_t args[6] = { 0, ISLAND_SIZE };
	int64_t ignored;

	catcher_remove(in, space);
	MAP_FOR_EACH(node, &space->islands) {
		args[0] = map_key(node);
		if (args[0] != last)
			inject_call(in, abi_nr(in->abi, "munmap"), args, &ignored);
		free(map_take(&space->islands, args[0]));
	}
	args[0] = last;
	if (last)
		inject_call(in, abi_nr(in->abi, "munmap"), args, &ignored);
}

/* Stopped in its own code: the calls are made from the island, as long as that is there. */
static void drop_from_island(struct tracer *tracer, struct task *task, const struct regs *regs)
{
	struct space *space = task->proc->space;
	uint64_t island = map_key(map_first(&space->islands));
	struct inject in;

	if (space_write(space, task->proc->pid, island, "\x0f\x05", 2))
		return;
	task->at = TASK_AT_FRONT;
	if (!inject_begin(&in, tracer, task)) {
		if (!in.perch)
			regs_set_ip(&in.saved, island);
		unmap_islands(&in, space, island);
	}
	inject_end(&in);
	regs_set(task->tid, regs);
}

/* A sandbox that it has entered since could end it for our calls: then our pages stay. */
bool brk_has_islands(const struct task *task)
{
	const struct space *space = task->proc->space;

	return space && space->refs == 1 && space->islands.head &&
	       proc_status(task->tid, "Seccomp") == space->sandbox;
}

void brk_drop_islands(struct tracer *tracer, struct task *task)
{
	struct inject in;
	struct regs regs;

	if (!brk_has_islands(task) || regs_get(task->tid, &regs))
		return;
	if (!is_behind_call(task)) {
		drop_from_island(tracer, task, &regs);
	} else {
		task->at = call_is_entered(task) ? TASK_AT_ENTRY : TASK_AT_EXIT;
		if (!inject_begin(&in, tracer, task))
			unmap_islands(&in, task->proc->space, 0);
		inject_end(&in);
	}
	task->at = TASK_AT_OTHER;
}

bool brk_may_leave(struct tracer *tracer, struct task *task)
{
	struct space *space = task->proc->space;

	if (!space)
		return true;
	if (space->refs == 1)
		brk_lift_all(tracer, task);
	step_off_island(tracer, task);
	/* It has hit one just before that was lifted; the trap comes first, and puts it right. */
	return !task_has_pending(task->tid, SIGTRAP);
}
