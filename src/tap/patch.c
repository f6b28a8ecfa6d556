/*
 * Changes a site of two bytes, `syscall` (0f 05), so that the agent is entered instead, and leaves what
 * stands behind untouched: threads that are in the kernel, and saved signal frames, come back to it.
 *
 *   pun:   e9 05 | b2 b3 b4     a jump whose distance is made of the program's own next bytes. Only the
 *                               first byte changes, so no thread can meet half of it.
 *   cave:  eb dd | ...          a short jump to five bytes of padding nearby, which hold a long one.
 *          … e9 xx xx xx xx     Two bytes change: a trap stands there in between.
 *
 * Where neither can be had the site stays as it is, and its calls stop.
 */
#include "base/own.h"
#include "base/proc.h"
#include "tap/agent_blob.h"
#include "tap/state.h"
#include "tracer/inject.h"
#include "tracer/space_io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096UL

static struct stub_page *page_of(struct tapped *tapped, uint64_t addr)
{
	return map_get(&tapped->pages, addr & ~(PAGE - 1));
}

static bool is_used(const struct stub_page *page, uint64_t addr)
{
	return page->used[addr % PAGE / 8] & 1U << addr % 8;
}

static int map_page(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t addr)
{
	const uint64_t args[6] = { addr, PAGE, PROT_READ | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
				   (uint64_t)-1 };
	struct stub_page *page;
	struct inject in;
	int64_t got = -EIO;
	int result, ended;

	if (page_of(tapped, addr))
		return 0;
	result = inject_begin(&in, tap->tracer, task);
	if (!result)
		result = inject_call(&in, abi_nr(in.abi, "mmap"), args, &got);
	ended = inject_end(&in);
	if (result || ended)
		return result ? result : ended;
	if ((uint64_t)got != addr)
		return got < 0 && got > -4096 ? (int)got : -EEXIST;
	page = own_zalloc(sizeof(*page));
	page->addr = addr;
	map_put(&tapped->pages, addr, page);
	return 0;
}

/* The pages of [addr, addr + STUB_SIZE) are ours, and nothing stands there. */
static int claim(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t addr)
{
	int result = map_page(tap, tapped, task, addr & ~(PAGE - 1));

	if (!result)
		result = map_page(tap, tapped, task, (addr + STUB_SIZE - 1) & ~(PAGE - 1));
	if (result)
		return result;
	for (uint64_t i = 0; i < STUB_SIZE; i++)
		if (is_used(page_of(tapped, addr + i), addr + i))
			return -EBUSY;
	for (uint64_t i = 0; i < STUB_SIZE; i++)
		page_of(tapped, addr + i)->used[(addr + i) % PAGE / 8] |=
			(uint8_t)(1U << (addr + i) % 8);
	return 0;
}

/*
 *   0: lea -7(%rip), %rcx        the stub itself
 *   7: jmp *(entry)              by the absolute address at 32
 *  13: syscall                   a traced call
 *  15: jmp *(ret)
 *  24: the address behind the site
 *  32: the agent's entry
 */
static int write_stub(struct tapped *tapped, uint64_t addr, uint64_t site)
{
	uint8_t code[STUB_SIZE] = { 0x48, 0x8d, 0x0d, 0xf9, 0xff, 0xff, 0xff, /* lea */
				    0xff, 0x25, 0x13, 0x00, 0x00, 0x00,       /* jmp *32 */
				    0x0f, 0x05,                               /* syscall */
				    0xff, 0x25, 0x03, 0x00, 0x00, 0x00,       /* jmp *24 */
				    0xcc, 0xcc, 0xcc };
	const uint64_t ret = site + 2, entry = TAP_ENTRY_AT;
	int result;

	memcpy(code + STUB_RET, &ret, sizeof(ret));
	memcpy(code + STUB_RET + 8, &entry, sizeof(entry));
	result = space_poke(tapped->proc, addr, code, sizeof(code));
	if (!result)
		map_put(&tapped->stubs, addr, (void *)(uintptr_t)site);
	return result;
}

static bool is_user_address(uint64_t addr)
{
	return addr >= 0x10000 && addr < 0x7ffffffff000UL - PAGE;
}

static int patch_pun(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site,
		     const uint8_t code[5])
{
	const uint8_t jump = 0xe9;
	uint64_t target;
	int32_t distance;
	int result;

	memcpy(&distance, code + 1, sizeof(distance));
	target = site + 5 + (uint64_t)(int64_t)distance;
	if (!is_user_address(target))
		return -EFAULT;
	result = claim(tap, tapped, task, target);
	if (!result)
		result = write_stub(tapped, target, site);
	return result ? result : space_poke(tapped->proc, site, &jump, 1);
}

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

/* Bytes of filling from `at` on, up to the next 16-byte border of the address; 0 if it is none. */
static size_t filling_len(const uint8_t *code, size_t len, uint64_t addr)
{
	size_t want = (size_t)(16 - addr % 16), at = 0, i;

	if (want > len)
		return 0;
	while (at < want) {
		/* gas puts any number of operand-size prefixes in front of the longest. */
		for (i = 0; i < sizeof(fillings) / sizeof(fillings[0]); i++)
			if (fillings[i].len <= want - at &&
			    !memcmp(code + at, fillings[i].bytes, fillings[i].len))
				break;
		if (i < sizeof(fillings) / sizeof(fillings[0]))
			at += fillings[i].len;
		else if (code[at] == 0x66)
			at++;
		else
			return 0;
	}
	return at;
}

#define HOLE 5

/* How far around the site is looked at: what a short jump reaches, and the instruction before. */
#define AROUND 160

/*
 * A hole: filling behind a return (c3) or a jump (e9, eb), so that nothing runs into it. Its offset in
 * code, or 0.
 */
static size_t find_hole(const uint8_t *code, size_t len, uint64_t addr, uint64_t site, size_t from)
{
	for (size_t i = from; i + HOLE < len; i++) {
		int64_t distance = (int64_t)(addr + i - (site + 2));
		bool ends = code[i - 1] == 0xc3 || (i >= 5 && code[i - 5] == 0xe9) ||
			    (i >= 2 && code[i - 2] == 0xeb);

		if (!ends || distance < INT8_MIN || distance > INT8_MAX)
			continue;
		if (filling_len(code + i, len - i, addr + i) >= HOLE)
			return i;
	}
	return 0;
}

static bool leads_into(uint64_t target, uint64_t hole)
{
	return target >= hole && target < hole + HOLE;
}

/* A byte pattern anywhere in a piece of code that would be a branch into the hole. */
static bool has_branch(const uint8_t *code, size_t len, uint64_t addr, uint64_t hole)
{
	int32_t far;

	for (size_t i = 1; i + sizeof(far) <= len; i++) {
		bool is_far = code[i - 1] == 0xe8 || code[i - 1] == 0xe9 ||
			      (i >= 2 && code[i - 2] == 0x0f && (code[i - 1] & 0xf0) == 0x80);
		bool is_near = code[i - 1] == 0xeb || (code[i - 1] & 0xf0) == 0x70 ||
			       (code[i - 1] & 0xfc) == 0xe0;

		memcpy(&far, code + i, sizeof(far));
		if (is_far && leads_into(addr + i + 4 + (uint64_t)(int64_t)far, hole))
			return true;
		if (is_near && leads_into(addr + i + 1 + (uint64_t)(int64_t)(int8_t)code[i], hole))
			return true;
	}
	return false;
}

/* The mapping that holds addr. */
static bool find_mapping(pid_t pid, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
	char *maps auto_free = own_alloc(4U << 20), *save = NULL;

	if (proc_read(pid, "maps", maps, 4U << 20) <= 0)
		return false;
	for (char *line = strtok_r(maps, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%lx-%lx", ret_start, ret_end) == 2 && addr >= *ret_start &&
		    addr < *ret_end)
			return true;
	return false;
}

#define WINDOW (64U << 10)

/* No direct branch of the module's code leads into the hole: all of it is looked through. */
static bool is_unreached(struct tapped *tapped, uint64_t hole)
{
	uint8_t *code auto_free = own_alloc(WINDOW);
	uint64_t start, end;
	size_t len;

	if (!find_mapping(tapped->proc->pid, hole, &start, &end))
		return false;
	for (uint64_t at = start; at<end; at += len> 8 ? len - 8 : len) {
		len = end - at < WINDOW ? (size_t)(end - at) : WINDOW;
		if (space_peek(tapped->proc, at, code, len) || has_branch(code, len, at, hole))
			return false;
		if (at + len >= end)
			break;
	}
	return true;
}

/* Distances from the code at which a page for stubs is tried for, in units of 64 MB. */
static const int page_distances[] = { -2, 2, -7, 7, -13, 13, -21, 21, -29, 29 };

static bool reaches(uint64_t from, uint64_t to)
{
	int64_t distance = (int64_t)(to - from);

	return distance > INT32_MIN + 8192L && distance < INT32_MAX - 8192L;
}

static bool free_place(struct tapped *tapped, uint64_t near, uint64_t *ret_addr)
{
	MAP_FOR_EACH(node, &tapped->pages) {
		const struct stub_page *page = map_value(node);

		if (!reaches(near, page->addr))
			continue;
		for (uint64_t at = page->addr; at + STUB_SIZE <= page->addr + PAGE; at += 8) {
			bool taken = false;

			for (uint64_t i = 0; i < STUB_SIZE && !taken; i++)
				taken = is_used(page, at + i);
			*ret_addr = at;
			if (!taken)
				return true;
		}
	}
	return false;
}

/* A place for a stub that a long jump reaches. */
static int find_place(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t near,
		      uint64_t *ret_addr)
{
	int result = -ENOMEM;

	for (size_t i = 0; i < sizeof(page_distances) / sizeof(page_distances[0]); i++) {
		uint64_t page =
			(near & ~(PAGE - 1)) + (uint64_t)((int64_t)page_distances[i] * (64L << 20));

		if (free_place(tapped, near, ret_addr))
			return claim(tap, tapped, task, *ret_addr);
		if (!is_user_address(page))
			continue;
		result = map_page(tap, tapped, task, page);
		if (result && result != -EEXIST)
			return result;
	}
	return free_place(tapped, near, ret_addr) ? claim(tap, tapped, task, *ret_addr) : result;
}

/* Through a trap, so that nobody meets one new byte and one old one. */
static int write_short_jump(struct tapped *tapped, uint64_t site, int8_t distance)
{
	const uint8_t trap = 0xcc, jump = 0xeb;
	int result;

	/* Two bytes on two cache lines can be seen one by one. */
	if (site % 64 == 63)
		return -EXDEV;
	result = space_poke(tapped->proc, site, &trap, 1);
	if (!result)
		result = space_poke(tapped->proc, site + 1, &distance, 1);
	if (!result)
		result = space_poke(tapped->proc, site, &jump, 1);
	return result;
}

static int patch_cave(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site)
{
	uint8_t code[2 * AROUND], jump[HOLE] = { 0xe9 };
	uint64_t start = site - AROUND, stub, hole;
	size_t offset = AROUND - 128;
	int32_t distance;
	int result = space_peek(tapped->proc, start, code, sizeof(code));

	if (result)
		return result;
	do {
		offset = find_hole(code, sizeof(code), start, site, offset + 1);
		if (!offset)
			return -ENOENT;
	} while (!is_unreached(tapped, start + offset));
	hole = start + offset;
	result = find_place(tap, tapped, task, hole, &stub);
	if (!result)
		result = write_stub(tapped, stub, site);
	if (result)
		return result;
	distance = (int32_t)(stub - (hole + HOLE));
	memcpy(jump + 1, &distance, sizeof(distance));
	map_put(&tapped->holes, hole, (void *)(uintptr_t)site);
	result = space_poke(tapped->proc, hole, jump, sizeof(jump));
	/* From here on a trap at the site is ours: pull.c. */
	map_put(&tapped->sites, site, tapped);
	return result ? result : write_short_jump(tapped, site, (int8_t)(hole - (site + 2)));
}

int patch_site(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site)
{
	uint8_t code[5];
	int result = space_peek(tapped->proc, site, code, sizeof(code));

	if (result)
		return result;
	if (code[0] != 0x0f || code[1] != 0x05)
		return -EINVAL;
	result = patch_pun(tap, tapped, task, site, code);
	return result ? patch_cave(tap, tapped, task, site) : 0;
}
