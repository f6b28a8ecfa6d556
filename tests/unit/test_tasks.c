#include "tracer/engine.h"
#include "unit.h"

static void tasks_make_their_process(void **state)
{
	struct tracer tracer = { 0 };
	struct task *leader = task_add(&tracer, 10, 10), *thread = task_add(&tracer, 11, 10);
	struct task *other = task_add(&tracer, 20, 20);

	(void)state;
	assert_ptr_equal(leader->proc, thread->proc);
	assert_ptr_not_equal(leader->proc, other->proc);
	assert_ptr_equal(tracer_find_task(&tracer, 11), thread);
	assert_ptr_equal(tracer_find_proc(&tracer, 10), leader->proc);
	assert_null(tracer_find_proc(&tracer, 11));
	assert_null(tracer_find_task(&tracer, 12));
	/* The process lives as long as it has tasks, whichever goes first. */
	task_remove(&tracer, leader);
	assert_null(tracer_find_task(&tracer, 10));
	assert_ptr_equal(tracer_find_proc(&tracer, 10), thread->proc);
	assert_ptr_equal(thread->proc->tasks, thread);
	task_remove(&tracer, thread);
	assert_null(tracer_find_proc(&tracer, 10));
	task_remove(&tracer, other);
	assert_int_equal(map_count(&tracer.tasks), 0);
	assert_int_equal(map_count(&tracer.procs), 0);
}

static size_t list_length(const struct proc *proc)
{
	const struct task *before = NULL;
	size_t n = 0;

	for (const struct task *task = proc->tasks; task; task = task->next, n++) {
		assert_ptr_equal(task->prev, before);
		before = task;
	}
	return n;
}

static void list_holds_together(void **state)
{
	static const pid_t order[] = { 103, 100, 104, 101, 102 };
	struct tracer tracer = { 0 };

	(void)state;
	for (pid_t tid = 100; tid < 105; tid++)
		task_add(&tracer, tid, 100);
	for (size_t i = 0; i < COUNT(order); i++) {
		assert_int_equal(list_length(tracer_find_proc(&tracer, 100)), 5 - i);
		task_remove(&tracer, tracer_find_task(&tracer, order[i]));
	}
	assert_null(tracer_find_proc(&tracer, 100));
}

/* A thread that executes a program takes the leader's id. */
static void renaming(void **state)
{
	struct tracer tracer = { 0 };
	struct task *leader = task_add(&tracer, 10, 10), *thread = task_add(&tracer, 11, 10);

	(void)state;
	task_remove(&tracer, leader);
	task_rename(&tracer, thread, 10);
	assert_int_equal(thread->tid, 10);
	assert_ptr_equal(tracer_find_task(&tracer, 10), thread);
	assert_null(tracer_find_task(&tracer, 11));
	task_remove(&tracer, thread);
	assert_int_equal(map_count(&tracer.tasks), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_make_their_process),
		cmocka_unit_test(list_holds_together),
		cmocka_unit_test(renaming),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
