/*
 * Changes a site of two bytes, `syscall` (0f 05), so that the agent is entered instead, and leaves what
 * stands behind untouched: threads that are in the kernel, and saved signal frames, come back to it.
 *
 *   pun:   e9 05 | b2 b3 b4     a jump whose distance is made of the program's own next bytes. Only the
 *                               first byte changes, so no thread can meet half of it.
 *   cave:  eb dd | ...          a short jump to five bytes of padding nearby, which hold a long one.
 *          … e9 xx xx xx xx     Two bytes change: a trap stands there in between.
 *
 * Where neither can be had the site stays as it is, and its calls stop; in attached processes, where nothing
 * else would stop them, by a breakpoint.
 */
#include "base/maps.h"
#include "base/own.h"
#include "base/proc.h"
#include "tap/agent_blob.h"
#include "tap/cave.h"
#include "tap/known.h"
#include "tap/pun.h"
#include "tap/state.h"
#include "tap/stub.h"
#include "tracer/guard.h"
#include "tracer/inject.h"
#include "tracer/space_io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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
	/* Or its end would be taken for an unused one (rescue.c), and the page is to go. */
	if (tapped->attached) {
		space_poke(tapped->proc, addr + PAGE - 1, "\xcc", 1);
		page->used[sizeof(page->used) - 1] |= 0x80;
	}
	map_put(&tapped->pages, addr, page);
	return 0;
}

/* The pages of [addr, addr + size) are ours, and nothing stands there. */
static int claim(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t addr,
		 uint64_t size)
{
	int result = map_page(tap, tapped, task, addr & ~(PAGE - 1));

	if (!result)
		result = map_page(tap, tapped, task, (addr + size - 1) & ~(PAGE - 1));
	if (result)
		return result;
	for (uint64_t i = 0; i < size; i++)
		if (is_used(page_of(tapped, addr + i), addr + i))
			return -EBUSY;
	for (uint64_t i = 0; i < size; i++)
		page_of(tapped, addr + i)->used[(addr + i) % PAGE / 8] |=
			(uint8_t)(1U << (addr + i) % 8);
	return 0;
}

static int write_stub(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t addr,
		      uint64_t site)
{
	uint8_t code[STUB_SIZE];
	const uint64_t ret = site + 2, entry = tapped->attached ? TAP_FILTER_AT : TAP_ENTRY_AT;
	int result;

	memcpy(code, stub_code, sizeof(stub_code));
	memcpy(code + STUB_RET, &ret, sizeof(ret));
	memcpy(code + STUB_ENTRY, &entry, sizeof(entry));
	result = space_poke(tapped->proc, addr, code, sizeof(code));
	if (!result && tapped->attached)
		result = attach_guard_stub(tap, task, addr);
	if (!result)
		map_put(&tapped->stubs, addr, (void *)(uintptr_t)site);
	return result;
}

static bool is_user_address(uint64_t addr)
{
	return addr >= 0x10000 && addr < 0x7ffffffff000UL - PAGE;
}

/* proc(5): /proc/PID/stat, counted from the one behind the name. */
#define STAT_START_BRK 44

/* Heaps that grow by brk stay below that. */
#define HEAP_MAX (16UL << 30)

/* Where the heap would grow to: what is mapped there would stop it. */
static bool is_heaps(const struct tapped *tapped, uint64_t addr)
{
	char text[1024], *at;
	uint64_t start;

	if (proc_read(tapped->proc->pid, "stat", text, sizeof(text)) < 0)
		return true;
	at = strrchr(text, ')');
	for (int i = 0; at && i <= STAT_START_BRK; i++)
		at = strchr(at + 1, ' ');
	start = at ? strtoul(at, NULL, 10) : 0;
	return !start || (addr >= start && addr - start < HEAP_MAX);
}

int patch_pun_place(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site,
		    const uint8_t code[PUN_SIZE], uint64_t size, uint64_t *ret_stub)
{
	*ret_stub = pun_target(site, code);
	if (!is_user_address(*ret_stub) || is_heaps(tapped, *ret_stub))
		return -EFAULT;
	return claim(tap, tapped, task, *ret_stub, size);
}

static int patch_pun(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site,
		     const uint8_t code[PUN_SIZE])
{
	const uint8_t jump = 0xe9;
	uint8_t own[PUN_SIZE];
	uint64_t stub;
	int result = hook_code(tapped, task, site, own, sizeof(own));

	/* A breakpoint, or another jump, stands in what would be the distance. */
	if (!result && memcmp(code, own, sizeof(own)) != 0)
		result = -EBUSY;
	if (!result)
		result = patch_pun_place(tap, tapped, task, site, code, STUB_SIZE, &stub);
	if (!result)
		result = write_stub(tap, tapped, task, stub, site);
	if (!result)
		result = guard_add_bytes(tap->tracer, task, site, jump, code, 1);
	if (!result)
		result = space_poke(tapped->proc, site, &jump, 1);
	if (!result)
		brk_hold(task, site, PUN_SIZE);
	return result;
}

/* The mapping that holds addr. */
static bool find_mapping(pid_t pid, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
	const struct mapping *mapping;
	struct maps maps;

	if (maps_read(pid, &maps))
		return false;
	mapping = maps_find(&maps, addr);
	if (mapping) {
		*ret_start = mapping->start;
		*ret_end = mapping->end;
	}
	maps_done(&maps);
	return mapping;
}

#define WINDOW (64U << 10)

/* By what was found in the module once for all its sites. */
static bool is_unmarked(const struct known_code *code, uint64_t offset)
{
	for (uint64_t at = offset; at < offset + CAVE_SIZE; at++)
		if (at < code->len && code->marks[at / 8] & 1U << at % 8)
			return false;
	return true;
}

/* By all of the module's code, which is looked through. */
static bool is_untargeted(struct tapped *tapped, uint64_t hole)
{
	uint8_t *code auto_free = own_alloc(WINDOW);
	uint64_t start, end;
	size_t len;

	if (!find_mapping(tapped->proc->pid, hole, &start, &end))
		return false;
	for (uint64_t at = start; at<end; at += len> 8 ? len - 8 : len) {
		len = end - at < WINDOW ? (size_t)(end - at) : WINDOW;
		if (space_peek(tapped->proc, at, code, len) || cave_is_entered(code, len, at, hole))
			return false;
		if (at + len >= end)
			break;
	}
	return true;
}

/* No direct branch of the module's code leads into the hole. */
static bool is_unreached(struct tapped *tapped, uint64_t hole)
{
	return tapped->code ? is_unmarked(tapped->code, hole - tapped->code_at)
			    : is_untargeted(tapped, hole);
}

/* Distances from the code at which a page for stubs is tried for, in units of 64 MB. */
static const int page_distances[] = { -2, 2, -7, 7, -13, 13, -21, 21, -29, 29 };

static bool reaches(uint64_t from, uint64_t to)
{
	int64_t distance = (int64_t)(to - from);

	return distance > INT32_MIN + 8192L && distance < INT32_MAX - 8192L;
}

static bool free_place(struct tapped *tapped, uint64_t near, uint64_t size, uint64_t *ret_addr)
{
	MAP_FOR_EACH(node, &tapped->pages) {
		const struct stub_page *page = map_value(node);

		if (!reaches(near, page->addr))
			continue;
		for (uint64_t at = page->addr; at + size <= page->addr + PAGE; at += 8) {
			bool taken = false;

			for (uint64_t i = 0; i < size && !taken; i++)
				taken = is_used(page, at + i);
			*ret_addr = at;
			if (!taken)
				return true;
		}
	}
	return false;
}

/* A page that may be free: number 0 and up, to as many as there are distances. */
static uint64_t page_near(uint64_t near, size_t number)
{
	/* Of programs at low addresses, the heap ends at the agent in any case. */
	if (!number)
		return RING_TEXT - PAGE;
	return (near & ~(PAGE - 1)) + (uint64_t)((int64_t)page_distances[number - 1] * (64L << 20));
}

int patch_near_place(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t near,
		     uint64_t size, uint64_t *ret_addr)
{
	int result = -ENOMEM;

	for (size_t i = 0; i <= sizeof(page_distances) / sizeof(page_distances[0]); i++) {
		uint64_t page = page_near(near, i);

		if (free_place(tapped, near, size, ret_addr))
			return claim(tap, tapped, task, *ret_addr, size);
		if (!is_user_address(page) || !reaches(near, page) || (i && is_heaps(tapped, page)))
			continue;
		result = map_page(tap, tapped, task, page);
		if (result && result != -EEXIST)
			return result;
	}
	return free_place(tapped, near, size, ret_addr) ? claim(tap, tapped, task, *ret_addr, size)
							: result;
}

int patch_two_bytes(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site,
		    const uint8_t code[2])
{
	static const uint8_t trap = 0xcc;
	int result = guard_add_bytes(tap->tracer, task, site, trap, call_code, sizeof(call_code));

	if (!result)
		result = space_poke(tapped->proc, site, &trap, 1);
	if (!result)
		result = space_poke(tapped->proc, site + 1, code + 1, 1);
	if (!result)
		result = space_poke(tapped->proc, site, code, 1);
	guard_remove(tap->tracer, task, site);
	return result;
}

/* The code around a site as it was before any was patched. */
static int read_around(struct tapped *tapped, struct task *task, uint64_t site,
		       uint8_t code[2 * CAVE_AROUND])
{
	int result = hook_code(tapped, task, site - CAVE_AROUND, code, 2 * CAVE_AROUND);

	for (size_t i = 0; !result && i < 2 * CAVE_AROUND - 1; i++)
		if (map_get(&tapped->sites, site - CAVE_AROUND + i))
			memcpy(code + i, call_code, sizeof(call_code));
	return result;
}

int patch_cave_place(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site,
		     uint64_t size, struct cave *ret_cave, uint64_t *ret_stub)
{
	uint8_t code[2 * CAVE_AROUND];
	struct cave caves[CAVES_MAX], *cave = caves;
	int result = read_around(tapped, task, site, code);
	size_t count;

	/* Two bytes on two cache lines can be seen one by one. */
	if (result || site % 64 == 63)
		return result ? result : -EXDEV;
	count = caves_find(&tap->caves, code, site, caves);
	while (count &&
	       (brk_holds(task, cave->addr, cave->room) || !is_unreached(tapped, cave->addr))) {
		cave++;
		count--;
	}
	if (!count)
		return -ENOENT;
	*ret_cave = *cave;
	return patch_near_place(tap, tapped, task, cave->addr, size, ret_stub);
}

int patch_fill_cave(struct tapped *tapped, uint64_t site, const struct cave *cave, uint64_t stub)
{
	uint8_t jump[CAVE_ROOM_MAX];

	if (tapped->attached)
		attach_note_cave(tapped, cave);
	cave_fill(cave, stub, jump);
	map_put(&tapped->holes, cave->addr, (void *)(uintptr_t)site);
	return space_poke(tapped->proc, cave->addr, jump, cave->room);
}

static int patch_cave(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site)
{
	uint8_t jump[] = { 0xeb, 0 };
	struct cave cave;
	uint64_t stub;
	int result = patch_cave_place(tap, tapped, task, site, STUB_SIZE, &cave, &stub);

	if (!result)
		result = write_stub(tap, tapped, task, stub, site);
	if (!result)
		result = patch_fill_cave(tapped, site, &cave, stub);
	if (result)
		return result;
	/* From here on a trap at the site is ours: pull.c. */
	map_put(&tapped->sites, site, tapped);
	jump[1] = (uint8_t)cave_distance(site, &cave);
	if (!brk_catch(task, site, stub))
		return -ENOSPC;
	result = guard_add_bytes(tap->tracer, task, site, jump[0], call_code, sizeof(call_code));
	return result ? result : patch_two_bytes(tap, tapped, task, site, jump);
}

/* A breakpoint, from which the thread goes on at the stub: one stop a call. */
static int patch_trap(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site)
{
	uint64_t stub;
	int result = patch_near_place(tap, tapped, task, site, STUB_SIZE, &stub);

	if (!result)
		result = write_stub(tap, tapped, task, stub, site);
	return result ? result : brk_stand(tap->tracer, task, site, call_code[0], stub, NULL, NULL);
}

/* What stands at the site; 0, or -errno where it cannot be changed by any means. */
static int look_at_site(const struct tapped *tapped, struct task *task, uint64_t site,
			uint8_t ret_code[PUN_SIZE])
{
	int result = space_peek(tapped->proc, site, ret_code, PUN_SIZE);

	if (result)
		return result;
	if (memcmp(ret_code, call_code, sizeof(call_code)) != 0)
		return -EINVAL;
	/* Another jump's distance is made of these bytes. */
	return brk_holds(task, site, 2) ? -EBUSY : 0;
}

static int patch_jump(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site,
		      const uint8_t code[PUN_SIZE])
{
	return patch_pun(tap, tapped, task, site, code) ? patch_cave(tap, tapped, task, site) : 0;
}

int patch_site_jump(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site)
{
	uint8_t code[PUN_SIZE];
	int result = look_at_site(tapped, task, site, code);

	return result ? result : patch_jump(tap, tapped, task, site, code);
}

int patch_site(struct tap *tap, struct tapped *tapped, struct task *task, uint64_t site)
{
	uint8_t code[PUN_SIZE];
	int result = look_at_site(tapped, task, site, code);

	if (result)
		return result;
	result = patch_jump(tap, tapped, task, site, code);
	return result && tapped->attached ? patch_trap(tap, tapped, task, site) : result;
}
