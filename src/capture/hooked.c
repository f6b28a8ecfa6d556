/*
 * Plaintext that is seen inside the process: where a probed function is called often, the tap puts jumps
 * in the place of its breakpoints (src/tap/hook.c), and what comes of that goes the way of the probes.
 */
#include "capture/state.h"
#include "tracer/space_io.h"

#include <inttypes.h>
#include <stdio.h>

/*
 * After so many calls of a function that were stopped at it is worth to change its code, and that of
 * others that were called some times. Who asks for the tap gets it at once.
 */
#define CALLS_MANY 8
#define CALLS_SOME 2

static unsigned int calls_wanted(const struct capture *capture, unsigned int calls)
{
	return capture->options.engine == ENGINE_TAP ? 1 : calls;
}

void hooked_busy(struct capture *capture, struct task *task, unsigned int calls)
{
	struct cproc *cproc = cproc_of(task);

	/* What is attached keeps breakpoints, which can be taken out while its threads run. */
	if (!capture->tap || capture->stopped || cproc->hooks_refused || task->proc->attached ||
	    calls < calls_wanted(capture, CALLS_MANY))
		return;
	cproc->hooks_wanted = true;
	/* It takes a call in front of which the process stops. */
	if (tap_is_ready(capture->tap, task->proc))
		tap_recall(capture->tap, task->proc, true);
}

void hooked_refuse(struct capture *capture, struct task *task)
{
	struct cproc *cproc = cproc_of(task);

	cproc->hooks_refused = true;
	cproc->hooks_wanted = false;
	tap_recall(capture->tap, task->proc, false);
}

static enum hook_success success_of(enum success success)
{
	switch (success) {
	case IF_POSITIVE:
		return HOOK_IF_POSITIVE;
	case IF_ONE:
		return HOOK_IF_ONE;
	case IF_NONZERO:
		return HOOK_IF_NONZERO;
	case ALWAYS:
		break;
	}
	return HOOK_ALWAYS;
}

static void make_one(void *ctx, struct task *task, const struct probe_busy *busy)
{
	struct capture *capture = ctx;
	const struct site *site = busy->site;
	const struct probe_row *row = site->row;
	struct tap_stats before, after;
	char text[300];
	const struct tap_function function = {
		.addr = busy->bias + site->addr,
		.size = site->size,
		.bias = busy->bias,
		.rets = site->rets,
		.ret_count = site->ret_count,
		.go = row->abi == ABI_GO,
		.inward = row->dir == ROW_IN,
		.success = success_of(row->success),
		.narrow = row->abi == ABI_C && row->is_tls,
		.buffer = row->buffer.index,
		.length = row->length.kind == PLACE_RESULT ? HOOK_RESULT : row->length.index,
		.entry = busy->entry,
		.ret = busy->ret,
		.ctx = busy->ctx,
		.arg = (void *)(uintptr_t)site,
	};

	tap_get_stats(capture->tap, &before);
	tap_hook(capture->tap, task, &function);
	tap_get_stats(capture->tap, &after);
	if (!capture->options.explain || before.unhooked == after.unhooked)
		return;
	snprintf(text, sizeof(text),
		 "%s is stopped at, at %" PRIu64 " of its entry and its returns: there is no place "
		 "for a jump",
		 site->name, after.unhooked - before.unhooked);
	emit_note(capture, task, text);
}

bool hooked_make(struct capture *capture, struct task *task)
{
	struct cproc *cproc = cproc_of(task);

	/* A child that runs in its memory will end, or execute something. */
	if (!cproc->hooks_wanted || !capture->probes || !tap_is_ready(capture->tap, task->proc) ||
	    space_is_shared(task->proc))
		return false;
	cproc->hooks_wanted = false;
	probes_each_busy(capture->probes, task, calls_wanted(capture, CALLS_SOME), make_one,
			 capture);
	tap_recall(capture->tap, task->proc, false);
	return task->retry;
}

static struct probe_seen seen_of(const struct tap_hooked *call)
{
	return (struct probe_seen){
		.site = call->arg,
		.sp = call->sp,
		.g = call->g,
		.words = call->words,
		.bytes = call->payload,
		.there = call->there,
		.len = call->len,
		.time = call->time,
		.dur = call->dur,
	};
}

void hooked_entered(void *ctx, struct task *task, const struct tap_hooked *call)
{
	struct capture *capture = ctx;
	const struct probe_seen seen = seen_of(call);

	if (capture->probes)
		probes_entered(capture->probes, task, &seen);
}

void hooked_left(void *ctx, struct task *task, const struct tap_hooked *call)
{
	struct capture *capture = ctx;
	const struct probe_seen seen = seen_of(call);

	if (capture->probes)
		probes_left(capture->probes, task, &seen);
}
