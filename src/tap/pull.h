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
