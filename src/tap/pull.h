/* What pulling threads out of the agent needs, at calls and at probed functions. */
#ifndef TAP_PULL_H
#define TAP_PULL_H

#include "abi/regs.h"
#include "tap/state.h"

struct pull {
	struct tap *tap;
	struct tapped *tapped;
	struct task *task;
	struct regs regs;
	struct user_regs_struct *user;
	uint64_t site;
	uint64_t stub;
	bool dying;   /* nobody will go on */
	bool fault;   /* of the agent's own: its call is left to the tracer */
	bool refused; /* the call was trapped by a filter of the program's */
};

/* Writes the registers, unless the thread is about to end. */
bool pull_finish(struct pull *pull);
/* How far above the stack pointer a frame can be: the agent's own stack. */
#define PULL_SEARCH_MAX 1024
/*
 * Where a frame stands whose first word is magic xor its own address: in `len` bytes (a multiple of 64)
 * from the stack pointer on.
 */
bool pull_find_magic(const struct pull *pull, uint64_t magic, size_t len, uint64_t *ret_addr);
/* The arguments' registers, and those that a called function keeps, as they were at the entry. */
void pull_restore(const struct pull *pull, const struct ring_frame *frame);
/* What is in registers only, between a change of a shared counter and its note in the frame. */
void pull_complete(const struct pull *pull, struct ring_frame *frame);
/* A record that was being written is there, or its place is skipped; credit that is left goes back. */
void pull_settle(const struct pull *pull, struct ring_frame *frame);

/*
 * hook_pull.c: the thread is in the agent, called from a probed function, or in a stub of such a place.
 * False: it is not.
 */
bool pull_from_hook(struct pull *pull);

#endif
