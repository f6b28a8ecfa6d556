/*
 * A function's instructions, and where in it a jump can stand that every call meets at its entry, or
 * at one of its returns: instead of one instruction, which then stands elsewhere.
 */
#ifndef CODE_LISTING_H
#define CODE_LISTING_H

#include "code/insn.h"

struct listing;

/* Decodes `len` bytes that stand at addr. NULL where something is no instruction. */
struct listing *listing_read(const uint8_t *code, size_t len, uint64_t addr);
void listing_free(struct listing *listing);

/* One instruction that can be replaced. The flags, and what the agent saves, are all that it may change. */
struct listing_place {
	uint64_t addr;
	struct insn insn;
	/*
	 * Behind the instruction, which is as good as in front when made twice; else in front of it. At an
	 * entry always in front.
	 */
	bool after;
	int32_t below; /* bytes from rsp there up to the return address */
};

#define LISTING_PLACES 8

/*
 * Places where all arguments are still in their registers (Go's too, and the goroutine), the first
 * first. Returns how many.
 */
size_t listing_entry(const struct listing *listing,
		     struct listing_place ret_places[LISTING_PLACES]);

/*
 * Places where the result is in rax and only the return at address `ret` follows, the last first; none
 * of them is one of listing_entry's.
 */
size_t listing_return(const struct listing *listing, uint64_t ret,
		      struct listing_place ret_places[LISTING_PLACES]);

#endif
