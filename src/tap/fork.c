/* Forked children: they have a copy of the agent and all that it knows, or run in their parent's memory. */
#include "base/own.h"
#include "tap/state.h"
#include "tracer/space_io.h"

#include <sched.h>
#include <string.h>

/* The child has a copy of all, and threads of its own; its control block is told at its first stop. */
static void fork_tapped(struct tap *tap, struct tapped *from, struct proc *child)
{
	struct tapped *tapped = tapped_new(tap, child);

	tapped->ring = from->ring;
	tapped->ring->refs++;
	tapped->ready = true;
	tapped->refused = from->refused;
	tapped->attached = from->attached;
	map_copy(&tapped->fds, &from->fds, 0);
	map_copy(&tapped->gens, &from->gens, 0);
	map_copy(&tapped->sites, &from->sites, 0);
	map_copy(&tapped->stubs, &from->stubs, 0);
	map_copy(&tapped->holes, &from->holes, 0);
	hooks_copy(tapped, from);
	attach_copy(tapped, from);
	MAP_FOR_EACH(node, &from->pages) {
		struct stub_page *page;
		uint8_t there;

		/* Mapped by another thread's stop when the child's memory was copied already. */
		if (space_peek(child, map_key(node), &there, sizeof(there)))
			continue;
		page = own_alloc(sizeof(*page));
		*page = *(struct stub_page *)map_value(node);
		map_put(&tapped->pages, map_key(node), page);
	}
}

/* A thread of the process can be in a call that is making a descriptor, of which the agent has not told yet. */
static bool may_be_changing(const struct proc *proc)
{
	return proc->tasks->next != NULL;
}

/*
 * The child has its parent's memory and descriptors of the moment of the fork, we have the parent's of now.
 * Where they differ, or another thread was making a descriptor, the child's first call on one is traced.
 */
static void settle_states(struct tapped *tapped, bool changing)
{
	uint8_t *there auto_free = own_alloc(2UL * RING_FDS), *known = there + RING_FDS;

	if (space_peek(tapped->proc, RING_FD_STATES, there, RING_FDS))
		return;
	memset(known, RING_FD_UNKNOWN, RING_FDS);
	MAP_FOR_EACH(node, &tapped->fds) {
		uint32_t fd = (uint32_t)map_key(node);
		uint8_t state = (uint8_t)(uintptr_t)map_value(node);

		if (there[fd] == state && !(changing && state == RING_FD_OTHER))
			known[fd] = state;
		else
			map_take(&tapped->fds, fd);
	}
	if (memcmp(there, known, RING_FDS) != 0)
		space_poke(tapped->proc, RING_FD_STATES, known, RING_FDS);
}

static void tell_child(struct tapped *tapped, bool changing)
{
	static const uint64_t none[RING_THREADS];

	settle_states(tapped, changing);
	space_poke(tapped->proc, RING_CONTROL + offsetof(struct ring_control, process),
		   &tapped->number, sizeof(tapped->number));
	space_poke(tapped->proc, RING_CONTROL + offsetof(struct ring_control, threads), none,
		   sizeof(none));
	/* A child of the parent's vfork is none of its own. */
	tapped_write_disabled(tapped);
}

/* Until it executes or ends, a child in the same memory looks to the agent like its parent. */
static void vfork_begin(struct tap *tap, struct tapped *parent, const struct proc *child)
{
	parent->vforks++;
	map_put(&tap->vforked, (uint64_t)child->pid, parent);
	tapped_write_disabled(parent);
}

void tapped_vfork_end(struct tap *tap, const struct proc *child)
{
	struct tapped *parent = map_take(&tap->vforked, (uint64_t)child->pid);

	if (!parent)
		return;
	parent->vforks--;
	tapped_write_disabled(parent);
}

void tap_fork(struct tap *tap, struct task *parent, struct task *child, uint64_t flags)
{
	struct tapped *tapped = tapped_of(tap, parent->proc);

	if (child->proc == parent->proc) {
		if (tapped && tapped->ready)
			thread_expect(tapped, parent, child, flags);
		return;
	}
	if (tapped && tapped->ready && flags & CLONE_VM) {
		vfork_begin(tap, tapped, child->proc);
	} else if (tapped && tapped->ready && !tapped_of(tap, child->proc)) {
		fork_tapped(tap, tapped, child->proc);
		tell_child(tapped_of(tap, child->proc), may_be_changing(parent->proc));
	}
	/* Closes by one change the other's descriptors; the child's copy is told as well. */
	if (flags & CLONE_FILES) {
		tap_refuse(tap, parent->proc);
		tap_refuse(tap, child->proc);
	}
}
