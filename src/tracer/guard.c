#include "tracer/guard.h"

#include "base/own.h"
#include "base/proc.h"
#include "tracer/engine.h"
#include "tracer/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct guard {
	struct guardian_shared *shared; /* NULL: it could not be started */
	int socket;       /* to the guardian: /proc/PID/mem of each process, with its id */
	struct map known; /* pids whose memory it has: the guard; had, before an exec: else */
};

static int send_memory(struct guard *guard, pid_t pid, bool again)
{
	union {
		struct cmsghdr head;
		char data[CMSG_SPACE(sizeof(int))];
	} control = { .data = { 0 } };
	int32_t id = pid;
	struct iovec iov = { &id, sizeof(id) };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
	char path[32];
	int fd auto_close = -1;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	/* Permission is checked now, while we trace; it holds for as long as it is open. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* It is locked for as long as the guardian has it (guard_await). */
	if (!again && flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		return -EBUSY;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	if (sendmsg(guard->socket, &message, MSG_NOSIGNAL) < 0)
		return -errno;
	/* What it had before holds the lock until it takes this one in. */
	if (again)
		flock(fd, LOCK_EX);
	return 0;
}

/* By somebody who lives: the guardian of one who does not must have its turn. */
static bool is_traced(pid_t pid)
{
	pid_t tracer = (pid_t)proc_status(pid, "TracerPid");
	char comm[32] = "";

	return tracer > 0 && (proc_read(tracer, "comm", comm, sizeof(comm)) < 0 ||
			      strncmp(comm, GUARDIAN_NAME, strlen(GUARDIAN_NAME)));
}

/* Milliseconds: it has nothing to wait for, but on a busy machine for the processor. */
#define AWAIT_MAX 5000

int guard_await(const struct tracer *tracer, pid_t pid)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	char path[32];
	int fd auto_close = -1;

	if (tracer->guard && map_get(&tracer->guard->known, (uint64_t)pid))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < AWAIT_MAX; i++) {
		/* Who may not open it cannot trace either; that, and by whom it is, the attaching tells. */
		if (fd < 0 || !flock(fd, LOCK_SH | LOCK_NB) || errno != EWOULDBLOCK ||
		    is_traced(pid))
			return 0;
		nanosleep(&nap, NULL);
	}
	return -EBUSY;
}

static int ensure(struct tracer *tracer, pid_t pid)
{
	struct guard *guard = tracer->guard;
	int result;

	if (!guard) {
		guard = own_zalloc(sizeof(*guard));
		tracer->guard = guard;
		result = guardian_start(&guard->shared, &guard->socket);
		if (result)
			return result;
	}
	if (!guard->shared)
		return -EAGAIN;
	if (map_get(&guard->known, (uint64_t)pid) == guard)
		return 0;
	if (map_count(&guard->known) >= GUARDIAN_PROCESSES)
		return -ENOSPC;
	result = send_memory(guard, pid, map_get(&guard->known, (uint64_t)pid));
	if (!result)
		map_put(&guard->known, (uint64_t)pid, guard);
	return result;
}

/* Into the first free slot from *at on. 0 or -ENOSPC. */
static int put(struct guard *guard, size_t *at, pid_t pid, const struct planted *what)
{
	struct planted *slots = guard->shared->slots;

	while (*at < GUARDIAN_SLOTS && atomic_load(&slots[*at].pid))
		(*at)++;
	if (*at == GUARDIAN_SLOTS)
		return -ENOSPC;
	slots[*at].now = what->now;
	slots[*at].len = what->len;
	slots[*at].addr = what->addr;
	memcpy(slots[*at].orig, what->orig, sizeof(what->orig));
	atomic_store(&slots[*at].pid, pid);
	if (*at >= guard->shared->top)
		guard->shared->top = (uint32_t)*at + 1;
	return 0;
}

int guard_add_bytes(struct tracer *tracer, struct task *task, uint64_t addr, uint8_t now,
		    const uint8_t *orig, size_t len)
{
	struct planted what = { .now = now, .len = (uint8_t)len, .addr = addr };
	pid_t pid = task->proc->pid;
	size_t at = 0;
	int result;

	if (!task->proc->attached)
		return 0;
	result = ensure(tracer, pid);
	if (result)
		return result;
	memcpy(what.orig, orig, len);
	return put(tracer->guard, &at, pid, &what);
}

int guard_add(struct tracer *tracer, struct task *task, uint64_t addr, uint8_t orig)
{
	return guard_add_bytes(tracer, task, addr, 0xcc, &orig, 1);
}

void guard_fork(struct tracer *tracer, pid_t parent, pid_t child)
{
	struct guard *guard = tracer->guard;
	const struct planted *slots;
	size_t top, to = 0;

	if (!guard || map_get(&guard->known, (uint64_t)parent) != guard || ensure(tracer, child))
		return;
	slots = guard->shared->slots;
	top = guard->shared->top;
	for (size_t from = 0; from < top; from++)
		if (atomic_load(&slots[from].pid) == parent && put(guard, &to, child, &slots[from]))
			return;
}

int guard_rescue(struct tracer *tracer, pid_t pid, struct rescue **ret_rescue)
{
	int result = ensure(tracer, pid);

	if (!result)
		*ret_rescue = &tracer->guard->shared->rescue;
	return result;
}

void guard_remove_bytes(struct tracer *tracer, struct task *task, uint64_t addr, uint8_t now)
{
	struct guard *guard = tracer->guard;
	struct planted *slots = guard && guard->shared ? guard->shared->slots : NULL;

	for (size_t i = 0; slots && i < guard->shared->top; i++)
		if (atomic_load(&slots[i].pid) == task->proc->pid && slots[i].addr == addr &&
		    slots[i].now == now)
			atomic_store(&slots[i].pid, 0);
}

void guard_remove(struct tracer *tracer, struct task *task, uint64_t addr)
{
	guard_remove_bytes(tracer, task, addr, 0xcc);
}

static void forget_planted(struct guard *guard, pid_t pid)
{
	for (size_t i = 0; i < guard->shared->top; i++)
		if (atomic_load(&guard->shared->slots[i].pid) == pid)
			atomic_store(&guard->shared->slots[i].pid, 0);
}

void guard_forget(struct tracer *tracer, pid_t pid)
{
	struct guard *guard = tracer->guard;

	if (guard && map_take(&guard->known, (uint64_t)pid))
		forget_planted(guard, pid);
}

void guard_exec(struct tracer *tracer, pid_t pid)
{
	struct guard *guard = tracer->guard;

	if (!guard || !map_get(&guard->known, (uint64_t)pid))
		return;
	forget_planted(guard, pid);
	/* It has the memory of before, and the lock with that. */
	map_put(&guard->known, (uint64_t)pid, guard->shared);
}

void guard_stop(struct tracer *tracer)
{
	struct guard *guard = tracer->guard;

	if (!guard)
		return;
	if (guard->shared)
		guardian_stop(guard->shared, guard->socket);
	map_done(&guard->known);
	free(guard);
	tracer->guard = NULL;
}
