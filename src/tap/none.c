/* On processors for which there is no agent. */
#include "tap/tap.h"

#include <errno.h>

struct tap *tap_new(struct tracer *tracer, const struct tap_ops *ops, void *ctx,
		    const struct tap_options *options, const char **ret_why)
{
	(void)tracer;
	(void)ops;
	(void)ctx;
	(void)options;
	*ret_why = "it is for x86-64 only";
	return NULL;
}

void tap_free(struct tap *tap)
{
	(void)tap;
}

bool tap_site(struct tap *tap, struct task *task, bool begin)
{
	(void)begin;
	(void)tap;
	(void)task;
	return false;
}

bool tap_hook(struct tap *tap, struct task *task, const struct tap_function *function)
{
	(void)tap;
	(void)task;
	(void)function;
	return false;
}

void tap_recall(struct tap *tap, struct proc *proc, bool recalled)
{
	(void)tap;
	(void)proc;
	(void)recalled;
}

void tap_fd(struct tap *tap, struct proc *proc, int fd, int state)
{
	(void)tap;
	(void)proc;
	(void)fd;
	(void)state;
}

uint8_t tap_fd_state(const struct tap *tap, const struct proc *proc, int fd)
{
	(void)tap;
	(void)proc;
	(void)fd;
	return RING_FD_UNKNOWN;
}

bool tap_is_ready(const struct tap *tap, const struct proc *proc)
{
	(void)tap;
	(void)proc;
	return false;
}

void tap_refuse(struct tap *tap, struct proc *proc)
{
	(void)tap;
	(void)proc;
}

void tap_fork(struct tap *tap, struct task *parent, struct task *child, uint64_t flags)
{
	(void)tap;
	(void)parent;
	(void)child;
	(void)flags;
}

void tap_exec(struct tap *tap, struct proc *proc)
{
	(void)tap;
	(void)proc;
}

void tap_gone(struct tap *tap, struct task *task, bool last)
{
	(void)tap;
	(void)task;
	(void)last;
}

bool tap_waits(struct tap *tap, struct task *task)
{
	(void)tap;
	(void)task;
	return false;
}

bool tap_before(struct tap *tap, struct task *task, struct stop stop)
{
	(void)tap;
	(void)task;
	(void)stop;
	return false;
}

void tap_tick(struct tap *tap)
{
	(void)tap;
}

void tap_drain(struct tap *tap)
{
	(void)tap;
}

void tap_get_stats(const struct tap *tap, struct tap_stats *ret_stats)
{
	(void)tap;
	*ret_stats = (struct tap_stats){ 0 };
}

int tap_places(pid_t pid, void (*each)(void *ctx, const struct tap_place *place), void *ctx)
{
	(void)pid;
	(void)each;
	(void)ctx;
	return -ENOENT;
}

void tap_learn(struct tap *tap, pid_t pid)
{
	(void)tap;
	(void)pid;
}

const char *tap_attach(struct tap *tap, struct task *task)
{
	(void)tap;
	(void)task;
	return "it is for x86-64 only";
}

bool tap_attach_code(struct tap *tap, struct task *task)
{
	(void)tap;
	(void)task;
	return true;
}

void tap_leave(struct tap *tap, struct task *task)
{
	(void)tap;
	(void)task;
}

void tap_left(struct tap *tap, struct task *task)
{
	(void)tap;
	(void)task;
}
