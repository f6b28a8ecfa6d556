/*
 * System call instructions in the code of a process, found without running it: what stands between other
 * instructions, not bytes that happen to look so.
 */
#ifndef CODE_CALLSITE_H
#define CODE_CALLSITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct callsite {
	uint64_t addr;
	int nr;      /* the number that is always called there; -1: not known */
	bool narrow; /* int $0x80, as 32-bit programs do */
	bool maybe;  /* where the file's table says nothing of the code, which can be data there */
};

/* A file's code in a process. */
struct callsite_code {
	const uint8_t *bytes;
	size_t len;
	uint64_t addr;
	/*
	 * Address of the file's .eh_frame_hdr in the process (Linux Standard Base, 10.6.2), which tells where
	 * functions begin and end; 0: it has none.
	 */
	uint64_t frames;
	/* Reads the process's memory; false where there is none. */
	bool (*peek)(void *ctx, uint64_t addr, void *data, size_t len);
	void *ctx;
};

/*
 * Calls each(ctx, site) for the system call instructions of the code until it returns false, by rising
 * addresses. Returns false if it was stopped so.
 */
bool callsite_each(const struct callsite_code *code,
		   bool (*each)(void *ctx, const struct callsite *site), void *ctx);

#endif
