#include "tracer/brk.h"

#include "base/own.h"
#include "base/proc.h"
#include "tracer/catcher.h"
#include "tracer/engine.h"
#include "tracer/guard.h"
#include "tracer/inject.h"
#include "tracer/mem.h"
#include "tracer/space.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <unistd.h>

static const uint8_t trap = BRK_TRAP;

struct space *brk_space(struct task *task)
{
	if (!task->proc->space)
		task->proc->space = space_new();
	return task->proc->space;
}

/* A displacement of 32 bits reaches so far; a page less, for what stands on the island. */
static bool reaches(uint64_t from, uint64_t to)
{
	int64_t distance = (int64_t)(to - from);

	return distance > INT32_MIN + 8192L && distance < INT32_MAX - 8192L;
}

static struct island *find_island(const struct space *space, uint64_t addr, bool near)
{
	MAP_FOR_EACH(node, &space->islands) {
		struct island *island = map_value(node);

		if (island->used + 64 <= ISLAND_SIZE && (!near || reaches(island->addr, addr)))
			return island;
	}
	return NULL;
}

static int inject_island(struct tracer *tracer, struct task *task, uint64_t hint,
			 uint64_t *ret_addr)
{
	const uint64_t args[6] = { hint, ISLAND_SIZE, PROT_READ | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
				   (uint64_t)-1 };
	struct inject in;
	int64_t addr = -EIO;
	int result = inject_begin(&in, tracer, task), ended;

	if (!result)
		result = inject_call(&in, abi_nr(in.abi, in.abi->mmap), args, &addr);
	ended = inject_end(&in);
	if (result || ended)
		return result ? result : ended;
	if (addr < 0 && addr > -4096)
		return (int)addr;
	*ret_addr = (uint64_t)addr;
	return 0;
}

static bool is_carried_out(const struct insn *insn)
{
	return insn->effect != EFFECT_NONE || insn->kind == INSN_RET || insn->kind == INSN_JUMP ||
	       insn->kind == INSN_CALL;
}

/* `jmp *0(%rip)` and the address behind it: from the copy back to the next instruction. */
static size_t add_jump(uint8_t *to, uint64_t target)
{
	memcpy(to, "\xff\x25\x00\x00\x00\x00", 6);
	memcpy(to + 6, &target, sizeof(target));
	return 14;
}

static int displace(struct space *space, pid_t pid, struct brk *brk, const uint8_t *code)
{
	const struct insn *insn = &brk->insn;
	struct island *island = find_island(space, brk->addr, insn->kind == INSN_RIP);
	uint8_t copy[32];
	int32_t disp;
	size_t len;
	int result;

	if (!island || (insn->kind != INSN_PLAIN && insn->kind != INSN_RIP))
		return -EOPNOTSUPP;
	memcpy(copy, code, insn->len);
	if (insn->kind == INSN_RIP) {
		memcpy(&disp, copy + insn->disp_at, sizeof(disp));
		disp += (int32_t)(brk->addr - (island->addr + island->used));
		memcpy(copy + insn->disp_at, &disp, sizeof(disp));
	}
	len = insn->len + add_jump(copy + insn->len, brk->addr + insn->len);
	result = space_write(space, pid, island->addr + island->used, copy, len);
	if (result)
		return result;
	brk->displaced = island->addr + island->used;
	island->used += 32;
	return 0;
}

void brk_undo(const struct space *space, uint64_t addr, uint8_t *code, size_t len)
{
	const struct brk *brk;

	for (size_t i = 0; i < len; i++) {
		brk = map_get(&space->brks, addr + i);
		/* What it was in can be gone, and something else be mapped there. */
		if (brk && code[i] == trap)
			code[i] = brk->orig;
	}
}

/* What the file's code is there: other breakpoints in what was read are undone. */
static int read_code(struct space *space, pid_t pid, uint64_t addr, uint8_t *code, size_t *ret_len)
{
	size_t len = INSN_MAX;
	int result = space_read(space, pid, addr, code, len);

	/* At the end of a mapping. */
	while (result == -EFAULT && len > 1)
		result = space_read(space, pid, addr, code, --len);
	if (!result)
		brk_undo(space, addr, code, len);
	*ret_len = len;
	return result;
}

/* Before what is planted, mostly; else it is told of that. */
static void ensure_catcher(struct tracer *tracer, struct task *task)
{
	struct space *space = task->proc->space;
	uint8_t code[INSN_MAX];
	size_t len;

	if (space->catcher)
		return;
	catcher_ensure(tracer, task);
	MAP_FOR_EACH(node, &space->brks)
		if (!read_code(space, task->proc->pid, map_key(node), code, &len))
			catcher_add(space, task->proc->pid, map_value(node), code);
}

/* Distances from the code at which a free page is tried for, in units of 64 MB. */
static const int island_distances[] = { -3, 3, -8, 8, -14, 14, -20, 20, -26, 26, -30, 30 };

int brk_reserve(struct tracer *tracer, struct task *task, uint64_t addr)
{
	struct space *space = brk_space(task);
	/* Others may have died here, and left theirs. */
	const uint64_t own_page = ((uint64_t)getpid() & 0x3fff) * ISLAND_SIZE;
	struct island *island;
	uint64_t at, hint;
	int result = -ENOMEM;

	if (find_island(space, addr, true))
		return 0;
	for (size_t i = 0; i < sizeof(island_distances) / sizeof(island_distances[0]); i++) {
		hint = (addr & ~(uint64_t)0xfff) + (uint64_t)(island_distances[i] * 64L * 1048576) +
		       own_page;
		if (hint < 0x10000 || hint >> 47)
			continue;
		result = inject_island(tracer, task, hint, &at);
		if (result == -EEXIST)
			continue;
		break;
	}
	if (result)
		return result;
	/* Or its end would be taken for an unused one (rescue.c). */
	space_write(space, task->proc->pid, at + ISLAND_SIZE - 1, &trap, 1);
	island = own_zalloc(sizeof(*island));
	island->addr = at;
	if (!space->islands.head)
		space->sandbox = proc_status(task->proc->pid, "Seccomp");
	map_put(&space->islands, at, island);
	ensure_catcher(tracer, task);
	return reaches(at, addr) ? 0 : -ENOMEM;
}

static int make(struct tracer *tracer, struct task *task, uint64_t addr, struct brk **ret_brk)
{
	struct space *space = brk_space(task);
	pid_t pid = task->proc->pid;
	struct brk *brk auto_free = own_zalloc(sizeof(*brk));
	uint8_t code[INSN_MAX];
	size_t len;
	int result = read_code(space, pid, addr, code, &len);

	if (result)
		return result;
	brk->addr = addr;
	brk->orig = code[0];
	brk->insn = insn_decode(code, len, addr);
	/* The program's own trap is not ours to answer. */
	if (brk->insn.kind == INSN_BAD || brk->orig == trap)
		return -EOPNOTSUPP;
	if (!is_carried_out(&brk->insn))
		result = displace(space, pid, brk, code);
	/* Once carried out, a thread would stand where the trap leaves it: one byte further. */
	else if (brk->insn.len == 1 && brk->insn.kind == INSN_PLAIN && space->catcher)
		displace(space, pid, brk, code);
	if (!result)
		catcher_add(space, pid, brk, code);
	if (!result)
		result = guard_add(tracer, task, addr, brk->orig);
	if (!result)
		result = space_write(space, pid, addr, &trap, 1);
	if (result)
		return result;
	map_take(&space->ghosts, addr);
	*ret_brk = take_ptr(&brk);
	map_put(&space->brks, addr, *ret_brk);
	return 0;
}

static bool is_planted(struct space *space, pid_t pid, const struct brk *brk)
{
	uint8_t there;

	return !space_read(space, pid, brk->addr, &there, 1) && there == trap;
}

static void forget(struct tracer *tracer, struct task *task, struct brk *brk)
{
	guard_remove(tracer, task, brk->addr);
	map_take(&task->proc->space->brks, brk->addr);
	free(brk);
}

int brk_plant(struct tracer *tracer, struct task *task, uint64_t addr, brk_hit *hit, void *ctx,
	      void *arg)
{
	struct brk *brk = map_get(&brk_space(task)->brks, addr);
	int result;

	if (brk_is_given(task, addr))
		return brk_was_given(task, addr, hit, arg) ? 0 : -EBUSY;
	if (brk_holds(task, addr, 1))
		return -EBUSY;
	/* What it was in is not mapped any more, but something else. */
	if (brk && !is_planted(task->proc->space, task->proc->pid, brk)) {
		forget(tracer, task, brk);
		brk = NULL;
	}
	if (!brk) {
		result = make(tracer, task, addr, &brk);
		if (result)
			return result;
	}
	for (unsigned int i = 0; i < brk->user_count; i++)
		if (brk->users[i].hit == hit && brk->users[i].arg == arg)
			return 0;
	if (brk->user_count == BRK_USERS)
		return -EBUSY;
	brk->users[brk->user_count++] = (struct brk_user){ hit, ctx, arg };
	return 0;
}

bool brk_stands(const struct task *task, uint64_t addr)
{
	const struct space *space = task->proc->space;

	return space && (map_get(&space->brks, addr) || map_get(&space->ghosts, addr));
}

static void restore(struct tracer *tracer, struct task *task, struct space *space, struct brk *brk)
{
	/* Something else may be mapped there by now. */
	if (is_planted(space, task->proc->pid, brk))
		space_write(space, task->proc->pid, brk->addr, &brk->orig, 1);
	map_put(&space->ghosts, brk->addr, space);
	forget(tracer, task, brk);
}

void brk_lift(struct tracer *tracer, struct task *task, uint64_t addr, brk_hit *hit, void *arg)
{
	struct space *space = brk_space(task);
	struct brk *brk = map_get(&space->brks, addr);

	if (!brk)
		return;
	for (unsigned int i = 0; i < brk->user_count; i++)
		if (brk->users[i].hit == hit && brk->users[i].arg == arg)
			brk->users[i--] = brk->users[--brk->user_count];
	if (!brk->user_count)
		restore(tracer, task, space, brk);
}

void brk_lift_all(struct tracer *tracer, struct task *task)
{
	struct space *space = task->proc->space;

	if (!space)
		return;
	MAP_FOR_EACH(node, &space->brks)
		restore(tracer, task, space, map_value(node));
}

static void push(struct task *task, struct regs *regs, uint64_t value)
{
	regs_set_sp(regs, regs_sp(regs) - sizeof(value));
	mem_write(task->tid, regs_sp(regs), &value, sizeof(value));
}

static uint64_t pop(struct task *task, struct regs *regs)
{
	uint64_t value = 0;

	mem_read_all(task->tid, regs_sp(regs), &value, sizeof(value));
	regs_set_sp(regs, regs_sp(regs) + sizeof(value));
	return value;
}

static void compare_stack(struct task *task, struct regs *regs)
{
	uint64_t limit = 0;

	mem_read_all(task->tid, regs_general(regs, 14) + 16, &limit, sizeof(limit));
	regs_set_compared(regs, regs_sp(regs), limit);
}

void brk_carry_out(struct task *task, const struct insn *insn, uint64_t addr, struct regs *regs)
{
	uint64_t next = addr + insn->len, value = regs_general(regs, insn->source);

	if (insn->kind == INSN_RET)
		next = pop(task, regs);
	if (insn->kind == INSN_CALL)
		push(task, regs, next);
	if (insn->kind == INSN_JUMP || insn->kind == INSN_CALL)
		next = insn->target;
	switch (insn->effect) {
	case EFFECT_PUSH:
		push(task, regs, value);
		break;
	case EFFECT_POP:
		value = pop(task, regs);
		regs_set_general(regs, insn->target_reg, value);
		break;
	case EFFECT_ADD_SP:
		regs_set_sp(regs, regs_sp(regs) + (uint64_t)insn->amount);
		break;
	case EFFECT_MOVE:
		regs_set_general(regs, insn->target_reg, insn->narrow ? (uint32_t)value : value);
		break;
	case EFFECT_LEA:
		regs_set_general(regs, insn->target_reg, value + (uint64_t)insn->amount);
		break;
	case EFFECT_CMP_SP:
		compare_stack(task, regs);
		break;
	case EFFECT_ZERO:
		regs_set_general(regs, insn->target_reg, 0);
		regs_set_compared(regs, 0, 0);
		break;
	case EFFECT_LOAD:
		value = 0;
		mem_read_all(task->tid, regs_sp(regs) + (uint64_t)insn->amount, &value,
			     insn->narrow ? 4 : 8);
		regs_set_general(regs, insn->target_reg, value);
		break;
	case EFFECT_NOP:
	case EFFECT_NONE:
		break;
	}
	regs_set_ip(regs, next);
}

/* A SIGTRAP that somebody has sent, at a place where one of ours could have been hit. */
static bool was_sent(const struct task *task)
{
	siginfo_t info;

	return !ptrace(PTRACE_GETSIGINFO, task->tid, 0, &info) && info.si_code <= 0;
}

static void hit(struct task *task, const struct brk *brk, struct regs *regs)
{
	struct brk copy = *brk;

	/* A handler may lift the breakpoint, and plant others. */
	for (unsigned int i = 0; i < copy.user_count; i++)
		copy.users[i].hit(copy.users[i].ctx, task, regs, copy.users[i].arg);
	if (copy.displaced)
		regs_set_ip(regs, copy.displaced);
	else
		brk_carry_out(task, &copy.insn, copy.addr, regs);
}

/* The breakpoint whose trap the thread has just run into, lifted or not, at *ret_addr. */
static bool find_hit(const struct task *task, const struct regs *regs, uint64_t *ret_addr)
{
	const struct space *space = task->proc->space;
	const struct brk *brk;

	*ret_addr = regs_ip(regs) - (task->at_trap ? 0 : 1);
	brk = map_get(&space->brks, *ret_addr);
	if (!brk && !map_get(&space->ghosts, *ret_addr))
		return false;
	/* Nothing but the trap leads into the middle of an instruction. */
	return task->at_trap || (brk && brk->insn.len > 1) || !was_sent(task);
}

void brk_arrived(struct task *task)
{
	struct regs regs;
	uint64_t addr;

	if (!task->proc->space || !task->proc->space->catcher || regs_get(task->tid, &regs) ||
	    !find_hit(task, &regs, &addr))
		return;
	regs_set_ip(&regs, addr);
	task->at_trap = !regs_set(task->tid, &regs);
}

bool brk_handle(struct tracer *tracer, struct task *task)
{
	struct regs regs;
	struct brk *brk;
	uint64_t addr;

	if (!task->proc->space)
		return false;
	if (task->has_seen)
		regs = task->seen;
	else if (regs_get(task->tid, &regs))
		return false;
	if (!find_hit(task, &regs, &addr))
		return false;
	regs_set_ip(&regs, addr);
	brk = map_get(&task->proc->space->brks, addr);
	if (brk)
		hit(task, brk, &regs);
	regs_set(task->tid, &regs);
	catcher_renew(tracer, task);
	return true;
}
