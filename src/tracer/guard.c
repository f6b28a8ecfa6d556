#include "tracer/guard.h"

#include "base/own.h"
#include "base/proc.h"
#include "tracer/engine.h"
#include "tracer/space.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Shared with the guardian: what is planted. A slot is free if its pid is 0. */
struct planted {
	_Atomic int32_t pid;
	uint8_t now; /* what stands there if it is ours */
	uint8_t orig[2];
	uint8_t len;
	uint64_t addr;
};

#define NAME      "iotrace-guard"
#define SLOTS     65536U
#define PROCESSES 65536U /* that live */

struct shared {
	struct rescue rescue;
	_Atomic uint32_t top; /* slots from here on were never used */
	struct planted slots[SLOTS];
};

struct guard {
	struct shared *shared;
	int socket; /* to the guardian: /proc/PID/mem of each process, with its id */
	pid_t pid;
	struct map known; /* pids whose memory it has: the guard; had, before an exec: else */
};

/* The guardian's own view. */
struct memory {
	int32_t pid;
	int fd;
};

/* Something else may be mapped there by now: then there is no trap. */
static void put_code_back(int fd, const struct planted *planted)
{
	off_t at = (off_t)planted->addr;
	const uint8_t trap = 0xcc;
	uint8_t there;

	if (pread(fd, &there, 1, at) != 1 || there != planted->now)
		return;
	/* Threads run: who comes by in between is caught (catcher.h). */
	if (planted->len > 1) {
		(void)!pwrite(fd, &trap, 1, at);
		(void)!pwrite(fd, planted->orig + 1, 1, at + 1);
	}
	(void)!pwrite(fd, planted->orig, 1, at);
}

static void put_back(const struct shared *shared, bool one_byte, const struct memory *memories,
		     size_t count)
{
	const struct planted *slots = shared->slots;

	for (size_t i = 0; i < shared->top; i++) {
		int32_t pid = atomic_load(&slots[i].pid);

		for (size_t j = 0; pid && (slots[i].len == 1) == one_byte && j < count; j++)
			if (memories[j].pid == pid)
				put_code_back(memories[j].fd, &slots[i]);
	}
}

/*
 * A process's memory comes with its id; fd -1: there was no descriptor left for it. False at the end of the
 * stream, which is the end of the tracer.
 */
static bool receive(int fd, struct memory *ret_memory)
{
	union {
		struct cmsghdr head;
		char data[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { &ret_memory->pid, sizeof(ret_memory->pid) };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	ssize_t n;

	do
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	cmsg = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	ret_memory->fd = -1;
	if (cmsg)
		memcpy(&ret_memory->fd, CMSG_DATA(cmsg), sizeof(int));
	return n > 0;
}

/* Its memory is no more: the process has ended, or executed something else (mem_rw of fs/proc/base.c). */
static bool is_gone(const struct memory *memory)
{
	uint8_t byte;

	return !pread(memory->fd, &byte, 1, 0);
}

static size_t drop_gone(struct memory *memories, size_t count)
{
	size_t left = 0;

	for (size_t i = 0; i < count; i++) {
		if (is_gone(&memories[i]))
			close(memories[i].fd);
		else
			memories[left++] = memories[i];
	}
	return left;
}

static void take_in(struct memory *memories, size_t *count, struct memory memory)
{
	for (size_t i = 0; i < *count; i++) {
		if (memories[i].pid != memory.pid)
			continue;
		close(memories[i].fd);
		memories[i].fd = memory.fd;
		return;
	}
	if (*count < PROCESSES)
		memories[(*count)++] = memory;
	else
		close(memory.fd);
}

static void bring_back(struct rescue *rescue, const struct memory *memories, size_t count)
{
	int mem = -1;

	if (!rescue->tid && !rescue->perch)
		return;
	for (size_t i = 0; i < count; i++)
		if (memories[i].pid == rescue->pid)
			mem = memories[i].fd;
	rescue_bring_back(rescue, mem);
}

/* Those that have ended are looked for when there are so many, or twice as many as were left. */
#define FEW 256U

static _Noreturn void guardian_main(int fd, struct shared *shared)
{
	static struct memory memories[PROCESSES];
	struct memory memory;
	size_t count = 0, full = FEW;
	sigset_t all;

	prctl(PR_SET_NAME, NAME);
	setsid();
	/* Only the tracer's end counts. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* Nothing of iotrace's is kept open: neither its outputs nor its pipes. */
	if (dup2(fd, 0) < 0)
		_exit(1);
	syscall(SYS_close_range, 1U, ~0U, 0U);
	while (receive(0, &memory)) {
		if (count >= full) {
			count = drop_gone(memories, count);
			full = count < FEW ? FEW : 2 * count;
		}
		if (memory.fd >= 0)
			take_in(memories, &count, memory);
	}
	/* Traps first: jumps can be run through, and where a thread blocks SIGTRAP no handler helps. */
	put_back(shared, true, memories, count);
	put_back(shared, false, memories, count);
	bring_back(&shared->rescue, memories, count);
	_exit(0);
}

/*
 * By way of a process in between: the guardian must not be our child, as the tracer waits for any.
 * Only fork and _exit in a process that may have threads by now.
 */
static int start(struct guard *guard)
{
	int sockets[2], status;
	pid_t middle;
	void *memory = mmap(NULL, sizeof(*guard->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	guard->shared = memory;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		return -errno;
	middle = fork();
	if (middle < 0)
		return -errno;
	if (!middle) {
		pid_t pid = fork();

		if (!pid) {
			close(sockets[0]);
			guardian_main(sockets[1], guard->shared);
		}
		_exit(pid < 0);
	}
	close(sockets[1]);
	guard->socket = sockets[0];
	while (waitpid(middle, &status, 0) < 0 && errno == EINTR)
		continue;
	return status ? -EAGAIN : 0;
}

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
			      strncmp(comm, NAME, strlen(NAME)));
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
		guard->socket = -1;
		tracer->guard = guard;
		result = start(guard);
		if (result)
			return result;
	}
	if (guard->socket < 0)
		return -EAGAIN;
	if (map_get(&guard->known, (uint64_t)pid) == guard)
		return 0;
	if (map_count(&guard->known) >= PROCESSES)
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

	while (*at < SLOTS && atomic_load(&slots[*at].pid))
		(*at)++;
	if (*at == SLOTS)
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
	if (guard->socket >= 0)
		close(guard->socket);
	if (guard->shared)
		munmap(guard->shared, sizeof(*guard->shared));
	map_done(&guard->known);
	free(guard);
	tracer->guard = NULL;
}
