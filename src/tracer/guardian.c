#include "tracer/guardian.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRAP 0xcc

/* Something else may be mapped there by now: then there is no trap. */
static void put_code_back(int fd, const struct planted *planted)
{
	off_t at = (off_t)planted->addr;
	const uint8_t trap = TRAP;
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

static int memory_of(const struct guardian_shared *shared, int32_t pid)
{
	for (size_t i = 0; i < shared->count; i++)
		if (shared->memories[i].pid == pid)
			return shared->memories[i].fd;
	return -1;
}

static void put_back_those(const struct guardian_shared *shared, bool traps)
{
	const struct planted *slots = shared->slots;

	for (size_t i = 0; i < shared->top; i++) {
		int32_t pid = atomic_load(&slots[i].pid);

		if (pid && (slots[i].now == TRAP) == traps)
			put_code_back(memory_of(shared, pid), &slots[i]);
	}
}

/*
 * Traps first: jumps can be run through, and where a thread blocks SIGTRAP no handler helps. As long as the jumps
 * of the tap are there no thread comes to block it.
 */
static void put_back(const struct guardian_shared *shared)
{
	put_back_those(shared, true);
	put_back_those(shared, false);
}

/*
 * A process's memory comes with its id; fd -1: there was no descriptor left for it. False at the end of the
 * stream, which is the end of the tracer.
 */
static bool receive(int fd, int32_t *ret_pid, int *ret_fd)
{
	union {
		struct cmsghdr head;
		char data[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { ret_pid, sizeof(*ret_pid) };
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
	*ret_fd = -1;
	if (cmsg)
		memcpy(ret_fd, CMSG_DATA(cmsg), sizeof(int));
	return n > 0;
}

/* Its memory is no more: the process has ended, or executed something else (mem_rw of fs/proc/base.c). */
static bool is_gone(int fd)
{
	uint8_t byte;

	return !pread(fd, &byte, 1, 0);
}

static void drop_gone(struct guardian_shared *shared)
{
	struct guardian_memory *memories = shared->memories;
	uint32_t left = 0;

	for (uint32_t i = 0; i < shared->count; i++) {
		if (is_gone(memories[i].fd)) {
			close(memories[i].fd);
			continue;
		}
		memories[left].fd = memories[i].fd;
		memories[left++].pid = memories[i].pid;
	}
	shared->count = left;
}

static void take_in(struct guardian_shared *shared, int32_t pid, int fd)
{
	struct guardian_memory *memories = shared->memories;

	for (uint32_t i = 0; i < shared->count; i++) {
		if (memories[i].pid != pid)
			continue;
		close(atomic_exchange(&memories[i].fd, fd));
		return;
	}
	if (shared->count == GUARDIAN_PROCESSES) {
		close(fd);
		return;
	}
	memories[shared->count].fd = fd;
	memories[shared->count].pid = pid;
	shared->count++;
}

/* Those that have ended are looked for when there are so many, or twice as many as were left. */
#define FEW 256U

static void receive_all(struct guardian_shared *shared)
{
	uint32_t full = FEW;
	int32_t pid;
	int fd;

	while (receive(0, &pid, &fd)) {
		if (shared->count >= full) {
			drop_gone(shared);
			full = shared->count < FEW ? FEW : 2 * shared->count;
		}
		if (fd >= 0)
			take_in(shared, pid, fd);
	}
}

static void bring_back(struct guardian_shared *shared)
{
	struct rescue *rescue = &shared->rescue;

	if (rescue->tid || rescue->perch)
		rescue_bring_back(rescue, memory_of(shared, rescue->pid));
}

/*
 * Each millisecond in which traps stand in untraced threads counts. What sleeps and has a short slice takes the
 * processor from what runs (Linux 6.12 and newer; sched_setattr(2)); where it may, it is first anyway.
 */
#define SLICE_NS 100000U

/* SCHED_ATTR_SIZE_VER0 of linux/sched/types.h, which cannot be had beside sched.h. */
struct sched_attr0 {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime;
	uint64_t deadline;
	uint64_t period;
};

static void be_quick(void)
{
	struct sched_attr0 attr = {
		.size = sizeof(attr),
		.policy = SCHED_OTHER,
		.runtime = SLICE_NS,
	};

	(void)!setpriority(PRIO_PROCESS, 0, -20);
	attr.nice = getpriority(PRIO_PROCESS, 0);
	syscall(SYS_sched_setattr, 0, &attr, 0U);
}

/* Two processes with one table of descriptors: one takes the memories in, one waits for the tracer's end. */
static _Noreturn void guardian_main(int fd, struct guardian_shared *shared)
{
	sigset_t all;
	long receiver;
	int status;

	prctl(PR_SET_NAME, GUARDIAN_NAME);
	setsid();
	/* Only the tracer's end counts. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* Nothing of iotrace's is kept open: neither its outputs nor its pipes. */
	if (dup2(fd, 0) < 0)
		_exit(1);
	syscall(SYS_close_range, 1U, ~0U, 0U);
	be_quick();
	receiver = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0L, 0L, 0L, 0L);
	if (receiver <= 0)
		receive_all(shared);
	if (!receiver)
		_exit(0);
	/* EOWNERDEAD: its tracees have still to be let go, if we are quick. */
	pthread_mutex_lock(&shared->alive);
	put_back(shared);
	/* Its files are closed: now all of the memories have come. */
	while (receiver > 0 && waitpid((pid_t)receiver, &status, 0) < 0 && errno == EINTR)
		continue;
	put_back(shared);
	bring_back(shared);
	_exit(0);
}

/* By way of a process in between: the guardian must not be our child, as the tracer waits for any. */
static int start_process(int fd, int other, struct guardian_shared *shared)
{
	pid_t middle = fork();
	int status;

	if (middle < 0)
		return -errno;
	if (!middle) {
		/* Only fork and _exit in a process that may have threads by now. */
		pid_t pid = fork();

		if (!pid) {
			close(other);
			guardian_main(fd, shared);
		}
		_exit(pid < 0);
	}
	while (waitpid(middle, &status, 0) < 0 && errno == EINTR)
		continue;
	return status ? -EAGAIN : 0;
}

static int mutex_take(pthread_mutex_t *mutex)
{
	pthread_mutexattr_t attr;
	int error;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	error = pthread_mutex_init(mutex, &attr);
	if (!error)
		error = pthread_mutex_lock(mutex);
	pthread_mutexattr_destroy(&attr);
	return -error;
}

int guardian_start(struct guardian_shared **ret_shared, int *ret_socket)
{
	struct guardian_shared *shared;
	int sockets[2], result;
	void *memory = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	shared = memory;
	result = mutex_take(&shared->alive);
	if (!result && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
		result = -errno;
	if (result) {
		guardian_stop(shared, -1);
		return result;
	}
	result = start_process(sockets[1], sockets[0], shared);
	close(sockets[1]);
	if (result) {
		guardian_stop(shared, sockets[0]);
		return result;
	}
	*ret_shared = shared;
	*ret_socket = sockets[0];
	return 0;
}

void guardian_stop(struct guardian_shared *shared, int socket)
{
	if (socket >= 0)
		close(socket);
	pthread_mutex_unlock(&shared->alive);
	munmap(shared, sizeof(*shared));
}
