#include "tap/cave.h"

#include "base/hash.h"
#include "base/own.h"
#include "code/insn.h"

#include <string.h>

#define LENGTH 2 /* of a short jump, and of a system call instruction */

/* Fillings end where the next function, or loop, is aligned to. */
#define BORDER 16

/* The assembler's fillings between functions, longest first. */
static const struct filling {
	uint8_t len;
	uint8_t bytes[11];
} fillings[] = {
	{ 11, { 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 } },
	{ 10, { 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 } },
	{ 9, { 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 } },
	{ 8, { 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 } },
	{ 7, { 0x0f, 0x1f, 0x80, 0, 0, 0, 0 } },
	{ 6, { 0x66, 0x0f, 0x1f, 0x44, 0, 0 } },
	{ 5, { 0x0f, 0x1f, 0x44, 0, 0 } },
	{ 4, { 0x0f, 0x1f, 0x40, 0 } },
	{ 3, { 0x0f, 0x1f, 0 } },
	{ 2, { 0x66, 0x90 } },
	{ 1, { 0x90 } },
	{ 1, { 0xcc } },
};
#define FILLINGS (sizeof(fillings) / sizeof(fillings[0]))

/* Bytes of filling from code on, up to the next border; 0 if it is none. */
static size_t filling_len(const uint8_t *code, size_t len, uint64_t addr)
{
	size_t want = (size_t)(BORDER - addr % BORDER), at = 0, i;

	if (want > len)
		return 0;
	while (at < want) {
		for (i = 0; i < FILLINGS; i++)
			if (fillings[i].len <= want - at &&
			    !memcmp(code + at, fillings[i].bytes, fillings[i].len))
				break;
		/* Any number of operand-size prefixes stands in front of the longest. */
		if (i < FILLINGS)
			at += fillings[i].len;
		else if (code[at] == 0x66)
			at++;
		else
			return 0;
	}
	return at;
}

/* How far back code is read from, and from how many starts. */
#define BACK_MAX 96
#define BACK_MIN 48

/* What an instruction before the cave tells by its first bytes, if it is one. */
static bool may_end(const uint8_t *code, size_t at)
{
	return code[at - 1] == 0xc3 || code[at - 5] == 0xe9 || code[at - 2] == 0xeb;
}

/*
 * The instruction that ends at `at` as read from `start` on. False where that is no code, or where an
 * instruction runs over `at`.
 */
static bool read_up_to(const uint8_t *code, size_t start, size_t at, uint64_t addr,
		       struct insn *ret_last, bool *ret_over)
{
	while (start < at) {
		*ret_last = insn_decode(code + start, at + INSN_MAX - start, addr + start);
		if (ret_last->kind == INSN_BAD)
			return false;
		start += ret_last->len;
	}
	*ret_over = start > at;
	return true;
}

/*
 * Nothing runs into `at`. Where instructions begin is not known, so the code before is read from many
 * starts: readings that begin in the middle of an instruction soon fall in with the true one. All that
 * are code must say that a return, or a jump, stands before `at`: a byte c3 alone can be half of a move.
 */
static bool nothing_runs_into(const uint8_t *code, size_t at, uint64_t addr)
{
	unsigned int votes = 0;

	for (size_t back = BACK_MIN; back <= BACK_MAX; back++) {
		struct insn last = { .kind = INSN_BAD };
		bool over = false;

		if (!read_up_to(code, at - back, at, addr, &last, &over))
			continue;
		if (over || (last.kind != INSN_RET && last.kind != INSN_JUMP))
			return false;
		votes++;
	}
	return votes >= (BACK_MAX - BACK_MIN) / 4;
}

static uint64_t away(uint64_t site, const struct cave *cave)
{
	return cave->addr > site ? cave->addr - site : site - cave->addr;
}

size_t cave_find(const uint8_t code[2 * CAVE_AROUND], uint64_t site,
		 struct cave ret_caves[CAVES_MAX])
{
	const uint64_t addr = site - CAVE_AROUND;
	const size_t first = CAVE_AROUND + LENGTH - 128, last = CAVE_AROUND + LENGTH + 127;
	size_t count = 0, place;

	for (size_t i = first; i <= last && count < CAVES_MAX; i++) {
		struct cave cave = {
			.addr = addr + i,
			.room = filling_len(code + i, 2 * CAVE_AROUND - i, addr + i),
		};

		if (cave.room < CAVE_SIZE || !may_end(code, i) || !nothing_runs_into(code, i, addr))
			continue;
		for (place = count; place && away(site, &ret_caves[place - 1]) > away(site, &cave);
		     place--)
			ret_caves[place] = ret_caves[place - 1];
		ret_caves[place] = cave;
		count++;
	}
	return count;
}

/* What cave_find has said of a site with that code around it. */
struct found {
	uint8_t code[2 * CAVE_AROUND];
	uint64_t site;
	size_t count;
	struct cave caves[CAVES_MAX];
};

static struct found *found_new(const uint8_t code[2 * CAVE_AROUND], uint64_t site)
{
	struct found *found = own_zalloc(sizeof(*found));

	memcpy(found->code, code, sizeof(found->code));
	found->site = site;
	found->count = cave_find(code, site, found->caves);
	return found;
}

size_t caves_find(struct caves *caves, const uint8_t code[2 * CAVE_AROUND], uint64_t site,
		  struct cave ret_caves[CAVES_MAX])
{
	/* Fillings end where addresses say. */
	const uint64_t key = hash_bytes(site % BORDER, code, sizeof(((struct found *)NULL)->code));
	struct found *found = map_get(&caves->by_code, key);

	if (!found) {
		found = found_new(code, site);
		map_put(&caves->by_code, key, found);
	} else if (found->site % BORDER != site % BORDER ||
		   memcmp(found->code, code, sizeof(found->code)) != 0) {
		return cave_find(code, site, ret_caves);
	}
	memcpy(ret_caves, found->caves, sizeof(found->caves));
	for (size_t i = 0; i < found->count; i++)
		ret_caves[i].addr += site - found->site;
	return found->count;
}

void caves_free(struct caves *caves)
{
	map_free(&caves->by_code);
}

static bool leads_into(uint64_t target, uint64_t cave)
{
	return target >= cave && target < cave + CAVE_SIZE;
}

/* Where what could be a branch whose opcode ends in front of byte i would lead. Returns how many. */
static size_t targets_at(const uint8_t *code, size_t len, size_t i, uint64_t addr,
			 uint64_t ret_targets[2])
{
	uint8_t before = code[i - 1];
	/* call, jmp, jcc, xbegin; jmp, jcc, loop and jrcxz. */
	bool is_far = before == 0xe8 || before == 0xe9 ||
		      (i >= 2 && code[i - 2] == 0x0f && (before & 0xf0) == 0x80) ||
		      (i >= 2 && code[i - 2] == 0xc7 && before == 0xf8);
	bool is_near = before == 0xeb || (before & 0xf0) == 0x70 || (before & 0xfc) == 0xe0;
	size_t count = 0;
	int32_t far;

	if (is_near)
		ret_targets[count++] = addr + i + 1 + (uint64_t)(int64_t)(int8_t)code[i];
	if (!is_far || len - i < sizeof(far))
		return count;
	memcpy(&far, code + i, sizeof(far));
	ret_targets[count++] = addr + i + 4 + (uint64_t)(int64_t)far;
	return count;
}

bool cave_is_entered(const uint8_t *code, size_t len, uint64_t addr, uint64_t cave)
{
	uint64_t targets[2];

	for (size_t i = 1; i < len; i++)
		for (size_t count = targets_at(code, len, i, addr, targets); count;)
			if (leads_into(targets[--count], cave))
				return true;
	return false;
}

void cave_mark_entries(const uint8_t *code, size_t len, uint64_t addr, uint8_t *marks)
{
	uint64_t targets[2], offset;

	for (size_t i = 1; i < len; i++)
		for (size_t count = targets_at(code, len, i, addr, targets); count;) {
			offset = targets[--count] - addr;
			if (offset < len)
				marks[offset / 8] |= (uint8_t)(1U << offset % 8);
		}
}

void cave_fill(const struct cave *cave, uint64_t target, uint8_t *ret_code)
{
	int32_t distance = (int32_t)(target - (cave->addr + CAVE_SIZE));

	memset(ret_code, 0xcc, cave->room);
	ret_code[0] = 0xe9;
	memcpy(ret_code + 1, &distance, sizeof(distance));
}

int8_t cave_distance(uint64_t site, const struct cave *cave)
{
	return (int8_t)(cave->addr - (site + LENGTH));
}
