/* System call instructions in code: of our own libraries, and of bytes that only look like one. */
#include "unit.h"

#include "abi/abi.h"
#include "code/callsite.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The code of the file that holds an address, as the loader has it. */
struct own_code {
	uint64_t holds;
	struct callsite_code code;
};

static bool peek(void *ctx, uint64_t addr, void *data, size_t len)
{
	(void)ctx;
	memcpy(data, (const void *)(uintptr_t)addr, len);
	return true;
}

static int look(struct dl_phdr_info *info, size_t size, void *ctx)
{
	struct own_code *own = ctx;
	struct callsite_code code = { .peek = peek };

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		const uint64_t addr = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type == PT_GNU_EH_FRAME)
			code.frames = addr;
		if (segment->p_type != PT_LOAD || own->holds - addr >= segment->p_memsz)
			continue;
		code.addr = addr;
		code.bytes = (const uint8_t *)(uintptr_t)addr;
		code.len = segment->p_memsz;
	}
	if (!code.addr)
		return 0;
	own->code = code;
	return 1;
}

static struct callsite_code libc_code(void)
{
	struct own_code own = { .holds = (uint64_t)(uintptr_t)getppid };

	assert_int_equal(dl_iterate_phdr(look, &own), 1);
	return own.code;
}

struct seen {
	unsigned int all, known, of_getppid, of_socket;
	uint64_t last;
};

static bool count(void *ctx, const struct callsite *site)
{
	struct seen *seen = ctx;

	assert_memory_equal((const void *)(uintptr_t)site->addr, "\x0f\x05", 2);
	assert_true(site->addr > seen->last && !site->narrow);
	seen->last = site->addr;
	seen->all++;
	seen->known += site->nr >= 0;
	seen->of_getppid += site->nr == SYS_getppid;
	seen->of_socket += site->nr == SYS_socket;
	return true;
}

/* Which sites there are differs, but that there are some hundred, most with a number (glibc 2.31 to 2.41). */
static void of_libc(void **state)
{
	struct callsite_code code = libc_code();
	struct seen seen = { 0 }, without = { 0 };

	(void)state;
	assert_true(callsite_each(&code, count, &seen));
	assert_true(seen.all > 300 && seen.known > seen.all / 2);
	assert_true(seen.of_getppid && seen.of_socket);
	/* Nearly the same are found without the table. */
	code.frames = 0;
	assert_true(callsite_each(&code, count, &without));
	assert_true(without.all > seen.all - seen.all / 10 && without.all <= seen.all + 2);
}

static bool stop(void *ctx, const struct callsite *site)
{
	*(uint64_t *)ctx = site->addr;
	return false;
}

static void ended(void **state)
{
	struct callsite_code code = libc_code();
	uint64_t first = 0;

	(void)state;
	assert_false(callsite_each(&code, stop, &first));
	assert_true(first >= code.addr && first < code.addr + code.len);
}

static bool note(void *ctx, const struct callsite *site)
{
	struct callsite **next = ctx;

	*(*next)++ = *site;
	return true;
}

#define AT 0x1000

static size_t find(const struct callsite_code *code, struct callsite sites[4])
{
	struct callsite *next = sites;

	memset(sites, 0, 4 * sizeof(*sites));
	assert_true(callsite_each(code, note, &next));
	return (size_t)(next - sites);
}

/* Without a table, as in Go's programs. */
static void of_bytes(void **state)
{
	/* nop; mov $41, %eax; syscall; ret; … mov $0x050f, %eax; ret; … int $0x80; ret */
	uint8_t code[200];
	struct callsite sites[4];
	const struct callsite_code in = {
		.bytes = code, .len = sizeof(code), .addr = AT, .peek = peek
	};

	(void)state;
	memset(code, 0x90, sizeof(code));
	memcpy(code + 60, "\xb8\x29\0\0\0\x0f\x05\xc3", 8);
	memcpy(code + 120, "\xb8\x0f\x05\0\0\xc3", 6);
	memcpy(code + 170, "\xcd\x80\xc3", 3);
	/* Half of the way from anywhere, but nothing comes behind. */
	memcpy(code + 190, "\x0f\x05\x90", 3);
	assert_int_equal(find(&in, sites), 2);
	assert_int_equal(sites[0].addr, AT + 65);
	assert_int_equal(sites[0].nr, 41);
	assert_int_equal(sites[1].addr, AT + 170);
	assert_true(sites[1].narrow);
}

/* A table with one function, of 32 bytes; behind it code or data of which it says nothing. */
struct small_table {
	uint32_t head[2], count;
	int32_t begin, entry;
	uint32_t length, id;
	int32_t entry_begin;
	uint32_t size;
};

static bool peek_small(void *ctx, uint64_t addr, void *data, size_t len)
{
	memcpy(data, (const uint8_t *)ctx + (addr - AT - 4096), len);
	return true;
}

static void beyond_table(void **state)
{
	uint8_t code[300];
	struct callsite sites[4];
	struct small_table table = { .head = { 0x3b031b01 },
				     .count = 1,
				     .begin = -4096,
				     .entry = offsetof(struct small_table, length),
				     .entry_begin = -4096 - 8 - 20,
				     .size = 32 };
	const struct callsite_code in = { .bytes = code,
					  .len = sizeof(code),
					  .addr = AT,
					  .frames = AT + 4096,
					  .peek = peek_small,
					  .ctx = &table };

	(void)state;
	memset(code, 0x90, sizeof(code));
	memcpy(code + 20, "\x0f\x05\xc3", 3);
	/* As in Go's programs that are linked with C: the number is an argument, the result a negative error. */
	memcpy(code + 120, "\x0f\x05\x48\x3d\x01\xf0\xff\xff", 8);
	memcpy(code + 180, "\x48\xc7\xc0\x1c\0\0\0\x0f\x05\xc3", 10);
	memcpy(code + 280, "\x0f\x05\xc3", 3);
	assert_int_equal(find(&in, sites), 4);
	assert_int_equal(sites[0].addr, AT + 20);
	assert_int_equal(sites[1].addr, AT + 120);
	assert_int_equal(sites[2].addr, AT + 187);
	assert_int_equal(sites[2].nr, 28);
	assert_false(sites[0].maybe || sites[1].maybe || sites[2].maybe);
	assert_int_equal(sites[3].addr, AT + 280);
	assert_true(sites[3].maybe);
}

#define PAIRS 16

/* A table that is not what it should be, alone in memory. */
struct hostile_table {
	uint8_t bytes[12 + 8 * PAIRS + 64];
};

static bool peek_table(void *ctx, uint64_t addr, void *data, size_t len)
{
	const struct hostile_table *table = ctx;

	if (addr < AT + 4096 || addr + len > AT + 4096 + sizeof(table->bytes) || addr + len < addr)
		return false;
	memcpy(data, table->bytes + (addr - AT - 4096), len);
	return true;
}

static bool in_code(void *ctx, const struct callsite *site)
{
	assert_true(site->addr >= AT && site->addr < AT + 200);
	(*(unsigned int *)ctx)++;
	return true;
}

static void hostile(void **state)
{
	struct hostile_table table;
	uint8_t code[200];
	const struct callsite_code in = { .bytes = code,
					  .len = sizeof(code),
					  .addr = AT,
					  .frames = AT + 4096,
					  .peek = peek_table,
					  .ctx = &table };
	const uint32_t counts[] = { 0, 1, PAIRS, PAIRS + 8, 1000000, UINT32_MAX };
	unsigned int found = 0;

	(void)state;
	srand(1);
	for (unsigned int turn = 0; turn < 3000; turn++) {
		for (size_t i = 0; i < sizeof(code); i++)
			code[i] = (uint8_t)(i % 7 ? rand() : (i % 2 ? 0x0f : 0xcd));
		memcpy(code + turn % 190, "\xb8\x29\0\0\0\x0f\x05", 7);
		for (size_t i = 0; i < sizeof(table.bytes); i++)
			table.bytes[i] = (uint8_t)(rand() & (turn % 2 ? 0xff : 0x8f));
		memcpy(table.bytes, "\1\x1b\x03\x3b", 4);
		memcpy(table.bytes + 8, &counts[turn % COUNT(counts)], 4);
		callsite_each(&in, in_code, &found);
	}
	assert_true(found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_libc),  cmocka_unit_test(ended),
		cmocka_unit_test(of_bytes), cmocka_unit_test(beyond_table),
		cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
