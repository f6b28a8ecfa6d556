/* --stack: where in the program a call was made. */
#include "base/own.h"
#include "capture/state.h"
#include "code/unwind.h"

void stack_forget(struct cproc *cproc)
{
	unwind_free(cproc->unwind);
	cproc->unwind = NULL;
}

void stack_add(struct capture *capture, struct task *task, struct event *event)
{
	struct cproc *cproc = cproc_of(task);
	struct buf frames = { 0 };

	if (!capture->options.stack)
		return;
	if (!cproc->unwind)
		cproc->unwind = unwind_new(task->proc->pid);
	if (!cproc->unwind)
		return;
	unwind_add(cproc->unwind, task->tid, &frames);
	if (!frames.len)
		return;
	event->data.stack = buf_cstr(&frames);
	event->owned = frames.data;
}
