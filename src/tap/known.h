/* System call instructions of files that are mapped in processes. */
#ifndef TAP_KNOWN_H
#define TAP_KNOWN_H

#include "tap/state.h"

struct known_site {
	uint64_t offset; /* from the mapping's beginning */
	int rank;        /* the lower, the more it counts that a jump stands for it */
	bool narrow;     /* a 32-bit call */
	bool maybe;      /* or data */
	bool mask;       /* known_is_mask */
};

/* Of a file, as it is mapped somewhere. */
struct known_code {
	size_t count, cap;
	struct known_site *sites; /* that are wanted, by rank */
	size_t len;
	uint8_t *marks; /* cave_mark_entries; NULL: there are no sites */
};

/* Whose memory is read. */
struct code_reader {
	struct tap *tap;
	pid_t pid;
	struct tapped *tapped; /* with what we have changed in it; NULL: nothing yet */
	struct task *task;     /* … stopped */
};

/* True if calls with that number are to be seen in an attached process. */
bool known_is_wanted(const struct tap *tap, int nr);

/*
 * Not to be seen, but changed by the agent: it makes the call without SIGTRAP in what is blocked (catcher.h).
 */
bool known_is_mask(int nr);

/* Code that has such sites, mapped at `start`. False ends it. */
typedef bool known_found(void *ctx, uint64_t start, const struct known_code *code);

/*
 * Goes through all files that are mapped executable in the process, which may be running. each can be NULL:
 * what is found is only kept. 0, or -errno where the process cannot be looked at.
 */
int known_each(const struct code_reader *reader, known_found *each, void *ctx);

void known_free(struct tap *tap);

#endif
