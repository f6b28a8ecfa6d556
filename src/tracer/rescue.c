#include "tracer/rescue.h"

#include "base/maps.h"
#include "tracer/engine.h"
#include "tracer/guard.h"
#include "tracer/space.h"

#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What is found empty at the end of a mapping; the code takes the first half of it. */
#define ROOM 32

/* All that can be blocked (PTRACE_SETSIGMASK leaves SIGKILL and SIGSTOP out). */
#define ALL_BLOCKED (~0ULL & ~(1ULL << (SIGKILL - 1)) & ~(1ULL << (SIGSTOP - 1)))

static bool is_empty(struct space *space, pid_t pid, uint64_t addr)
{
	static const uint8_t empty[ROOM];
	uint8_t there[ROOM];

	return !space_read(space, pid, addr, there, ROOM) && !memcmp(there, empty, ROOM);
}

static bool can_hold(const struct mapping *mapping)
{
	return mapping->flags[0] == 'r' && mapping->flags[2] == 'x' &&
	       mapping->end - mapping->start >= ROOM;
}

/* The vdso, which stays, and is remembered; else the last executable mapping with room; 0: none. */
static uint64_t find_perch(struct space *space, pid_t pid)
{
	uint64_t found = 0;
	struct maps maps;

	if (space->perch && is_empty(space, pid, space->perch))
		return space->perch;
	if (maps_read(pid, &maps))
		return 0;
	for (size_t i = 0; i < maps.count; i++) {
		const struct mapping *mapping = &maps.items[i];

		if (!can_hold(mapping) || !is_empty(space, pid, mapping->end - ROOM))
			continue;
		found = mapping->end - ROOM;
		if (!strcmp(mapping->path, "[vdso]")) {
			space->perch = found;
			break;
		}
	}
	maps_done(&maps);
	return found;
}

int rescue_begin(struct tracer *tracer, struct task *task, const struct regs *home,
		 uint64_t sigmask, uint64_t *ret_perch)
{
	struct proc *proc = task->proc;
	struct rescue *rescue;
	uint64_t perch;
	int result;

	if (!proc->attached || home->narrow)
		return -EOPNOTSUPP;
	if (!proc->space)
		proc->space = space_new();
	result = guard_rescue(tracer, proc->pid, &rescue);
	if (result)
		return result;
	perch = find_perch(proc->space, proc->pid);
	if (!perch)
		return -ENOENT;
	rescue->pid = proc->pid;
	rescue->sigmask = sigmask;
	rescue->home = *home;
	atomic_store(&rescue->perch, perch);
	result = space_write(proc->space, proc->pid, perch, regs_perch.code, regs_perch.len);
	if (result) {
		atomic_store(&rescue->perch, 0);
		return result;
	}
	atomic_store(&rescue->tid, task->tid);
	*ret_perch = perch;
	return 0;
}

void rescue_end(struct tracer *tracer, struct task *task)
{
	const uint8_t empty[sizeof(regs_perch.code)] = { 0 };
	struct proc *proc = task->proc;
	struct rescue *rescue;

	if (guard_rescue(tracer, proc->pid, &rescue))
		return;
	atomic_store(&rescue->tid, 0);
	space_write(proc->space, proc->pid, rescue->perch, empty, regs_perch.len);
	atomic_store(&rescue->perch, 0);
}

/*
 * The kernel closes a dying tracer's files, by which we know, before it lets go of its tracees. Somebody
 * else may have come meanwhile: then it takes as long as they stay. False: it is gone.
 */
static bool seize(pid_t tid)
{
	struct timespec nap = { .tv_nsec = 1000000 };

	while (ptrace(PTRACE_SEIZE, tid, 0, 0)) {
		if (errno != EPERM)
			return false;
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < 100000000)
			nap.tv_nsec += nap.tv_nsec / 16;
	}
	return true;
}

static void put_home(const struct rescue *rescue, pid_t tid)
{
	uint64_t sigmask = 0;
	struct regs regs;

	if (!regs_get(tid, &regs) && regs_ip(&regs) - rescue->perch <= regs_perch.len)
		regs_set(tid, &rescue->home);
	ptrace(PTRACE_GETSIGMASK, tid, sizeof(sigmask), &sigmask);
	if (sigmask == ALL_BLOCKED)
		ptrace(PTRACE_SETSIGMASK, tid, sizeof(rescue->sigmask), &rescue->sigmask);
}

void rescue_bring_back(struct rescue *rescue, int mem)
{
	const uint8_t empty[sizeof(regs_perch.code)] = { 0 };
	uint8_t there[sizeof(regs_perch.code)];
	off_t perch = (off_t)rescue->perch;
	pid_t tid = rescue->tid;
	int status, sig = 0;

	if (tid && seize(tid)) {
		ptrace(PTRACE_INTERRUPT, tid, 0, 0);
		if (waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status)) {
			put_home(rescue, tid);
			/* Else it is a stop of ptrace's own. */
			if (!(status >> 16))
				sig = WSTOPSIG(status);
			ptrace(PTRACE_DETACH, tid, 0, (long)sig);
		}
	}
	if (perch && mem >= 0 &&
	    pread(mem, there, regs_perch.len, perch) == (ssize_t)regs_perch.len &&
	    !memcmp(there, regs_perch.code, regs_perch.len))
		(void)!pwrite(mem, empty, regs_perch.len, perch);
}
