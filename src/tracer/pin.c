/*
 * --pin: tracer and tracees share one processor, which makes a stop several times cheaper. The
 * program must not notice: what it asks for and sets is an affinity of its own that we keep.
 */
#include "base/own.h"
#include "tracer/engine.h"
#include "tracer/mem.h"

#include <errno.h>
#include <string.h>

/* All processors that this process may use at all (its cpuset), whatever its affinity is. */
static void read_allowed(cpu_set_t *ret_set, const cpu_set_t *affinity)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	*ret_set = *affinity;
	if (sched_setaffinity(0, sizeof(all), &all))
		return;
	sched_getaffinity(0, sizeof(*ret_set), ret_set);
}

int pin_start(struct tracer *tracer)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	if (cpu < 0 || sched_getaffinity(0, sizeof(tracer->affinity), &tracer->affinity))
		return -errno;
	read_allowed(&tracer->allowed, &tracer->affinity);
	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) ? -errno : 0;
}

void pin_inherit(struct tracer *tracer, const struct task *parent, struct task *child)
{
	if (!tracer->options.pin)
		return;
	child->affinity = own_alloc(sizeof(cpu_set_t));
	memcpy(child->affinity, parent ? parent->affinity : &tracer->affinity, sizeof(cpu_set_t));
}

void pin_attach(struct tracer *tracer, struct task *task)
{
	cpu_set_t ours;

	if (!tracer->options.pin)
		return;
	task->affinity = own_zalloc(sizeof(cpu_set_t));
	if (sched_getaffinity(task->tid, sizeof(cpu_set_t), task->affinity) ||
	    sched_getaffinity(0, sizeof(ours), &ours) ||
	    sched_setaffinity(task->tid, sizeof(ours), &ours))
		*task->affinity = tracer->affinity;
}

void pin_detach(const struct task *task)
{
	if (task->affinity)
		sched_setaffinity(task->tid, sizeof(cpu_set_t), task->affinity);
}

/* Argument 0 of both calls: whose affinity; NULL where it is not one of ours. */
static struct task *target_of(struct tracer *tracer, struct task *task)
{
	pid_t tid = (pid_t)task->call.args[0];

	return tid ? tracer_find_task(tracer, tid) : task;
}

static bool get_enter(struct tracer *tracer, struct task *task)
{
	return target_of(tracer, task) != NULL;
}

static void get_exit(struct tracer *tracer, struct task *task)
{
	struct task *target = target_of(tracer, task);
	size_t len = (size_t)task->call.ret;

	if (task->call.ret <= 0 || !target)
		return;
	/* The kernel's answer is as long as its own mask; the program's is not longer. */
	mem_write(task->tid, task->call.args[2], target->affinity,
		  len < sizeof(cpu_set_t) ? len : sizeof(cpu_set_t));
}

static bool set_enter(struct tracer *tracer, struct task *task)
{
	struct task *target = target_of(tracer, task);
	size_t len = (size_t)(uint32_t)task->call.args[1];
	cpu_set_t set;

	CPU_ZERO(&set);
	if (!target || mem_read_all(task->tid, task->call.args[2], &set,
				    len < sizeof(set) ? len : sizeof(set)))
		return false;
	CPU_AND(&set, &set, &tracer->allowed);
	if (!CPU_COUNT(&set)) {
		tracer_skip_call(tracer, task, -EINVAL);
	} else if (!tracer_skip_call(tracer, task, 0)) {
		*target->affinity = set;
	}
	return false;
}

const struct own_handler pin_get_handler = { get_enter, get_exit };
const struct own_handler pin_set_handler = { set_enter, NULL };
