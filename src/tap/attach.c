/*
 * Running programs. They have no filter, as that could not be taken back: the agent stands for it. Each
 * system call instruction in their code that can make a call which is wanted leads to the agent, which lets
 * what nobody wants to see pass, records what it can, and has a breakpoint in front of the rest, for which
 * the tracer sees the call as if a filter had stopped it. So the process need not be stopped at its calls.
 *
 * When it is let go its code is restored while its threads run; each is taken out of the agent at the stop
 * at which it is let go. After a SIGKILL of iotrace the guardian takes the breakpoints out, and all calls pass.
 */
#include "base/maps.h"
#include "base/own.h"
#include "base/proc.h"
#include "tap/agent_blob.h"
#include "tap/cave.h"
#include "tap/known.h"
#include "tap/state.h"
#include "tap/stub.h"
#include "tracer/catcher.h"
#include "tracer/guard.h"
#include "tracer/inject.h"
#include "tracer/space_io.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096UL

#define NOP 0x90

/* What stood in a cave. */
struct filling {
	size_t len;
	uint8_t bytes[CAVE_ROOM_MAX];
};

/* A process whose code is gone through. */
struct going {
	struct code_reader reader;
	const char *why; /* … it cannot be; NULL: all went well so far */
};

static void on_ask(void *ctx, struct task *task, struct regs *regs, void *arg)
{
	(void)ctx;
	(void)regs;
	(void)arg;
	tracer_ask(task);
}

int attach_guard_stub(struct tap *tap, struct task *task, uint64_t stub)
{
	return brk_stand(tap->tracer, task, stub + STUB_UNTRUSTED, NOP, stub + STUB_SYSCALL, on_ask,
			 tap);
}

static int write_numbers(const struct tap *tap, struct tapped *tapped)
{
	uint64_t numbers[RING_NUMBER_MAX / 64] = { 0 };

	for (int nr = 0; nr < RING_NUMBER_MAX; nr++)
		if (known_is_wanted(tap, nr) || known_is_mask(nr))
			numbers[nr / 64] |= 1UL << nr % 64;
	return space_poke(tapped->proc, RING_CONTROL + RING_NUMBERS, numbers, sizeof(numbers));
}

static void change_site(struct going *going, uint64_t addr, const struct known_site *site)
{
	struct tap *tap = going->reader.tap;
	struct tapped *tapped = going->reader.tapped;

	if (map_get(&tapped->sites, addr))
		return;
	if (site->mask) {
		/* What is blocked there catcher_renew puts right, later. */
		if (!site->maybe && !patch_site_jump(tap, tapped, going->reader.task, addr))
			map_put(&tapped->sites, addr, tapped);
		return;
	}
	if (site->narrow)
		going->why = "there are 32-bit system calls in its code";
	else if (site->maybe)
		going->why = "there may be a system call in its code where no table tells";
	else if (patch_site(tap, tapped, going->reader.task, addr))
		going->why = "there is a system call in its code that cannot be changed";
	tap->stats.refused += going->why != NULL;
	if (going->why)
		return;
	tap->stats.sites++;
	map_put(&tapped->sites, addr, tapped);
}

static bool change_code(void *ctx, uint64_t start, const struct known_code *code)
{
	struct going *going = ctx;
	struct tapped *tapped = going->reader.tapped;

	tapped->code = code;
	tapped->code_at = start;
	for (size_t i = 0; i < code->count && !going->why; i++)
		change_site(going, start + code->sites[i].offset, &code->sites[i]);
	tapped->code = NULL;
	return !going->why;
}

static const char *change_all(struct tap *tap, struct tapped *tapped, struct task *task)
{
	struct going going = { .reader = { tap, task->proc->pid, tapped, task } };

	if (known_each(&going.reader, change_code, &going))
		return "its mappings cannot be read";
	return going.why;
}

/* Its own sandbox might end it for calls that we make in it. */
static bool is_sandboxed(pid_t pid)
{
	return proc_status(pid, "Seccomp") != 0;
}

static int begin(struct tap *tap, struct tapped *tapped, struct task *task)
{
	/* For the handler of traps that are hit when we are gone. */
	int result = brk_reserve(tap->tracer, task, RING_TEXT);

	if (!result)
		result = setup_process(tap, tapped, task);
	if (!result)
		result = write_numbers(tap, tapped);
	if (!result)
		result = brk_stand(tap->tracer, task, TAP_WAIT_TRAP_AT, NOP, TAP_WAIT_TRAP_AT + 1,
				   on_ask, tap);
	if (!result)
		tap_start_ticker(tap);
	return result;
}

/* The process's own bytes stand at the site again. */
static void restore_site(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site)
{
	uint8_t now[2];

	/* What it was in can be gone, and something else be mapped there. */
	if (space_peek(tapped->proc, site, now, sizeof(now)))
		return;
	/* A trap: forked in the middle of a change, or one of ours that nobody knows in the child. */
	if (now[0] == 0xcc) {
		space_poke(tapped->proc, site + 1, call_code + 1, 1);
		space_poke(tapped->proc, site, call_code, 1);
	} else if (now[0] == 0xe9 && now[1] == call_code[1]) {
		space_poke(tapped->proc, site, call_code, 1);
	} else if (now[0] == 0xeb && map_get(&tapped->holes, site + 2 + (uint64_t)(int8_t)now[1]) ==
					     (void *)(uintptr_t)site) {
		patch_two_bytes(tap, tapped, task, site, call_code);
	}
	guard_remove_bytes(tap->tracer, task, site, now[0]);
}

static void restore_all(struct tap *tap, struct tapped *tapped, struct task *task)
{
	if (tapped->left)
		return;
	tapped->left = true;
	MAP_FOR_EACH(node, &tapped->stubs)
		restore_site(tap, tapped, task, (uint64_t)(uintptr_t)map_value(node));
}

/*
 * A trap there takes the program's handler away (force_sig of kernel/signal.c), and there is none of ours in its
 * place. Threads in the background that block all signals make few calls that are traced.
 */
static bool blocks_traps(const struct proc *proc)
{
	struct proc_signals signals;

	return !catcher_is_in(proc) && !proc_signals(proc->pid, &signals) &&
	       signals.blocked & PROC_SIGNAL(SIGTRAP);
}

/* There is something where the agent would be. */
static bool is_taken(pid_t pid)
{
	struct maps maps;
	bool taken = false;

	if (maps_read(pid, &maps))
		return false;
	for (size_t i = 0; i < maps.count; i++)
		taken |= maps.items[i].start < RING_DATA + 2 * RING_SIZE &&
			 maps.items[i].end > RING_TEXT;
	maps_done(&maps);
	return taken;
}

/* … whichever of its threads is asked. */
static const char *why_never(pid_t pid)
{
	if (is_sandboxed(pid))
		return "it has a seccomp filter of its own";
	return is_taken(pid) ? "it has mapped something where the agent would be" : NULL;
}

void tap_learn(struct tap *tap, pid_t pid)
{
	const struct code_reader reader = { .tap = tap, .pid = pid };

	/* A large program's code takes seconds, in which nothing of it is seen yet. */
	if (!why_never(pid))
		known_each(&reader, NULL, NULL);
}

/* Why it cannot be; NULL: it can. */
static const char *why_not(struct tap *tap, struct task *task)
{
	struct regs regs;

	if ((task->at != TASK_AT_ANY && task->at != TASK_AT_ENTRY) || tapped_of(tap, task->proc))
		return "no thread of it could be stopped";
	if (regs_get(task->tid, &regs) || regs_abi(&regs) != tap->abi)
		return "it is no 64-bit program";
	if (space_is_shared(task->proc))
		return "it shares its memory with another process";
	return why_never(task->proc->pid);
}

const char *tap_attach(struct tap *tap, struct task *task)
{
	const char *why = why_not(tap, task);
	struct tapped *tapped;

	if (why)
		return why;
	tapped = tapped_new(tap, task->proc);
	tapped->attached = true;
	if (begin(tap, tapped, task)) {
		tapped_refuse(tapped);
		return "the agent cannot be put into it";
	}
	catcher_unmask(task);
	why = blocks_traps(task->proc) ? "it has blocked SIGTRAP" : change_all(tap, tapped, task);
	if (why) {
		restore_all(tap, tapped, task);
		tapped_refuse(tapped);
		return why;
	}
	tracer_trust(task->proc);
	return NULL;
}

bool tap_attach_code(struct tap *tap, struct task *task)
{
	struct tapped *tapped = tapped_of(tap, task->proc);

	if (!tapped || tapped->refused || tapped->left)
		return true;
	return !change_all(tap, tapped, task);
}

void attach_note_cave(struct tapped *tapped, const struct cave *cave)
{
	struct filling *filling = own_alloc(sizeof(*filling));

	filling->len = cave->room;
	if (space_peek(tapped->proc, cave->addr, filling->bytes, cave->room)) {
		free(filling);
		return;
	}
	/* It can be what another one has left. */
	MAP_FOR_EACH(node, &tapped->fillings) {
		const struct filling *other = map_value(node);

		for (size_t i = 0; i < filling->len; i++)
			if (cave->addr + i - map_key(node) < other->len)
				filling->bytes[i] = other->bytes[cave->addr + i - map_key(node)];
	}
	free(map_put(&tapped->fillings, cave->addr, filling));
}

/* When no thread can be there any more. */
static void restore_caves(struct tapped *tapped)
{
	MAP_FOR_EACH(node, &tapped->fillings) {
		const struct filling *filling = map_value(node);
		uint8_t now;

		/* What it was in can be gone, and something else be mapped there. */
		if (!space_peek(tapped->proc, map_key(node), &now, 1) && now == 0xe9)
			space_poke(tapped->proc, map_key(node), filling->bytes, filling->len);
	}
}

void attach_copy(struct tapped *to, const struct tapped *from)
{
	map_copy(&to->fillings, &from->fillings, sizeof(struct filling));
}

void attach_done(struct tapped *tapped)
{
	map_free(&tapped->fillings);
}

/* A child that runs in its parent's memory is in the parent's agent. */
static struct tapped *owner_of(struct tap *tap, const struct proc *proc)
{
	struct tapped *tapped = tapped_of(tap, proc);

	return tapped ? tapped : map_get(&tap->vforked, (uint64_t)proc->pid);
}

void tap_leave(struct tap *tap, struct task *task)
{
	const struct stop stop = { .kind = STOP_EVENT };
	struct tapped *tapped = owner_of(tap, task->proc);

	if (!tapped || !tapped->attached || !tapped->ready)
		return;
	if (tapped->proc == task->proc)
		restore_all(tap, tapped, task);
	pull_out(tap, tapped, task, stop);
	if (tapped->proc == task->proc && task_is_last(task) && !tapped->vforks)
		restore_caves(tapped);
}

static void unmap(struct inject *in, uint64_t addr, uint64_t size)
{
	const uint64_t args[6] = { addr, size };
	int64_t ignored;

	inject_call(in, abi_nr(in->abi, "munmap"), args, &ignored);
}

void tap_left(struct tap *tap, struct task *task)
{
	struct tapped *tapped = tapped_of(tap, task->proc);
	struct inject in;

	if (!tapped || !tapped->attached || !tapped->ready || space_is_shared(task->proc))
		return;
	tap_drain(tap);
	drain_process(tap, tapped);
	if (!inject_begin(&in, tap->tracer, task)) {
		MAP_FOR_EACH(page, &tapped->pages)
			unmap(&in, map_key(page), PAGE_BYTES);
		unmap(&in, RING_DATA, 2UL * RING_SIZE);
		unmap(&in, RING_HEADER, RING_HEADER_SIZE);
		unmap(&in, RING_CONTROL, RING_CONTROL_SIZE);
		unmap(&in, RING_TEXT, RING_TEXT_SIZE);
	}
	inject_end(&in);
	tapped->ready = false;
}
