/*
 * The agent knows threads by their fs base, in a table in the process. A thread that is not in it
 * makes traced calls.
 */
#include "abi/regs.h"
#include "tap/state.h"
#include "tracer/mem.h"
#include "tracer/space_io.h"

#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>

static uint64_t slot_addr(uint32_t slot)
{
	return RING_CONTROL + offsetof(struct ring_control, threads) +
	       (slot % RING_THREADS) * sizeof(uint64_t);
}

/* The slot of a key, or a free one where it can be put; false where there is neither. */
static bool find_slot(struct tapped *tapped, uint64_t key, bool want_free, uint64_t *ret_addr)
{
	uint64_t there, addr;

	for (uint32_t i = 0; i < RING_THREAD_PROBES; i++) {
		addr = slot_addr(ring_thread_slot(key) + i);
		if (space_peek(tapped->proc, addr, &there, sizeof(there)))
			return false;
		if (there == key || (want_free && there <= RING_NO_THREAD)) {
			*ret_addr = addr;
			return true;
		}
	}
	return false;
}

static void put_key(struct tapped *tapped, struct task *task, uint64_t key)
{
	uint64_t addr;

	if (key <= RING_NO_THREAD || map_get(&tapped->threads, key) ||
	    !find_slot(tapped, key, true, &addr) ||
	    space_poke(tapped->proc, addr, &key, sizeof(key)))
		return;
	map_put(&tapped->threads, key, task);
	map_put(&tapped->keys, (uint64_t)task->tid, (void *)(uintptr_t)key);
}

void thread_register(struct tapped *tapped, struct task *task)
{
	uint64_t known = (uint64_t)(uintptr_t)map_get(&tapped->keys, (uint64_t)task->tid);
	uint64_t key;
	struct regs regs;

	if (regs_get(task->tid, &regs))
		return;
	key = regs_thread_base(&regs);
	if (known == key)
		return;
	/* arch_prctl(2), ARCH_SET_FS. */
	if (known)
		thread_forget(tapped, task->tid, true);
	put_key(tapped, task, key);
}

/* Of struct clone_args (linux/sched.h). */
#define CLONE_ARGS_TLS 56

/* The argument of clone(2), or clone3's, that becomes the fs base with CLONE_SETTLS; 0: there is none. */
static uint64_t new_base(const struct task *parent, uint64_t flags)
{
	struct regs regs;
	uint64_t base = 0;

	if (!(flags & CLONE_SETTLS) || regs_get(parent->tid, &regs))
		return 0;
	if (regs_call_nr(&regs) == SYS_clone)
		return regs_call_arg(&regs, 4);
	if (regs_call_nr(&regs) == SYS_clone3)
		mem_read_all(parent->tid, regs_call_arg(&regs, 0) + CLONE_ARGS_TLS, &base,
			     sizeof(base));
	return base;
}

void thread_expect(struct tapped *tapped, const struct task *parent, struct task *child,
		   uint64_t flags)
{
	/* Half of the table is for those that make calls which are recorded. */
	if (map_count(&tapped->threads) < RING_THREADS / 2)
		put_key(tapped, child, new_base(parent, flags));
}

void thread_forget(struct tapped *tapped, pid_t tid, bool alive)
{
	/* A search must go on behind it. */
	const uint64_t was_used = RING_NO_THREAD;
	uint64_t key = (uint64_t)(uintptr_t)map_take(&tapped->keys, (uint64_t)tid), addr;

	if (!key)
		return;
	map_take(&tapped->threads, key);
	if (alive && find_slot(tapped, key, false, &addr))
		space_poke(tapped->proc, addr, &was_used, sizeof(was_used));
}
