/*
 * A socket that has just lost a descriptor in a process where another thread may be in a call on it:
 * that call's record comes later, however long the call lasts.
 */
#include "base/clock.h"
#include "base/own.h"
#include "base/proc.h"
#include "capture/state.h"

#include <stdio.h>
#include <stdlib.h>

struct ghost {
	struct ghost *next;
	pid_t pid;
	int fd;
	uint8_t state;
	bool checked; /* no call was on it, some time ago */
	struct sock *sock;
	uint64_t since; /* CLOCK_MONOTONIC */
};

/* A thread writes its record as soon as its call has returned. */
#define GHOST_TIME 1000000000ULL

static void append(struct capture *capture, struct ghost *ghost)
{
	if (!capture->ghosts)
		capture->last_ghost = &capture->ghosts;
	ghost->next = NULL;
	*capture->last_ghost = ghost;
	capture->last_ghost = &ghost->next;
}

void ghost_add(struct capture *capture, pid_t pid, int fd, uint8_t state, struct sock *sock)
{
	struct ghost *ghost = own_alloc(sizeof(*ghost));

	*ghost = (struct ghost){ .pid = pid,
				 .fd = fd,
				 .state = state,
				 .sock = sock_get(sock),
				 .since = clock_monotonic() };
	append(capture, ghost);
}

struct sock *ghost_find(const struct capture *capture, pid_t pid, int fd, uint8_t state)
{
	for (const struct ghost *ghost = capture->ghosts; ghost; ghost = ghost->next)
		if (ghost->pid == pid && ghost->fd == fd && ghost->state == state)
			return ghost->sock;
	return NULL;
}

/* The descriptors that the process's threads wait on: the first argument of their calls (proc(5)). */
static void look_at_calls(struct cproc *cproc, uint64_t now)
{
	unsigned long long nr, first;
	char text[256];

	map_done(&cproc->in_calls);
	cproc->in_calls = (struct map){ 0 };
	cproc->in_calls_at = now;
	for (const struct task *task = cproc->proc->tasks; task; task = task->next)
		if (proc_read(task->tid, "syscall", text, sizeof(text)) > 0 &&
		    sscanf(text, "%llu 0x%llx", &nr, &first) == 2)
			map_put(&cproc->in_calls, (uint32_t)first, cproc);
}

/* It is over its time, but a call may still be on it. */
static bool is_in_call(struct capture *capture, const struct ghost *ghost, uint64_t now)
{
	struct cproc *cproc = map_get(&capture->procs, (uint64_t)ghost->pid);

	if (!cproc)
		return false;
	/* Once for many of them. */
	if (cproc->in_calls_at <= ghost->since)
		look_at_calls(cproc, now);
	return map_get(&cproc->in_calls, (uint32_t)ghost->fd) != NULL;
}

static void ghost_end(struct capture *capture, struct ghost *ghost)
{
	if (!ghost->sock->fds && ghost->sock->refs == 1)
		audit_end(capture, tracer_find_task(capture->tracer, ghost->pid), ghost->fd,
			  ghost->sock);
	sock_put(&capture->socks, ghost->sock);
	free(ghost);
}

void ghosts_sweep(struct capture *capture, bool all)
{
	uint64_t now = clock_monotonic();
	struct ghost *ghost;

	while ((ghost = capture->ghosts)) {
		bool in_call = false;

		if (!all && now - ghost->since < GHOST_TIME)
			return;
		if (!all)
			in_call = is_in_call(capture, ghost, now);
		capture->ghosts = ghost->next;
		/* Who had just returned has not written yet: it gets its time, too. */
		if (all || (!in_call && ghost->checked)) {
			ghost_end(capture, ghost);
			continue;
		}
		ghost->checked = !in_call;
		ghost->since = now;
		append(capture, ghost);
	}
}

void ghosts_drop(struct capture *capture)
{
	struct ghost *next;

	for (struct ghost *ghost = capture->ghosts; ghost; ghost = next) {
		next = ghost->next;
		sock_put(&capture->socks, ghost->sock);
		free(ghost);
	}
	capture->ghosts = NULL;
}
