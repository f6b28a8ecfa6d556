/*
 * Functions that are called often, and what is done with calls of them that were seen inside the process
 * (src/tap): the same as with those that were stopped at.
 */
#include "base/clock.h"
#include "base/own.h"
#include "probe/state.h"

#include <string.h>

#define RUNNING_MAX 1000000U

void busy_planted(struct probed *probed, const struct site *site, uint64_t bias, bool inside)
{
	struct planted *planted = map_get(&probed->planted, (uint64_t)(uintptr_t)site);

	/* The file can have been unmapped, and mapped again. */
	if (planted && planted->bias == bias && (inside || !planted->told))
		return;
	if (!planted) {
		planted = own_zalloc(sizeof(*planted));
		map_put(&probed->planted, (uint64_t)(uintptr_t)site, planted);
	}
	*planted = (struct planted){ .bias = bias };
}

void busy_called(struct probes *probes, struct probed *probed, struct task *task,
		 const struct site *site)
{
	struct planted *planted = map_get(&probed->planted, (uint64_t)(uintptr_t)site);

	if (!planted || planted->told)
		return;
	probes->ops->busy(probes->ctx, task, ++planted->calls);
}

void busy_done(struct probed *probed)
{
	map_free(&probed->planted);
}

static bool is_argument(struct place place, unsigned int count)
{
	return place.kind == PLACE_ARG && place.index < count;
}

/*
 * All that its row names is in registers, but for a length that is pointed to. Go: a function that looks
 * whether the stack has room, as what the agent needs may not be there else; not all of a user's do.
 */
static bool is_simple(const struct site *site)
{
	const struct probe_row *row = site->row;
	unsigned int count = row->abi == ABI_GO ? 4 : 6;
	bool length = (row->length.kind == PLACE_RESULT && !row->length.index) ||
		      (row->length.kind == PLACE_AT_ARG && row->length.index < count &&
		       row->length.size == sizeof(uint64_t));

	return row->kind == ROW_CALL && !row->at_entry && site->ret_count && site->size &&
	       (row->abi == ABI_C || (site->go_registers && row->is_tls)) && length &&
	       is_argument(row->buffer, count) &&
	       (row->session.kind == PLACE_NONE || is_argument(row->session, count));
}

void probes_each_busy(struct probes *probes, struct task *task, unsigned int calls,
		      void (*each)(void *ctx, struct task *task, const struct probe_busy *busy),
		      void *ctx)
{
	struct probed *probed = probed_of(probes, task->proc);

	MAP_FOR_EACH(node, &probed->planted) {
		struct planted *planted = map_value(node);
		const struct site *site = (const struct site *)(uintptr_t)map_key(node);
		struct probe_busy busy = { site, planted->bias, probe_entry_handler(site),
					   probe_ret_handler(site), probes };

		if (planted->told || planted->calls < calls)
			continue;
		planted->told = true;
		if (is_simple(site))
			each(ctx, task, &busy);
	}
}

static struct frame *begin_c(struct probes *probes, const struct task *task, uint64_t sp)
{
	return frames_push(frames_of(probes, task), sp);
}

static struct frame *begin_go(struct probes *probes, const struct task *task,
			      const struct probe_seen *seen)
{
	struct probed *probed = probed_of(probes, task->proc);
	uint64_t key = go_key(seen->g, seen->site->row->dir);
	struct frame *frame = map_get(&probed->running, key);

	/* More than a program has goroutines: somebody makes records of his own. */
	if (!frame && map_count(&probed->running) >= RUNNING_MAX)
		map_free(&probed->running);
	if (!frame) {
		frame = own_zalloc(sizeof(*frame));
		map_put(&probed->running, key, frame);
	}
	return frame;
}

static uint64_t word_at(const struct probe_seen *seen, struct place place)
{
	return place.kind == PLACE_ARG || place.kind == PLACE_AT_ARG ? seen->words[place.index] : 0;
}

void probes_entered(struct probes *probes, struct task *task, const struct probe_seen *seen)
{
	const struct probe_row *row = seen->site->row;
	bool is_go = row->abi == ABI_GO;
	struct frame *frame =
		is_go ? begin_go(probes, task, seen) : begin_c(probes, task, seen->sp);

	*frame = (struct frame){
		.site = seen->site,
		.sp = seen->sp,
		.session = word_at(seen, row->session),
		.buffer = word_at(seen, row->buffer),
		.length = word_at(seen, row->length),
		.entered = clock_monotonic() - (clock_realtime() - seen->time),
	};
	if (!is_go) {
		memcpy(frame->args, seen->words, sizeof(frame->args));
		return;
	}
	frame->stack_low = seen->words[4];
	frame->stack_high = seen->words[5];
}

/* The call's frame as it was; it is under way no more. */
static struct frame end_c(struct probes *probes, const struct task *task,
			  const struct probe_seen *seen, bool *ret_within)
{
	struct frames *frames = frames_of(probes, task);
	struct frame *frame = frames_find(frames, seen->site, seen->sp);
	struct frame copy = { .site = seen->site };

	*ret_within = false;
	if (!frame)
		return copy;
	copy = *frame;
	frames_remove(frames, frame);
	*ret_within = frames_is_within(frames, &copy);
	return copy;
}

static struct frame end_go(struct probes *probes, const struct task *task,
			   const struct probe_seen *seen)
{
	struct probed *probed = probed_of(probes, task->proc);
	struct frame *frame auto_free =
		map_take(&probed->running, go_key(seen->g, seen->site->row->dir));

	return frame ? *frame : (struct frame){ .site = seen->site };
}

void probes_left(struct probes *probes, struct task *task, const struct probe_seen *seen)
{
	bool is_go = seen->site->row->abi == ABI_GO, within = false;
	struct frame frame =
		is_go ? end_go(probes, task, seen) : end_c(probes, task, seen, &within);
	struct probe_call call = {
		.row = seen->site->row,
		.name = seen->site->name,
		.session = frame.session,
		.len = seen->len,
		.go = is_go,
		.bytes = seen->bytes,
		.there = seen->there,
		.time = seen->time,
		.dur = seen->dur,
	};

	if (call.len && call.len < LENGTH_MAX && !within)
		probes->ops->data(probes->ctx, task, &call);
	if (is_go)
		probes->ops->returned(probes->ctx, task, call.session);
}
