/*
 * Waiting for tracees. All that is ready is taken before anything is handled, so that a busy thread
 * cannot starve the others, and one task's next stop can be waited for while the rest is queued.
 */
#include "base/own.h"
#include "tracer/chaos.h"
#include "tracer/engine.h"
#include "tracer/stop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define BATCH      1024
#define LONE_STOPS 16

void wait_push(struct tracer *tracer, pid_t tid, int status)
{
	struct wait_queue *queue = &tracer->queue;

	if (queue->count == queue->cap) {
		queue->cap = queue->cap ? queue->cap * 2 : 64;
		queue->items = own_realloc(queue->items, queue->cap * sizeof(*queue->items));
	}
	queue->items[queue->count++] = (struct wait_item){ tid, status };
}

static void arrived(struct tracer *tracer, pid_t tid, int status)
{
	struct task *task = tracer_find_task(tracer, tid);

	tracer->stats.stops++;
	if (task)
		task->stopped = true;
	wait_push(tracer, tid, status);
}

/* As waitpid. Where processes must survive us, what has stopped is looked at before it is taken. */
static pid_t wait_any(struct tracer *tracer, int *ret_status, int flags)
{
	struct task *task;
	siginfo_t info;
	pid_t tid = 0;

	if (!tracer->catching)
		return waitpid(-1, ret_status, flags);
	while (!tid) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOWAIT | flags))
			return -1;
		if (!info.si_pid)
			return 0;
		task = tracer_find_task(tracer, info.si_pid);
		if (task && info.si_code == CLD_TRAPPED && info.si_status == SIGTRAP)
			brk_arrived(task);
		/* 0: it was killed just now. */
		tid = waitpid(info.si_pid, ret_status, __WALL | WNOHANG);
	}
	return tid;
}

/* While a task is parked, or is to be let go, the wait is not for ever. */
static const struct timespec parked_nap = { .tv_nsec = 2000000 };

int wait_fill(struct tracer *tracer)
{
	bool parked = tracer->parked.head != NULL || tracer->detach_by;
	int status, flags = parked ? __WALL | WNOHANG : __WALL;
	pid_t tid = 0;

	if (tracer->queue.count)
		return 0;
	while (tracer->queue.count < BATCH) {
		tid = wait_any(tracer, &status, flags);
		if (tid <= 0)
			break;
		arrived(tracer, tid, status);
		/* One thread that stops again and again is not worth a second call each time. */
		if (!(flags & WNOHANG) && tracer->lone && tracer->stats.stops % LONE_STOPS)
			break;
		flags |= WNOHANG;
	}
	tracer->lone = tracer->queue.count == 1;
	if (tracer->queue.count)
		return 0;
	if (tid < 0)
		return -errno;
	nanosleep(&parked_nap, NULL);
	return 0;
}

bool tracer_has_stops(const struct tracer *tracer)
{
	siginfo_t info = { 0 };

	return tracer->queue.count ||
	       (!waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOWAIT | WNOHANG | __WALL) &&
		info.si_pid);
}

static void take_at(struct wait_queue *queue, size_t at, struct wait_item *ret_item)
{
	*ret_item = queue->items[at];
	queue->count--;
	memmove(queue->items + at, queue->items + at + 1,
		(queue->count - at) * sizeof(*queue->items));
}

bool wait_next(struct tracer *tracer, struct wait_item *ret_item)
{
	if (!tracer->queue.count)
		return false;
	take_at(&tracer->queue, chaos_choose(&tracer->queue), ret_item);
	return true;
}

static bool take_task(struct tracer *tracer, pid_t tid, int *ret_status)
{
	struct wait_item item;

	for (size_t i = 0; i < tracer->queue.count; i++) {
		if (tracer->queue.items[i].tid != tid)
			continue;
		take_at(&tracer->queue, i, &item);
		*ret_status = item.status;
		return true;
	}
	return false;
}

static bool ends_task(int status)
{
	struct stop stop = stop_from_status(status);

	return stop.kind == STOP_EXITED || stop.kind == STOP_KILLED || stop.kind == STOP_EXIT ||
	       stop.kind == STOP_EXEC;
}

int wait_task(struct tracer *tracer, struct task *task, int *ret_status)
{
	int status;
	pid_t tid;

	if (!take_task(tracer, task->tid, &status)) {
		do
			tid = waitpid(task->tid, &status, __WALL);
		while (tid < 0 && errno == EINTR);
		if (tid < 0)
			return -ESRCH;
		tracer->stats.stops++;
		task->stopped = true;
	}
	if (ends_task(status)) {
		wait_push(tracer, task->tid, status);
		return -ESRCH;
	}
	*ret_status = status;
	return 0;
}
