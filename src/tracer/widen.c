/* The second filter: taken by injection when a process comes to own a socket. */
#include "base/own.h"
#include "base/proc.h"
#include "tracer/engine.h"
#include "tracer/inject.h"
#include "tracer/mem.h"
#include "tracer/stop.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <unistd.h>

/* The program and its sock_fprog as the tracee's word size has them, to be put at address `at`. */
static size_t lay_out(const struct sock_fprog *program, unsigned int word, uint64_t at, char *out)
{
	const size_t head = 16, bytes = program->len * sizeof(*program->filter);
	uint64_t pointer = at + head;
	uint32_t pointer32 = (uint32_t)pointer;

	memset(out, 0, head);
	memcpy(out, &program->len, sizeof(program->len));
	if (word == 8)
		memcpy(out + 8, &pointer, sizeof(pointer));
	else
		memcpy(out + 4, &pointer32, sizeof(pointer32));
	memcpy(out + head, program->filter, bytes);
	return head + bytes;
}

static int map_memory(struct inject *in, size_t size, uint64_t *ret_at)
{
	const uint64_t args[6] = { 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   (uint64_t)-1 };
	int64_t at;
	int result = inject_call(in, abi_nr(in->abi, in->abi->mmap), args, &at);

	if (result)
		return result;
	if (at < 0 && at > -4096)
		return (int)at;
	*ret_at = in->abi->word == 8 ? (uint64_t)at : (uint32_t)at;
	return 0;
}

/*
 * TSYNC, so that all threads get it and the program's own TSYNC still works later (a lone thread's
 * filter would make that fail). It returns the id of a thread that cannot follow.
 */
static int load(struct inject *in, uint64_t at, bool all_threads)
{
	const uint64_t flags =
		SECCOMP_FILTER_FLAG_SPEC_ALLOW | (all_threads ? SECCOMP_FILTER_FLAG_TSYNC : 0UL);
	const uint64_t args[6] = { SECCOMP_SET_MODE_FILTER, flags, at };
	int64_t answer;
	int result = inject_call(in, abi_nr(in->abi, "seccomp"), args, &answer);

	if (result)
		return result;
	if (answer > 0)
		return -EBUSY;
	return (int)answer;
}

int inject_filter(struct inject *in, const struct sock_fprog *program, bool all_threads)
{
	const size_t size = 16 + program->len * sizeof(*program->filter);
	char *image auto_free = own_alloc(size);
	uint64_t at, args[6] = { 0 };
	int64_t ignored;
	int result = map_memory(in, size, &at);
	int loaded;

	if (result)
		return result;
	lay_out(program, in->abi->word, at, image);
	loaded = mem_write(in->task->tid, at, image, size);
	if (!loaded)
		loaded = load(in, at, all_threads);
	args[0] = at;
	args[1] = size;
	result = inject_call(in, abi_nr(in->abi, "munmap"), args, &ignored);
	return loaded ? loaded : result;
}

static int widen_task(struct tracer *tracer, struct task *task)
{
	struct inject in;
	int result = inject_begin(&in, tracer, task), ended;

	if (result)
		return result;
	result = inject_filter(&in, &tracer->wide, true);
	ended = inject_end(&in);
	return result ? result : ended;
}

void tracer_widen(struct tracer *tracer, struct task *task)
{
	struct proc *proc = task->proc;
	int result;

	proc->widen_wanted = false;
	if (proc->wide || proc->widen_failed || proc->attached || task->dying)
		return;
	result = widen_task(tracer, task);
	if (result == -ESRCH)
		return;
	if (result) {
		proc->follow_all = true;
		proc->widen_failed = true;
		tracer->ops->unfiltered(tracer->ctx, task, result);
		return;
	}
	tracer->stats.widened++;
	proc->wide = true;
	proc->follow_all = false;
	proc->multi_widened = proc->tasks->next != NULL;
}

void widen_now(struct tracer *tracer, struct task *task)
{
	if (task->proc->widen_wanted)
		tracer_widen(tracer, task);
}

/* A running task is brought to a stop, so that it cannot make a call unseen from here on. */
static void hold_task(struct tracer *tracer, struct task *task)
{
	int status;

	if (task->stopped || !task->born)
		return;
	if (ptrace(PTRACE_INTERRUPT, task->tid, 0, 0) < 0)
		return;
	if (!wait_task(tracer, task, &status))
		wait_push(tracer, task->tid, status);
}

static void follow_all(struct tracer *tracer, struct proc *proc)
{
	proc->follow_all = true;
	for (struct task *task = proc->tasks; task; task = task->next)
		hold_task(tracer, task);
}

void tracer_widen_other(struct tracer *tracer, struct proc *proc)
{
	if (proc->wide || proc->follow_all)
		return;
	proc->widen_wanted = true;
	follow_all(tracer, proc);
}

void tracer_distrust(struct tracer *tracer, struct task *task)
{
	if (task->proc->follow_all)
		return;
	task->proc->widen_failed = true;
	tracer->ops->unfiltered(tracer->ctx, task, -EBUSY);
	follow_all(tracer, task->proc);
}

bool widen_was_inherited(const struct proc *parent, pid_t child)
{
	/* Seccomp_filters: since 5.9. Where it is missing, the check cannot be made; assume the
	 * worst. */
	int64_t have = proc_status(parent->pid, "Seccomp_filters");
	int64_t got = proc_status(child, "Seccomp_filters");

	return have >= 0 && got >= have;
}
