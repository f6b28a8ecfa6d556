/*
 * What is known of the code of files: the system call instructions in it that are wanted, and where branches
 * lead. It is read from a process that has the file mapped, and kept for others.
 */
#include "tap/known.h"

#include "base/hash.h"
#include "base/maps.h"
#include "base/own.h"
#include "code/callsite.h"
#include "tracer/mem.h"
#include "tracer/tracer.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define PAGE_BYTES 4096UL

/* Larger code than this is not read. */
#define CODE_MAX (1UL << 30)

/*
 * Threads are made with all signals blocked (glibc, Go), where a trap would take the program's handler away
 * (force_sig of kernel/signal.c); and who asks not to be traced has no filter of ours to live with.
 */
bool known_is_wanted(const struct tap *tap, int nr)
{
	const struct sys_row *row = abi_row(tap->abi, (uint64_t)nr);

	return row && row->op != OP_CLONE && tracer_wants(tap->tracer, row);
}

bool known_is_mask(int nr)
{
	return nr == SYS_rt_sigprocmask;
}

/* One that is being read. */
struct learning {
	const struct code_reader *reader;
	struct known_code *code;
	uint64_t start;
};

/* Without what breakpoints have changed. */
static bool read_code(const struct code_reader *reader, uint64_t addr, void *data, size_t len)
{
	if (reader->tapped)
		return !hook_code(reader->tapped, reader->task, addr, data, len);
	return !mem_read_all(reader->pid, addr, data, len);
}

static bool peek(void *ctx, uint64_t addr, void *data, size_t len)
{
	const struct learning *learning = ctx;

	return read_code(learning->reader, addr, data, len);
}

/* Of the file that is mapped from base on (elf(5)); 0: it has none. */
static uint64_t find_frames(const struct code_reader *reader, uint64_t base)
{
	uint64_t first = 0, frames = 0;
	bool any = false;
	Elf64_Ehdr head;
	Elf64_Phdr segment;

	if (!read_code(reader, base, &head, sizeof(head)) ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_phentsize != sizeof(segment))
		return 0;
	for (unsigned int i = 0; i < head.e_phnum; i++) {
		if (!read_code(reader, base + head.e_phoff + i * sizeof(segment), &segment,
			       sizeof(segment)))
			return 0;
		if (segment.p_type == PT_LOAD && !any) {
			first = segment.p_vaddr & ~(PAGE_BYTES - 1);
			any = true;
		}
		if (segment.p_type == PT_GNU_EH_FRAME)
			frames = segment.p_vaddr;
	}
	return frames ? base - first + frames : 0;
}

/* There are not caves for all: first the calls that servers make most. */
static int rank_of(const struct sys_row *row)
{
	static const char *const first[] = { "read",     "write",   "writev", "sendto",
					     "recvfrom", "sendmsg", "recvmsg" };

	for (size_t i = 0; row && i < sizeof(first) / sizeof(first[0]); i++)
		if (!strcmp(row->name, first[i]))
			return 0;
	return !row || row->op == OP_DATA ? 1 : 2;
}

static bool note_site(void *ctx, const struct callsite *site)
{
	struct learning *learning = ctx;
	struct known_code *code = learning->code;
	const struct abi *abi = learning->reader->tap->abi;

	bool mask = known_is_mask(site->nr);

	if (site->nr >= 0 && !site->narrow && !mask &&
	    !known_is_wanted(learning->reader->tap, site->nr))
		return true;
	if (code->count == code->cap) {
		code->cap = code->cap ? 2 * code->cap : 64;
		code->sites = own_realloc(code->sites, code->cap * sizeof(*code->sites));
	}
	code->sites[code->count++] = (struct known_site){
		.offset = site->addr - learning->start,
		.rank = rank_of(site->nr < 0 ? NULL : abi_row(abi, (uint64_t)site->nr)),
		.narrow = site->narrow,
		.maybe = site->maybe,
		.mask = mask,
	};
	return true;
}

static int compare_sites(const void *a, const void *b)
{
	const struct known_site *one = a, *other = b;

	if (one->rank != other->rank)
		return one->rank - other->rank;
	return one->offset < other->offset ? -1 : one->offset > other->offset;
}

static struct known_code *learn(const struct code_reader *reader, const struct mapping *mapping,
				uint64_t base)
{
	const size_t len = mapping->end - mapping->start;
	uint8_t *bytes auto_free = own_alloc(len);
	struct learning learning = { .reader = reader, .start = mapping->start };
	const struct callsite_code in = { .bytes = bytes,
					  .len = len,
					  .addr = mapping->start,
					  .frames = find_frames(reader, base),
					  .peek = peek,
					  .ctx = &learning };
	struct known_code *code;

	if (!read_code(reader, mapping->start, bytes, len))
		return NULL;
	learning.code = code = own_zalloc(sizeof(*code));
	code->len = len;
	callsite_each(&in, note_site, &learning);
	if (code->count) {
		qsort(code->sites, code->count, sizeof(*code->sites), compare_sites);
		code->marks = own_zalloc(len / 8 + 1);
		cave_mark_entries(bytes, len, mapping->start, code->marks);
	}
	return code;
}

/* The same file, as far as one can tell. */
static uint64_t key_of(const struct mapping *mapping)
{
	const uint64_t numbers[] = { mapping->device, mapping->inode, mapping->offset,
				     mapping->end - mapping->start };

	return hash_bytes(hash_bytes(0, numbers, sizeof(numbers)), mapping->path,
			  strlen(mapping->path));
}

static const struct known_code *know(const struct code_reader *reader,
				     const struct mapping *mapping, uint64_t base)
{
	const uint64_t key = key_of(mapping);
	struct known_code *code = map_get(&reader->tap->codes, key);

	if (code || mapping->end - mapping->start > CODE_MAX)
		return code;
	code = learn(reader, mapping, base);
	if (code)
		map_put(&reader->tap->codes, key, code);
	return code;
}

int known_each(const struct code_reader *reader, known_found *each, void *ctx)
{
	const struct mapping *mapping, *first = NULL;
	const struct known_code *code;
	bool go_on = true;
	struct maps maps;
	int result = maps_read(reader->pid, &maps);

	if (result)
		return result;
	for (size_t i = 0; i < maps.count && go_on; i++) {
		mapping = &maps.items[i];
		/* Neither the kernel's own, nor what a compiler has just made. */
		if (*mapping->path != '/')
			continue;
		if (!first || strcmp(first->path, mapping->path) != 0)
			first = mapping;
		if (mapping->flags[2] != 'x')
			continue;
		code = know(reader, mapping, first->start);
		if (code && code->count && each)
			go_on = each(ctx, mapping->start, code);
	}
	maps_done(&maps);
	return 0;
}

void known_free(struct tap *tap)
{
	MAP_FOR_EACH(node, &tap->codes) {
		struct known_code *code = map_value(node);

		free(code->sites);
		free(code->marks);
		free(code);
	}
	map_done(&tap->codes);
}
