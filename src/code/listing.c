#include "code/listing.h"

#include "base/own.h"

#include <string.h>

#define RAX (1U << 0)
#define RSP (1U << 4)

/* rdi, rsi, rdx, rcx, r8, r9: System V ABI, 3.2.3; and Go's rax, rbx, r10, r11, r14: abi-internal.md. */
#define ARGUMENTS                                                                               \
	(1U << 7 | 1U << 6 | 1U << 2 | 1U << 1 | 1U << 8 | 1U << 9 | RAX | 1U << 3 | 1U << 10 | \
	 1U << 11 | 1U << 14)

struct line {
	uint64_t addr;
	struct insn insn;
	bool is_target; /* a branch of the function's own leads here */
};

struct listing {
	struct line *lines;
	size_t count, room;
	bool computed; /* jumps of its own may lead anywhere */
};

static bool add_line(void *ctx, size_t offset, const struct insn *insn)
{
	struct listing *listing = ctx;

	if (listing->count == listing->room) {
		listing->room = listing->room ? listing->room * 2 : 64;
		listing->lines =
			own_realloc(listing->lines, listing->room * sizeof(*listing->lines));
	}
	/* The address is completed by listing_read. */
	listing->lines[listing->count++] = (struct line){ offset, *insn, false };
	return true;
}

static struct line *find_line(const struct listing *listing, uint64_t addr)
{
	size_t low = 0, high = listing->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (listing->lines[middle].addr == addr)
			return &listing->lines[middle];
		if (listing->lines[middle].addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void mark_targets(struct listing *listing)
{
	struct line *target;

	for (size_t i = 0; i < listing->count; i++) {
		const struct insn *insn = &listing->lines[i].insn;

		listing->computed = listing->computed || insn->computed;
		if (insn->kind != INSN_JUMP && insn->kind != INSN_BRANCH && insn->kind != INSN_CALL)
			continue;
		target = find_line(listing, insn->target);
		if (target)
			target->is_target = true;
	}
}

struct listing *listing_read(const uint8_t *code, size_t len, uint64_t addr)
{
	struct listing *listing = own_zalloc(sizeof(*listing));

	if (!insn_each(code, len, addr, add_line, listing)) {
		listing_free(listing);
		return NULL;
	}
	for (size_t i = 0; i < listing->count; i++)
		listing->lines[i].addr += addr;
	mark_targets(listing);
	return listing;
}

void listing_free(struct listing *listing)
{
	if (!listing)
		return;
	free(listing->lines);
	free(listing);
}

static bool can_be_moved(const struct insn *insn)
{
	return insn->kind == INSN_PLAIN || insn->kind == INSN_RIP;
}

/* By how much rsp grows. False where nobody knows. */
static bool moves_sp(const struct insn *insn, int64_t *ret_by)
{
	*ret_by = 0;
	/* What a return takes is what `below` leads to. */
	if (insn->kind == INSN_RET)
		return true;
	if (insn->effect == EFFECT_PUSH)
		*ret_by = -8;
	else if (insn->effect == EFFECT_POP && insn->target_reg != 4)
		*ret_by = 8;
	else if (insn->effect == EFFECT_ADD_SP)
		*ret_by = insn->amount;
	else
		return !(insn->writes & RSP);
	return true;
}

/*
 * Go looks first whether the stack has room: a comparison and a branch to where it grows, from where
 * it begins anew. Returns how many lines that are, from `at` on; 0: it is something else.
 */
static size_t stack_check(const struct listing *listing, size_t at)
{
	const struct line *lines = listing->lines + at;

	if (at + 2 > listing->count || lines[0].insn.effect != EFFECT_CMP_SP ||
	    lines[1].insn.kind != INSN_BRANCH || lines[1].is_target)
		return 0;
	return 2;
}

size_t listing_entry(const struct listing *listing, struct listing_place ret_places[LISTING_PLACES])
{
	int64_t below = 0, by;
	size_t count = 0, skip;

	for (size_t i = 0; i < listing->count && count < LISTING_PLACES; i++) {
		const struct line *line = &listing->lines[i];

		/* The first can be one: then a call begins anew. */
		if (!can_be_moved(&line->insn) || (i && line->is_target))
			break;
		ret_places[count++] = (struct listing_place){ .addr = line->addr,
							      .insn = line->insn,
							      .below = (int32_t)below };
		skip = stack_check(listing, i);
		if (skip) {
			i += skip - 1;
			continue;
		}
		/* Somebody may look at the flags behind it, or want the argument that is gone. */
		if ((line->insn.sets_flags && line->insn.effect != EFFECT_ADD_SP) ||
		    line->insn.writes & ARGUMENTS || !moves_sp(&line->insn, &by))
			break;
		below -= by;
	}
	return count;
}

/* Made a second time it does nothing else, whatever stood in its target. */
static bool can_be_repeated(const struct insn *insn)
{
	switch (insn->effect) {
	case EFFECT_ZERO:
	case EFFECT_LOAD:
	case EFFECT_NOP:
		return !(insn->writes & RSP);
	case EFFECT_MOVE:
	case EFFECT_LEA:
		return insn->source != insn->target_reg && !(insn->writes & RSP);
	default:
		return false;
	}
}

/* Of a function that is hardly more than its entry: there the entry's jump goes first. */
static bool is_at_entry(const struct listing *listing, const struct line *line)
{
	struct listing_place places[LISTING_PLACES];
	size_t count = listing_entry(listing, places);

	return count && line->addr <= places[count - 1].addr;
}

size_t listing_return(const struct listing *listing, uint64_t ret,
		      struct listing_place ret_places[LISTING_PLACES])
{
	const struct line *line = find_line(listing, ret);
	int64_t below = 0, by;
	size_t count = 0;

	if (!line || line->insn.kind != INSN_RET)
		return 0;
	for (;; line--) {
		struct listing_place place = { .addr = line->addr,
					       .insn = line->insn,
					       .after = can_be_repeated(&line->insn) };

		if (!moves_sp(&line->insn, &by) || (line->insn.writes & RAX && !place.after))
			break;
		place.below = (int32_t)(place.after ? below : below + by);
		ret_places[count++] = place;
		below += by;
		/* What is in front does not see all ways to the return, or not the result. */
		if (count == LISTING_PLACES || line == listing->lines || line->is_target ||
		    line->insn.writes & RAX || listing->computed || is_at_entry(listing, line - 1))
			break;
		if (line[-1].insn.effect == EFFECT_NONE || line[-1].insn.effect == EFFECT_PUSH ||
		    line[-1].insn.effect == EFFECT_CMP_SP)
			break;
	}
	return count;
}
