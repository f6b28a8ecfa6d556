#include "base/own.h"
#include "tracer/engine.h"
#include "tracer/guard.h"
#include "tracer/space.h"

#include <assert.h>

struct task *task_add(struct tracer *tracer, pid_t tid, pid_t pid)
{
	struct task *task = own_zalloc(sizeof(*task));
	struct proc *proc = map_get(&tracer->procs, (uint64_t)pid);

	if (!proc) {
		proc = own_zalloc(sizeof(*proc));
		proc->pid = pid;
		map_put(&tracer->procs, (uint64_t)pid, proc);
	}
	task->tid = tid;
	task->proc = proc;
	task->next = proc->tasks;
	if (proc->tasks)
		proc->tasks->prev = task;
	proc->tasks = task;
	map_put(&tracer->tasks, (uint64_t)tid, task);
	return task;
}

void task_remove(struct tracer *tracer, struct task *task)
{
	struct proc *proc = task->proc;

	assert(!task->user);
	map_take(&tracer->tasks, (uint64_t)task->tid);
	if (task->prev)
		task->prev->next = task->next;
	else
		proc->tasks = task->next;
	if (task->next)
		task->next->prev = task->prev;
	free(task->affinity);
	free(task);
	if (!proc->tasks) {
		assert(!proc->user);
		map_take(&tracer->procs, (uint64_t)proc->pid);
		guard_forget(tracer, proc->pid);
		space_put(proc->space);
		free(proc->passed);
		free(proc);
	}
}

bool task_is_oldest(const struct task *task)
{
	for (const struct task *older = task->next; older; older = older->next)
		if (!older->dying)
			return false;
	return true;
}

bool task_is_last(const struct task *task)
{
	for (const struct task *younger = task->prev; younger; younger = younger->prev)
		if (!younger->dying)
			return false;
	return task_is_oldest(task);
}

void task_rename(struct tracer *tracer, struct task *task, pid_t tid)
{
	map_take(&tracer->tasks, (uint64_t)task->tid);
	task->tid = tid;
	map_put(&tracer->tasks, (uint64_t)tid, task);
}

struct task *tracer_find_task(const struct tracer *tracer, pid_t tid)
{
	return map_get(&tracer->tasks, (uint64_t)tid);
}

struct proc *tracer_find_proc(const struct tracer *tracer, pid_t pid)
{
	return map_get(&tracer->procs, (uint64_t)pid);
}
