/* Jumps that somebody puts into code in the place of breakpoints (src/tap/hook.c), and beside them. */
#include "base/own.h"
#include "tracer/brk.h"
#include "tracer/catcher.h"
#include "tracer/engine.h"
#include "tracer/guard.h"
#include "tracer/space.h"

#include <errno.h>
#include <string.h>

/* First bytes of jumps: by four bytes of distance, and by one. */
#define JUMP_FAR  0xe9
#define JUMP_NEAR 0xeb

int brk_code(struct task *task, uint64_t addr, uint8_t *ret_code, size_t len)
{
	struct space *space = brk_space(task);
	int result = space_read(space, task->proc->pid, addr, ret_code, len);

	if (!result)
		brk_undo(space, addr, ret_code, len);
	return result;
}

/* What it was in can be gone, and something else be mapped there. */
static bool is_there(struct task *task, const struct brk_jump *jump)
{
	uint8_t there[sizeof(jump->bytes)];

	return !space_read(brk_space(task), task->proc->pid, jump->addr, there, jump->len) &&
	       !memcmp(there, jump->bytes, jump->len);
}

bool brk_is_given(struct task *task, uint64_t addr)
{
	struct space *space = brk_space(task);
	const struct given *given = map_get(&space->given, addr);

	if (!given)
		return false;
	if (is_there(task, &given->jump))
		return true;
	free(map_take(&space->given, addr));
	return false;
}

bool brk_was_given(struct task *task, uint64_t addr, brk_hit *hit, const void *arg)
{
	const struct given *given = map_get(&brk_space(task)->given, addr);

	return given && given->hit == hit && given->arg == arg;
}

bool brk_has_only(struct task *task, uint64_t addr, brk_hit *hit, const void *arg)
{
	const struct brk *brk = map_get(&brk_space(task)->brks, addr);

	return brk && brk->user_count == 1 && brk->users[0].hit == hit && brk->users[0].arg == arg;
}

int brk_give(struct tracer *tracer, struct task *task, uint64_t addr, const struct brk_jump *jump,
	     brk_hit *hit, void *arg)
{
	struct space *space = brk_space(task);
	struct brk *brk = map_get(&space->brks, addr);
	struct given *given;

	if (!brk_has_only(task, addr, hit, arg))
		return brk ? -EBUSY : -ENOENT;
	free(map_take(&space->given, addr));
	guard_remove(tracer, task, addr);
	given = own_alloc(sizeof(*given));
	*given = (struct given){ *jump, hit, arg };
	map_put(&space->given, addr, given);
	if (addr == jump->addr)
		return 0;
	return space_write(space, task->proc->pid, addr, &brk->orig, 1);
}

/* hit NULL: nobody is told. */
static struct brk *adopt(struct task *task, uint64_t addr, uint8_t orig, uint64_t go_on,
			 brk_hit *hit, void *ctx, void *arg)
{
	struct space *space = brk_space(task);
	struct brk *brk = map_get(&space->brks, addr);

	if (!brk) {
		brk = own_zalloc(sizeof(*brk));
		map_put(&space->brks, addr, brk);
	}
	*brk = (struct brk){ .addr = addr,
			     .orig = orig,
			     .displaced = go_on,
			     .users = { { hit, ctx, arg } },
			     .user_count = hit != NULL };
	return brk;
}

void brk_adopt(struct task *task, uint64_t addr, uint64_t go_on, brk_hit *hit, void *ctx, void *arg)
{
	adopt(task, addr, BRK_TRAP, go_on, hit, ctx, arg);
}

int brk_stand(struct tracer *tracer, struct task *task, uint64_t addr, uint8_t orig, uint64_t go_on,
	      brk_hit *hit, void *ctx)
{
	static const uint8_t trap = BRK_TRAP;
	struct space *space = brk_space(task);
	int result = guard_add(tracer, task, addr, orig);
	const struct brk *brk;

	if (result)
		return result;
	brk = adopt(task, addr, orig, go_on, hit, ctx, NULL);
	if (!catcher_add(space, task->proc->pid, brk, &orig) && task->proc->attached) {
		guard_remove(tracer, task, addr);
		free(map_take(&space->brks, addr));
		return -ENOSPC;
	}
	return space_write(space, task->proc->pid, addr, &trap, 1);
}

bool brk_catch(struct task *task, uint64_t addr, uint64_t go_on)
{
	const struct brk brk = { .addr = addr, .displaced = go_on };

	return catcher_add(brk_space(task), task->proc->pid, &brk, NULL) || !task->proc->attached;
}

void brk_hold(struct task *task, uint64_t jump, size_t len)
{
	struct space *space = brk_space(task);

	for (uint64_t i = 0; i < len; i++)
		map_put(&space->held, jump + i, (void *)(uintptr_t)jump);
}

bool brk_holds(struct task *task, uint64_t addr, size_t len)
{
	struct space *space = brk_space(task);
	uint64_t jump;
	uint8_t there;

	for (size_t i = 0; i < len; i++) {
		jump = (uint64_t)(uintptr_t)map_get(&space->held, addr + i);
		if (!jump)
			continue;
		/* Or it is just being written. */
		if (!space_read(space, task->proc->pid, jump, &there, 1) &&
		    (there == JUMP_FAR || there == JUMP_NEAR || there == BRK_TRAP))
			return true;
		map_take(&space->held, addr + i);
	}
	return false;
}
