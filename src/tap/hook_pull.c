/*
 * A thread that is stopped at a hook is put back into the probed function: in front of the instruction
 * that the jump stands for, from where all of it is done anew, or behind it where its plaintext has been
 * told. An entry can be told twice: the second takes the place of the first.
 */
#include "tap/agent_blob.h"
#include "tap/pull.h"
#include "tracer/brk.h"
#include "tracer/space_io.h"

#include <stddef.h>
#include <string.h>

/* How far above the stack pointer the frame can be: the agent's own stack. */
#define STACK_MAX 512

#define CARRY 1 /* of eflags */

static bool find_hook(struct pull *pull, uint64_t stub, const struct hook **ret_hook)
{
	*ret_hook = map_get(&pull->tapped->hooks, stub);
	if (!*ret_hook)
		return false;
	pull->stub = stub;
	pull->site = (uint64_t)(uintptr_t)map_get(&pull->tapped->places, stub);
	return pull->site;
}

static void to_site(struct pull *pull)
{
	/* A fault of the agent's own would come again. */
	pull->user->rip = pull->fault ? pull->stub + HOOK_TRACED : pull->site;
	pull_finish(pull);
}

/* The agent is done with it. */
static void to_rest(struct pull *pull, const struct hook *hook, bool told)
{
	const struct listing_place *place = &hook->place;

	if (!told || !hook->leaves) {
		to_site(pull);
		return;
	}
	if (place->after)
		pull->user->rip = pull->site + place->insn.len;
	else
		brk_carry_out(pull->task, &place->insn, pull->site, &pull->regs);
	pull_finish(pull);
}

/* In a stub; at its trap it stays. */
static bool from_stub(struct pull *pull)
{
	const uint64_t ip = pull->user->rip;
	const struct hook *hook;
	bool traced = pull->user->eflags & CARRY;
	uint64_t at = 0;

	while (at <= HOOK_TRACED && !find_hook(pull, ip - at, &hook))
		at++;
	if (at > HOOK_TRACED)
		return false;
	if (at > HOOK_LOWER && at <= HOOK_BACK)
		pull->user->rsp += FRAME_RED_ZONE;
	if (at < HOOK_BACK || at == HOOK_TRACED) {
		to_site(pull);
	} else if (at <= HOOK_BEFORE) {
		to_rest(pull, hook, !traced || at == HOOK_BEFORE);
	} else {
		/* Behind the instruction. */
		pull->user->rip = pull->site + hook->place.insn.len;
		pull_finish(pull);
	}
	return true;
}

static void restore(const struct pull *pull, const struct ring_hook_frame *frame, uint64_t addr)
{
	struct user_regs_struct *user = pull->user;

	pull_restore(pull, &frame->call);
	user->rax = (uint64_t)frame->call.result;
	user->rcx = frame->rcx;
	user->r11 = frame->r11;
	user->rsp = addr + HOOK_FRAME_SIZE + sizeof(uint64_t) + FRAME_RED_ZONE;
}

/* Before the registers are saved, or when they are the program's again: `lowered` bytes of frame. */
static bool from_edge(struct pull *pull, uint64_t lowered, bool told)
{
	const struct hook *hook;
	uint64_t back;

	pull->user->rsp += lowered;
	if (space_peek(pull->task->proc, pull->user->rsp, &back, sizeof(back)) ||
	    !find_hook(pull, back - HOOK_BACK, &hook))
		return false;
	pull->user->rsp += sizeof(back) + FRAME_RED_ZONE;
	to_rest(pull, hook, told);
	return true;
}

/* Where the frame stands: by its magic, or at the stack pointer. */
static bool find_frame(const struct pull *pull, uint64_t *ret_addr,
		       struct ring_hook_frame *ret_frame)
{
	const uint64_t ip = pull->user->rip;
	const bool at_sp = (ip >= TAP_HOOK_SAVED_AT && ip < TAP_HOOK_FRAMED_AT) ||
			   (ip >= TAP_HOOK_LEAVE_AT && ip < TAP_HOOK_RAISED_AT);

	*ret_addr = pull->user->rsp;
	if (!at_sp && !pull_find_magic(pull, HOOK_FRAME_MAGIC, STACK_MAX, ret_addr))
		return false;
	return !space_peek(pull->task->proc, *ret_addr, ret_frame, sizeof(*ret_frame));
}

/* What is told will not be told again. Its place in the table can be another's already. */
static void forget_open(const struct pull *pull, const struct hook *hook,
			const struct ring_hook_frame *frame, uint64_t addr)
{
	const uint64_t none = 0, sp = addr + HOOK_FRAME_SIZE + sizeof(uint64_t) + FRAME_RED_ZONE;
	const uint64_t key = hook->go ? frame->call.saved[4] | hook->inward
				      : sp + (uint64_t)(int64_t)hook->place.below;
	uint64_t there;

	if (frame->open && !space_peek(pull->task->proc, frame->open, &there, sizeof(there)) &&
	    there == key)
		space_poke(pull->task->proc, frame->open, &none, sizeof(none));
}

static bool from_frame(struct pull *pull)
{
	const uint64_t none = 0, ip = pull->user->rip;
	struct proc *proc = pull->task->proc;
	struct ring_hook_frame frame;
	const struct hook *hook;
	uint64_t addr, back;
	bool told = false;

	if (!find_frame(pull, &addr, &frame) ||
	    space_peek(proc, addr + HOOK_FRAME_SIZE, &back, sizeof(back)) ||
	    !find_hook(pull, back - HOOK_BACK, &hook))
		return false;
	if (ip >= TAP_HOOK_LEAVE_AT && ip < TAP_HOOK_RAISED_AT) {
		told = !frame.call.traced;
	} else if (ip < TAP_HOOK_SAVED_AT || ip >= TAP_HOOK_FRAMED_AT) {
		pull_complete(pull, &frame.call);
		pull_settle(pull, &frame.call);
		told = frame.call.told;
		if (told && hook->leaves)
			forget_open(pull, hook, &frame, addr);
	}
	restore(pull, &frame, addr);
	to_rest(pull, hook, told);
	if (!pull->dying)
		space_poke(proc, addr, &none, sizeof(none));
	return true;
}

bool pull_from_hook(struct pull *pull)
{
	const uint64_t ip = pull->user->rip;

	if (!pull->tapped->hooks.head)
		return false;
	if (ip < RING_TEXT || ip >= RING_TEXT + RING_TEXT_SIZE)
		return from_stub(pull);
	/* What both parts use, or the hooks' own. */
	if (ip < TAP_COPY_AT || (ip >= TAP_RECORD_AT && ip < TAP_HOOKED_AT))
		return false;
	if (ip == TAP_HOOKED_AT)
		return from_edge(pull, 0, false);
	if (ip >= TAP_HOOK_LOWERED_AT && ip < TAP_HOOK_SAVED_AT)
		return from_edge(pull, HOOK_FRAME_SIZE, false);
	if (ip == TAP_HOOK_RAISED_AT)
		return from_edge(pull, 0, !(pull->user->eflags & CARRY));
	return from_frame(pull);
}
