/*
 * Calls that sleep until what they wait for comes. The kernel wakes a traced thread also for signals that the
 * program ignores (sig_ignored of kernel/signal.c), and most calls are made again then. These fail with EINTR,
 * which the program would not see alone.
 */
#include "tracer/engine.h"

#include <errno.h>

/* io_uring_enter(2): a time limit can be behind the last arguments. */
#define EXT_ARG 8

/*
 * Where the call's time limit is: with one the call keeps its EINTR, as nobody knows how much of the time
 * is left. Others that can fail so (recv, where the socket has a limit) always have one.
 */
enum limit { NO_LIMIT, LIMIT_POINTER, LIMIT_NUMBER, LIMIT_FLAG };

static const struct sleep {
	const char *call;
	enum limit limit;
	unsigned int arg;
} sleeps[] = {
	{ "epoll_wait", LIMIT_NUMBER, 3 },
	{ "epoll_pwait", LIMIT_NUMBER, 3 },
	{ "epoll_pwait2", LIMIT_POINTER, 3 },
	{ "rt_sigtimedwait", LIMIT_POINTER, 2 },
	{ "semop", NO_LIMIT, 0 },
	{ "semtimedop", LIMIT_POINTER, 3 },
	{ "io_getevents", LIMIT_POINTER, 4 },
	{ "io_pgetevents", LIMIT_POINTER, 4 },
	{ "io_uring_enter", LIMIT_FLAG, 3 },
	/* semtimedop(2), of i386; the others of it are made again. */
	{ "ipc", LIMIT_POINTER, 5 },
};

static bool is_limited(const struct sleep *sleep, const struct regs *regs)
{
	uint64_t value = regs_call_arg(regs, sleep->arg);

	switch (sleep->limit) {
	case LIMIT_POINTER:
		return value;
	case LIMIT_NUMBER:
		return (int32_t)value >= 0;
	case LIMIT_FLAG:
		return value & EXT_ARG;
	default:
		return false;
	}
}

static bool goes_on(const struct regs *regs)
{
	int nr = (int)regs_call_nr(regs);

	if (nr < 0)
		return false;
	for (size_t i = 0; i < sizeof(sleeps) / sizeof(sleeps[0]); i++)
		if (abi_is_named(regs_abi(regs), nr, sleeps[i].call))
			return !is_limited(&sleeps[i], regs);
	return false;
}

void sleep_go_on(const struct task *task, int sig)
{
	struct regs regs;

	if (regs_get(task->tid, &regs) || regs_ret(&regs) != -EINTR)
		return;
	if ((sig && !signal_is_ignored(task, sig)) || task_get_regs(task, &regs) || !goes_on(&regs))
		return;
	regs_restart(&regs);
	regs_set(task->tid, &regs);
}
