#include "probe/probe.h"

#include "base/clock.h"
#include "base/own.h"
#include "probe/state.h"
#include "probe/user.h"
#include "tracer/mem.h"

#include <errno.h>
#include <string.h>

struct probes *probes_new(struct tracer *tracer, const struct probe_ops *ops, void *ctx,
			  bool no_tls)
{
	struct probes *probes = own_zalloc(sizeof(*probes));

	probes->tracer = tracer;
	probes->ops = ops;
	probes->ctx = ctx;
	probes->rows = (struct row_set){ no_tls, probes->tables };
	return probes;
}

static void free_probed(struct probed *probed)
{
	map_free(&probed->running);
	map_done(&probed->mapped);
	busy_done(probed);
	free(probed->why_blind);
	free(probed);
}

void probes_free(struct probes *probes)
{
	if (!probes)
		return;
	MAP_FOR_EACH(module, &probes->modules)
		module_free(map_value(module));
	MAP_FOR_EACH(proc, &probes->procs)
		free_probed(map_value(proc));
	MAP_FOR_EACH(frames, &probes->frames)
		frames_free(map_value(frames));
	map_done(&probes->modules);
	map_done(&probes->procs);
	map_done(&probes->frames);
	for (size_t i = 0; i < probes->user_count; i++)
		free((char *)(uintptr_t)probes->user[i].symbol);
	free(probes);
}

int probes_add(struct probes *probes, const char *text, const char **ret_why)
{
	const struct probe_row *rows = probe_named_rows(text);

	if (probes->user_count == USER_ROWS || probes->table_count == USER_ROWS) {
		*ret_why = "there are too many";
		return -EINVAL;
	}
	if (rows) {
		probes->tables[probes->table_count++] = rows;
		return 0;
	}
	if (!user_row_parse(text, &probes->user[probes->user_count], ret_why))
		return -EINVAL;
	/* All of the user's are one table, the first. */
	if (!probes->user_count++) {
		probes->tables[probes->table_count++] = probes->tables[0];
		probes->tables[0] = probes->user;
	}
	return 0;
}

bool probes_wanted(const struct probes *probes)
{
	return !probes->rows.no_tls || probes->table_count;
}

const char *probes_unmatched(const struct probes *probes, size_t index)
{
	for (size_t i = 0; i < probes->user_count; i++)
		if (!probes->user_found[i] && !index--)
			return probes->user[i].symbol;
	return NULL;
}

const struct row_set *probes_rows(const struct probes *probes)
{
	return &probes->rows;
}

struct probed *probed_of(struct probes *probes, const struct proc *proc)
{
	struct probed *probed = map_get(&probes->procs, (uint64_t)proc->pid);

	if (!probed) {
		probed = own_zalloc(sizeof(*probed));
		map_put(&probes->procs, (uint64_t)proc->pid, probed);
	}
	return probed;
}

struct frames *frames_of(struct probes *probes, const struct task *task)
{
	struct frames *frames = map_get(&probes->frames, (uint64_t)task->tid);

	if (!frames) {
		frames = own_zalloc(sizeof(*frames));
		map_put(&probes->frames, (uint64_t)task->tid, frames);
	}
	return frames;
}

void probes_fork(struct probes *probes, const struct task *parent, const struct task *child)
{
	const struct frames *frames = map_get(&probes->frames, (uint64_t)parent->tid);

	if (frames)
		frames_copy(frames_of(probes, child), frames);
}

void probes_forget(struct probes *probes, const struct proc *proc)
{
	struct probed *probed = map_take(&probes->procs, (uint64_t)proc->pid);

	if (probed)
		free_probed(probed);
	for (const struct task *task = proc->tasks; task; task = task->next)
		probes_forget_task(probes, task);
}

void probes_forget_task(struct probes *probes, const struct task *task)
{
	frames_free(map_take(&probes->frames, (uint64_t)task->tid));
}

bool probes_blind(struct probes *probes, struct task *task)
{
	struct probed *probed = map_get(&probes->procs, (uint64_t)task->proc->pid);
	char *why;

	if (!probed || !probed->blind)
		return false;
	why = probed->why_blind;
	probed->why_blind = NULL;
	if (why)
		probes->ops->note(probes->ctx, task, why);
	free(why);
	return true;
}

static void tell_data(struct probes *probes, struct task *task, const struct regs *regs,
		      const struct frame *frame)
{
	struct probe_call call = {
		.row = frame->site->row,
		.name = frame->site->name,
		.session = frame->session,
		.buffer = value_buffer(task, regs, frame),
		.len = value_length(task, regs, frame),
		.entered = frame->entered,
		.go = frame->site->row->abi == ABI_GO,
		.begun_before = frame->begun_before,
		.sp = frame->sp,
	};

	if (call.len && call.len < LENGTH_MAX)
		probes->ops->data(probes->ctx, task, &call);
}

static void tell_session(struct probes *probes, struct task *task, const struct frame *frame)
{
	struct probe_call call = { .row = frame->site->row,
				   .name = frame->site->name,
				   .session = frame->session,
				   .buffer = frame->buffer };

	probes->ops->session(probes->ctx, task, &call);
}

static void fill_frame(struct frame *frame, const struct task *task, const struct regs *regs,
		       const struct site *site)
{
	const struct probe_row *row = site->row;

	frame->site = site;
	frame->sp = regs_sp(regs);
	/* Where its returns are not known by their instructions. */
	frame->returns = site->ret_count ? 0 : value_word(task, frame->sp, 8);
	frame->entered = clock_monotonic();
	for (unsigned int i = 0; i < 6; i++)
		frame->args[i] = regs_c_arg(regs, i);
	frame->session = value_at_entry(task, regs, frame, row->session);
	frame->buffer = value_at_entry(task, regs, frame, row->buffer);
	frame->length = value_at_entry(task, regs, frame, row->length);
	frame->before = frame->length;
}

static void at_entry(struct probes *probes, struct task *task, const struct regs *regs,
		     const struct site *site)
{
	struct frame frame = { 0 };

	fill_frame(&frame, task, regs, site);
	if (site->row->kind != ROW_CALL) {
		tell_session(probes, task, &frame);
		return;
	}
	if (site->row->length.kind == PLACE_AT_ARG)
		frame.length = value_word(task, frame.length, site->row->length.size);
	tell_data(probes, task, regs, &frame);
}

static void c_return(void *ctx, struct task *task, struct regs *regs, void *arg);

/* Breakpoint at a C function's entry. */
static void c_entry(void *ctx, struct task *task, struct regs *regs, void *arg)
{
	struct probes *probes = ctx;
	const struct site *site = arg;
	struct frames *frames;
	struct frame *frame;

	if (row_is_entry_only(site->row)) {
		at_entry(probes, task, regs, site);
		return;
	}
	if (site->row->kind == ROW_CALL)
		busy_called(probes, probed_of(probes, task->proc), task, site);
	frames = frames_of(probes, task);
	frame = frames_push(frames, regs_sp(regs));
	fill_frame(frame, task, regs, site);
	/* It stays planted: only what returns from there comes by. */
	if (!site->ret_count &&
	    brk_plant(probes->tracer, task, frame->returns, c_return, probes, (void *)site))
		frames_remove(frames, frame);
}

/* Called by a function that tells the same bytes itself, or whose bytes were told before. */
bool frames_is_within(struct frames *frames, const struct frame *frame)
{
	const char *within = frame->site->row->within;
	const struct frame *outer = within ? frames_around(frames, frame->sp) : NULL;

	return outer && !strcmp(outer->site->name, within) && outer->session == frame->session;
}

static void c_done(struct probes *probes, struct task *task, struct regs *regs,
		   const struct site *site, uint64_t sp)
{
	struct frames *frames = frames_of(probes, task);
	struct frame *frame = frames_find(frames, site, sp);
	struct frame copy;

	if (!frame)
		return;
	copy = *frame;
	frames_remove(frames, frame);
	if (!value_succeeded(task, regs, site))
		return;
	/* Not before: SSL_set_fd calls SSL_set_bio, at which the session is forgotten. */
	if (site->row->kind == ROW_BIND)
		tell_session(probes, task, &copy);
	else if (!frames_is_within(frames, &copy))
		tell_data(probes, task, regs, &copy);
}

/* … at one of its returns. */
static void c_ret(void *ctx, struct task *task, struct regs *regs, void *arg)
{
	c_done(ctx, task, regs, arg, regs_sp(regs));
}

/* … at its return address, where the return address itself has left the stack. */
static void c_return(void *ctx, struct task *task, struct regs *regs, void *arg)
{
	c_done(ctx, task, regs, arg, regs_sp(regs) - 8);
}

/*
 * At a Go function's entry. Twice for one call, where the stack has to grow first: what it does can be
 * done again.
 */
static void go_entry(void *ctx, struct task *task, struct regs *regs, void *arg)
{
	struct probes *probes = ctx;
	const struct site *site = arg;
	struct probed *probed = probed_of(probes, task->proc);
	uint64_t g = value_goroutine(task, regs, site->go_registers);
	uint64_t stack[2] = { 0, 0 };
	struct frame *frame;

	if (row_is_entry_only(site->row)) {
		at_entry(probes, task, regs, site);
		return;
	}
	busy_called(probes, probed, task, site);
	frame = map_get(&probed->running, go_key(g, site->row->dir));
	if (!frame) {
		frame = own_zalloc(sizeof(*frame));
		map_put(&probed->running, go_key(g, site->row->dir), frame);
	}
	fill_frame(frame, task, regs, site);
	mem_read_all(task->tid, g, stack, sizeof(stack));
	frame->stack_low = stack[0];
	frame->stack_high = stack[1];
}

/*
 * A call that was under way when we came: the compiler's spill slots, behind the return address, hold
 * the buffer and its length (seen in Go 1.17 to 1.26), and the receiver in Read alone. Arguments on
 * the stack are there anyway.
 */
static void fill_spilled(struct frame *frame, const struct task *task, const struct regs *regs,
			 const struct site *site)
{
	uint64_t sp = regs_sp(regs);

	*frame = (struct frame){ .site = site, .sp = sp, .begun_before = true };
	if (!site->go_registers || site->row->dir == ROW_IN)
		frame->session = value_word(task, sp + 8, 8);
	frame->buffer = value_word(task, sp + 16, 8);
	frame->length = value_word(task, sp + 24, 8);
}

static void tell_returned(struct probes *probes, struct task *task, const struct frame *frame)
{
	if (frame)
		probes->ops->returned(probes->ctx, task, frame->session);
}

static void go_ret(void *ctx, struct task *task, struct regs *regs, void *arg)
{
	struct probes *probes = ctx;
	const struct site *site = arg;
	struct probed *probed = probed_of(probes, task->proc);
	uint64_t g = value_goroutine(task, regs, site->go_registers);
	struct frame *frame auto_free = map_take(&probed->running, go_key(g, site->row->dir));
	uint64_t room;

	if (!value_succeeded(task, regs, site)) {
		tell_returned(probes, task, frame);
		return;
	}
	if (!frame || frame->site != site) {
		free(frame);
		frame = own_zalloc(sizeof(*frame));
		fill_spilled(frame, task, regs, site);
		room = frame->length;
		if (value_length(task, regs, frame) > room)
			return;
	}
	tell_data(probes, task, regs, frame);
	tell_returned(probes, task, frame);
}

brk_hit *probe_entry_handler(const struct site *site)
{
	return site->row->abi == ABI_GO ? go_entry : c_entry;
}

brk_hit *probe_ret_handler(const struct site *site)
{
	return site->row->abi == ABI_GO ? go_ret : c_ret;
}

static uint64_t c_session(struct probes *probes, const struct task *task, uint64_t sp)
{
	struct frames *frames = map_get(&probes->frames, (uint64_t)task->tid);
	struct frame *frame = frames ? frames_around(frames, sp) : NULL;

	return frame ? frame->session : 0;
}

static uint64_t go_session(const struct probed *probed, uint64_t g, enum row_dir dir)
{
	struct frame *frame = map_get(&probed->running, go_key(g, dir));

	return frame ? frame->session : 0;
}

/* NULL: no function of Go's is under way. */
static struct probed *running_go(struct probes *probes, const struct task *task)
{
	struct probed *probed = map_get(&probes->procs, (uint64_t)task->proc->pid);

	return probed && probed->has_go && probed->running.head ? probed : NULL;
}

bool probes_go_under_way(struct probes *probes, const struct task *task, uint64_t session)
{
	struct probed *probed = running_go(probes, task);

	if (!probed)
		return false;
	MAP_FOR_EACH(node, &probed->running) {
		const struct frame *frame = map_value(node);

		if (frame->session == session)
			return true;
	}
	return false;
}

uint64_t probes_session(struct probes *probes, struct task *task, enum row_dir dir)
{
	uint64_t session = c_session(probes, task, task->call.sp);
	struct probed *probed = running_go(probes, task);
	struct regs regs;

	if (session || !probed || regs_get(task->tid, &regs))
		return session;
	return go_session(probed, value_goroutine(task, &regs, probed->go_registers), dir);
}

uint64_t probes_session_at(struct probes *probes, const struct task *task, enum row_dir dir,
			   uint64_t sp, uint64_t g)
{
	uint64_t session = c_session(probes, task, sp);
	struct probed *probed = running_go(probes, task);

	/* Before Go 1.17 the goroutine was in the thread's storage: what is there now says nothing. */
	if (session || !probed || !probed->go_registers)
		return session;
	return go_session(probed, g, dir);
}
