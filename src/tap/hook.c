/*
 * Probed functions that are recorded inside the process: at the entry and at each return one instruction
 * becomes a jump to a stub (hook_stub.h), which enters the agent and holds the instruction.
 *
 *   direct: e9 xx xx xx xx    where the instruction has five bytes or more: nobody is inside of it
 *   pun, cave:                as at a system call (patch.c); one byte changes, or two of one instruction
 *
 * Breakpoints stood there before, and stay where a jump cannot be had. While bytes change a trap stands
 * at the first: who runs into it is put back in front of it, and finds the jump (pull.c).
 */
#include "base/own.h"
#include "tap/agent_blob.h"
#include "tap/hook_stub.h"
#include "tap/state.h"
#include "tracer/space_io.h"

#include <errno.h>
#include <string.h>

/* What a processor reads of code at a time: a jump within is seen as a whole. */
#define FETCHED 16

/* One hook that is being made. */
struct making {
	struct tap *tap;
	struct tapped *tapped;
	struct task *task;
	const struct tap_function *function;
	const struct listing_place *place;
	uint64_t at; /* the breakpoint that it stands for */
	bool leaves;
	struct brk_jump jump;
	size_t changed; /* bytes of it that are written */
};

const struct hook_jump *hook_jump_at(struct tapped *tapped, uint64_t site)
{
	const struct hook_jump *at = map_get(&tapped->jumps, site);
	uint8_t there[sizeof(at->was)];

	if (!at)
		return NULL;
	/* What it was in can be gone, and something else be mapped there. */
	if (!space_peek(tapped->proc, site, there, at->jump.len) &&
	    !memcmp(there, at->jump.bytes, at->jump.len))
		return at;
	free(map_take(&tapped->jumps, site));
	return NULL;
}

int hook_code(struct tapped *tapped, struct task *task, uint64_t addr, uint8_t *ret_code,
	      size_t len)
{
	int result = brk_code(task, addr, ret_code, len);
	const struct hook_jump *jump;
	uint64_t site;

	if (result || !tapped->jumps.head)
		return result;
	for (site = addr - sizeof(jump->was) + 1; site < addr + len; site++) {
		jump = hook_jump_at(tapped, site);
		for (size_t i = 0; jump && i < jump->jump.len; i++)
			if (site + i >= addr && site + i < addr + len)
				ret_code[site + i - addr] = jump->was[i];
	}
	return 0;
}

/* Nothing of ours stands in these bytes, nor is made of them. */
static bool is_untouched(struct making *making, uint64_t addr, size_t len)
{
	for (uint64_t site = addr - sizeof(making->jump.bytes) + 1; site < addr + len; site++) {
		const struct hook_jump *jump = hook_jump_at(making->tapped, site);

		if (jump && site + jump->jump.len > addr)
			return false;
	}
	return !brk_holds(making->task, addr, len);
}

/* The number of a function in records: the same in all processes. */
static uint32_t number_of(struct tap *tap, const void *arg)
{
	for (size_t i = 0; i < tap->function_count; i++)
		if (tap->functions[i] == arg)
			return (uint32_t)i;
	tap->functions = own_realloc((void *)tap->functions,
				     (tap->function_count + 1) * sizeof(*tap->functions));
	tap->functions[tap->function_count] = arg;
	return (uint32_t)tap->function_count++;
}

/* What the agent could not tell is told as the breakpoint would. */
static void hook_traced(void *ctx, struct task *task, struct regs *regs, void *arg)
{
	const struct hook *hook = arg;
	struct tapped *tapped = tapped_of(ctx, task->proc);
	struct regs there = *regs;

	if (tapped && tapped->ready)
		thread_register(tapped, task);
	regs_set_sp(&there, regs_sp(&there) + (uint64_t)(int64_t)hook->place.below);
	hook->hit(hook->ctx, task, &there, hook->arg);
}

/* One for all processes: breakpoints have its address, and can outlive the process that was first. */
static struct hook *hook_of(const struct making *making)
{
	const struct tap_function *function = making->function;
	const uint64_t offset = making->place->addr - function->addr;
	struct hook *hook;

	for (hook = making->tap->hooks; hook; hook = hook->next)
		if (hook->arg == function->arg && hook->offset == offset &&
		    hook->leaves == making->leaves)
			return hook;
	hook = own_zalloc(sizeof(*hook));
	hook->next = making->tap->hooks;
	hook->offset = offset;
	hook->leaves = making->leaves;
	hook->go = function->go;
	hook->inward = function->inward;
	hook->place = *making->place;
	hook->hit = making->leaves ? function->ret : function->entry;
	hook->ctx = function->ctx;
	hook->arg = function->arg;
	making->tap->hooks = hook;
	return hook;
}

static int write_stub(const struct making *making, uint64_t stub)
{
	const struct tap_function *function = making->function;
	const struct listing_place *place = making->place;
	const struct ring_hook data = {
		.entry = TAP_HOOKED_AT,
		.next = place->addr + place->insn.len,
		.site = place->addr,
		.number = number_of(making->tap, function->arg),
		.below = place->below,
		.leaves = making->leaves,
		.after = place->after,
		.go = function->go,
		.inward = function->inward,
		.success = (uint8_t)function->success,
		.narrow = function->narrow,
		.buffer = function->buffer,
		.length = function->length,
	};
	uint8_t insn[INSN_MAX], code[HOOK_SIZE];
	int result = hook_code(making->tapped, making->task, place->addr, insn, place->insn.len);

	if (result || data.number > UINT16_MAX)
		return result ? result : -ENOSPC;
	result = hook_stub_make(code, stub, &data, &place->insn, insn);
	return result ? result : space_poke(making->tapped->proc, stub, code, sizeof(code));
}

static void note_jump(const struct making *making, const uint8_t *was)
{
	struct hook_jump *jump = map_get(&making->tapped->jumps, making->jump.addr);

	if (!jump) {
		jump = own_alloc(sizeof(*jump));
		map_put(&making->tapped->jumps, making->jump.addr, jump);
	}
	jump->jump = making->jump;
	memcpy(jump->was, was, sizeof(jump->was));
}

/* The bytes from the second on, then the first: until then it is a trap. */
static int write_jump(const struct making *making)
{
	const struct brk_jump *jump = &making->jump;
	struct proc *proc = making->tapped->proc;
	int result = 0;

	if (making->changed > 1)
		result = space_poke(proc, jump->addr + 1, jump->bytes + 1, making->changed - 1);
	return result ? result : space_poke(proc, jump->addr, jump->bytes, 1);
}

/*
 * From here on the agent is entered. A trap goes to the jump's first byte; then the breakpoint's own is
 * taken out where it stands elsewhere, so no call goes by unseen.
 */
static int change(const struct making *making, uint64_t stub)
{
	static const uint8_t trap = 0xcc;
	const struct tap_function *function = making->function;
	brk_hit *hit = making->leaves ? function->ret : function->entry;
	struct tapped *tapped = making->tapped;
	const uint64_t site = making->jump.addr;
	uint8_t was[sizeof(making->jump.bytes)] = { 0 };
	struct hook *hook;
	int result = hook_code(tapped, making->task, site, was, making->jump.len);

	if (!result && !brk_has_only(making->task, making->at, hit, function->arg))
		result = -EBUSY;
	if (result)
		return result;
	hook = hook_of(making);
	map_put(&tapped->hooks, stub, hook);
	map_put(&tapped->places, stub, (void *)(uintptr_t)site);
	map_put(&tapped->numbers, number_of(making->tap, function->arg) + 1UL, hook);
	brk_adopt(making->task, stub + HOOK_TRACED,
		  stub + (making->place->after ? HOOK_NEXT : HOOK_BEFORE), hook_traced, making->tap,
		  hook);
	if (making->at != site)
		result = space_poke(tapped->proc, site, &trap, 1);
	if (!result)
		result = brk_give(making->tap->tracer, making->task, making->at, &making->jump, hit,
				  function->arg);
	note_jump(making, was);
	brk_hold(making->task, site, making->jump.len);
	return result ? result : write_jump(making);
}

static int hook_direct(struct making *making)
{
	const uint64_t site = making->place->addr;
	const uint8_t len = sizeof(making->jump.bytes);
	uint64_t stub;
	int32_t distance;
	int result;

	if (making->place->insn.len < len || site % FETCHED > FETCHED - (uint64_t)len)
		return -EXDEV;
	result =
		patch_near_place(making->tap, making->tapped, making->task, site, HOOK_SIZE, &stub);
	if (!result)
		result = write_stub(making, stub);
	if (result)
		return result;
	distance = (int32_t)(stub - (site + len));
	making->jump = (struct brk_jump){ .addr = site, .bytes = { 0xe9 }, .len = len };
	memcpy(making->jump.bytes + 1, &distance, sizeof(distance));
	making->changed = len;
	return change(making, stub);
}

/*
 * The bytes behind the first are to stay as they are: no breakpoint stands there, and no jump, but the trap
 * that this hook takes out.
 */
static bool are_settled(const struct making *making, const uint8_t code[PUN_SIZE])
{
	const uint64_t site = making->place->addr;
	uint8_t now[PUN_SIZE];

	if (space_peek(making->tapped->proc, site, now, sizeof(now)))
		return false;
	for (size_t i = 1; i < PUN_SIZE; i++)
		if (site + i != making->at && now[i] != code[i])
			return false;
	return true;
}

static int hook_pun(struct making *making)
{
	const uint64_t site = making->place->addr;
	uint8_t code[PUN_SIZE];
	uint64_t stub;
	int result = hook_code(making->tapped, making->task, site, code, sizeof(code));

	if (!result && !are_settled(making, code))
		result = -EBUSY;
	if (!result)
		result = patch_pun_place(making->tap, making->tapped, making->task, site, code,
					 HOOK_SIZE, &stub);
	if (!result)
		result = write_stub(making, stub);
	if (result)
		return result;
	making->jump = (struct brk_jump){ .addr = site, .len = PUN_SIZE };
	memcpy(making->jump.bytes, code, PUN_SIZE);
	making->jump.bytes[0] = 0xe9;
	making->changed = 1;
	return change(making, stub);
}

static int hook_cave(struct making *making)
{
	const uint64_t site = making->place->addr;
	struct cave cave;
	uint64_t stub;
	int result = making->place->insn.len < 2 ? -EXDEV : 0;

	if (!result)
		result = patch_cave_place(making->tap, making->tapped, making->task, site,
					  HOOK_SIZE, &cave, &stub);
	if (!result)
		result = write_stub(making, stub);
	if (!result)
		result = patch_fill_cave(making->tapped, site, &cave, stub);
	if (result)
		return result;
	making->jump = (struct brk_jump){ .addr = site,
					  .bytes = { 0xeb, (uint8_t)cave_distance(site, &cave) },
					  .len = 2 };
	making->changed = 2;
	return change(making, stub);
}

/* At the first of the places where a jump can be had. */
static bool hook_one_of(struct making *making, const struct listing_place *places, size_t count)
{
	bool done = false;

	for (size_t i = 0; i < count && !done; i++) {
		making->place = &places[i];
		if (!is_untouched(making, places[i].addr, places[i].insn.len) ||
		    !is_untouched(making, making->at, 1))
			continue;
		done = !hook_direct(making) || !hook_pun(making) || !hook_cave(making);
	}
	making->tap->stats.unhooked += !done;
	return done;
}

/* What was hooked can be gone: the file was unmapped, and mapped again. */
static bool is_hooked(struct tapped *tapped, uint64_t addr)
{
	uint64_t site = (uint64_t)(uintptr_t)map_get(&tapped->hooked, addr);

	if (!site)
		return false;
	if (hook_jump_at(tapped, site))
		return true;
	map_take(&tapped->hooked, addr);
	return false;
}

static void hook_function(struct making *making, const struct listing *listing)
{
	const struct tap_function *function = making->function;
	struct listing_place places[LISTING_PLACES];

	making->at = function->addr;
	making->leaves = false;
	if (!hook_one_of(making, places, listing_entry(listing, places)))
		return;
	map_put(&making->tapped->hooked, function->addr, (void *)(uintptr_t)making->place->addr);
	making->leaves = true;
	for (size_t i = 0; i < function->ret_count; i++) {
		making->at = function->bias + function->rets[i];
		hook_one_of(making, places, listing_return(listing, making->at, places));
	}
}

bool tap_hook(struct tap *tap, struct task *task, const struct tap_function *function)
{
	struct tapped *tapped = tapped_of(tap, task->proc);
	struct making making = { .tap = tap, .tapped = tapped, .task = task, .function = function };
	struct listing *listing;
	uint8_t *code auto_free = NULL;

	if (!tapped || !tapped->ready || tapped->refused || space_is_shared(task->proc) ||
	    is_hooked(tapped, function->addr))
		return false;
	code = own_alloc(function->size);
	if (hook_code(tapped, task, function->addr, code, function->size))
		return false;
	listing = listing_read(code, function->size, function->addr);
	if (!listing)
		return false;
	hook_function(&making, listing);
	listing_free(listing);
	return task->retry;
}

/*
 * Another thread can have forked while a jump was being made: the child's memory is of some moment of that.
 * It is complete where its stub is, else a trap that is still a breakpoint stands there, or nothing.
 */
static void complete_jump(struct tapped *to, const struct tapped *from, uint64_t stub,
			  uint64_t site)
{
	const struct hook_jump *at = map_get(&to->jumps, site);
	uint8_t there[sizeof(at->was)], ours[HOOK_SIZE], theirs[HOOK_SIZE];
	const size_t len = at ? at->jump.len : 0;

	if (!at || space_peek(to->proc, site, there, len) || there[0] != 0xcc ||
	    space_peek(from->proc, stub, ours, sizeof(ours)) ||
	    space_peek(to->proc, stub, theirs, sizeof(theirs)) ||
	    memcmp(ours, theirs, sizeof(ours)) != 0)
		return;
	if (!space_poke(to->proc, site + 1, at->jump.bytes + 1, len - 1))
		space_poke(to->proc, site, at->jump.bytes, 1);
}

void hooks_copy(struct tapped *to, const struct tapped *from)
{
	map_copy(&to->hooks, &from->hooks, 0);
	map_copy(&to->places, &from->places, 0);
	map_copy(&to->hooked, &from->hooked, 0);
	map_copy(&to->numbers, &from->numbers, 0);
	map_copy(&to->jumps, &from->jumps, sizeof(struct hook_jump));
	MAP_FOR_EACH(place, &from->places)
		complete_jump(to, from, map_key(place), (uint64_t)(uintptr_t)map_value(place));
}

void hooks_done(struct tapped *tapped)
{
	map_done(&tapped->hooks);
	map_done(&tapped->places);
	map_done(&tapped->hooked);
	map_done(&tapped->numbers);
	map_free(&tapped->jumps);
}

void hooks_free(struct tap *tap)
{
	struct hook *hook;

	while ((hook = tap->hooks)) {
		tap->hooks = hook->next;
		free(hook);
	}
	free(tap->functions);
}
