/* Functions with jumps to stubs in them do what they did without, and each call meets one at each end. */
#include "code/listing.h"
#include "tap/hook_stub.h"
#include "unit.h"

#include <signal.h>
#include <ucontext.h>

/* hook_code.S */
extern const struct {
	uint32_t offset, len;
} hook_functions[];
extern const uint8_t hook_code[], hook_agent[], hook_returned[];

#define RAX 0
#define R14 14

void hook_call(uint64_t function, uint64_t registers[16], void *stack);
/* From r11 to rax. */
void hook_called(uint64_t back, uint64_t sp, const uint64_t saved[11]);

/* What the agent leaves; carry: the stub is to go on at its trap. */
uint64_t hook_flags;

static const uint64_t flags_left[] = { 0x2, 0x8d6, 0x3, 0x8d7 };

#define AREA  0x10000
#define STUBS 0x8000 /* behind the function */

static uint8_t *area;

/* A changed instruction. */
static struct put {
	uint64_t site, stub;
	uint8_t was[5];
	bool after;
} puts_made[32];
static size_t put_count;

/* What the agent has seen in a call. */
static struct {
	unsigned int entered, left, lost;
	uint64_t arguments[16];
	uint64_t result;
} seen;

void hook_called(uint64_t back, uint64_t sp, const uint64_t saved[11])
{
	/* r11, r10, r9, r8, rdi, rsi, not rbp, rbx, rdx, rcx, rax: all that pass arguments. */
	static const uint8_t arguments[11] = { 11, 10, 9, 8, 7, 6, 0xff, 3, 2, 1, 0 };
	struct ring_hook hook;

	memcpy(&hook, (const void *)(uintptr_t)(back - HOOK_BACK + HOOK_DATA), sizeof(hook));
	if (*(uint64_t *)(uintptr_t)(sp + (uint64_t)(int64_t)hook.below) !=
	    (uint64_t)(uintptr_t)hook_returned)
		seen.lost++;
	if (hook.leaves) {
		seen.left++;
		seen.result = saved[10];
		return;
	}
	seen.entered++;
	for (size_t i = 0; i < COUNT(arguments); i++)
		if (arguments[i] != 0xff && saved[i] != seen.arguments[arguments[i]])
			seen.lost++;
}

/* Where there is no room for a long jump a trap leads to the stub; and a stub's own trap to its rest. */
static void trapped(int signal, siginfo_t *info, void *context)
{
	greg_t *ip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	const uint64_t at = (uint64_t)*ip - 1;

	(void)signal;
	(void)info;
	for (size_t i = 0; i < put_count; i++) {
		const struct put *put = &puts_made[i];

		if (at == put->site)
			*ip = (greg_t)put->stub;
		else if (at == put->stub + HOOK_TRACED)
			*ip = (greg_t)(put->stub + (put->after ? HOOK_NEXT : HOOK_BEFORE));
		else
			continue;
		return;
	}
	abort();
}

static void put_hook(const struct listing_place *place, bool leaves)
{
	struct put *put = &puts_made[put_count];
	const struct ring_hook hook = {
		.entry = (uint64_t)(uintptr_t)hook_agent,
		.next = place->addr + place->insn.len,
		.site = place->addr,
		.below = place->below,
		.leaves = leaves,
		.after = place->after,
	};
	uint8_t *site = (uint8_t *)(uintptr_t)place->addr;
	uint8_t *stub = area + STUBS + put_count * 2 * HOOK_SIZE;
	int32_t distance = (int32_t)(stub - (site + sizeof(put->was)));

	assert_true(put_count < COUNT(puts_made));
	*put = (struct put){ place->addr, (uint64_t)(uintptr_t)stub, { 0 }, place->after };
	memcpy(put->was, site, sizeof(put->was));
	assert_int_equal(hook_stub_make(stub, put->stub, &hook, &place->insn, site), 0);
	put_count++;
	if (place->insn.len < sizeof(put->was)) {
		*site = 0xcc;
		return;
	}
	*site = 0xe9;
	memcpy(site + 1, &distance, sizeof(distance));
}

static void take_hooks(void)
{
	while (put_count) {
		const struct put *put = &puts_made[--put_count];

		memcpy((void *)(uintptr_t)put->site, put->was, sizeof(put->was));
	}
}

static void call(unsigned int number, bool grows, uint64_t registers[16])
{
	static _Alignas(16) uint8_t stack[1U << 16];
	static uint64_t goroutine[3];
	uint64_t random = number;

	for (size_t i = 0; i < 16; i++)
		registers[i] = unit_random(&random) % 5 ? unit_random(&random) : 0 - i;
	registers[R14] = (uint64_t)(uintptr_t)goroutine;
	goroutine[2] = grows ? UINT64_MAX : 0;
	memset(&seen, 0, sizeof(seen));
	memcpy(seen.arguments, registers, sizeof(seen.arguments));
	hook_call((uint64_t)(uintptr_t)area, registers, stack + sizeof(stack) - 64);
}

/* With what is put, and with nothing: for several arguments, and all that the agent may leave. */
static void check_calls(bool entry, bool returns, bool grows, unsigned int entered,
			const char *what)
{
	static uint64_t without[12][16];
	struct put made[COUNT(puts_made)];
	uint8_t changed[STUBS];
	size_t count = put_count;

	memcpy(made, puts_made, sizeof(made));
	memcpy(changed, area, sizeof(changed));
	take_hooks();
	for (unsigned int i = 0; i < COUNT(without); i++)
		call(i, grows, without[i]);
	memcpy(area, changed, sizeof(changed));
	put_count = count;
	for (unsigned int i = 0; i < COUNT(without) * COUNT(flags_left); i++) {
		const uint64_t *expected = without[i % COUNT(without)];
		uint64_t registers[16];

		hook_flags = flags_left[i / COUNT(without)];
		call(i % COUNT(without), grows, registers);
		CHECK(!memcmp(registers, expected, sizeof(registers)), "%s, call %u", what, i);
		CHECK(seen.entered == (entry ? entered : 0), "%s, call %u: %u", what, i,
		      seen.entered);
		CHECK(seen.left == (returns ? 1 : 0), "%s, call %u: %u", what, i, seen.left);
		CHECK(!returns || seen.result == expected[RAX], "%s, call %u", what, i);
		CHECK(!seen.lost, "%s, call %u", what, i);
	}
}

/* At all returns, the number-th place there, or the last. Whether there was one more. */
static bool put_returns(const struct listing *listing, size_t len, size_t number)
{
	struct listing_place places[LISTING_PLACES];
	bool more = false;

	for (size_t at = 0; at < len;) {
		struct insn insn = insn_decode(area + at, len - at, 0);
		uint64_t addr = (uint64_t)(uintptr_t)area + at;
		size_t count = insn.kind == INSN_RET ? listing_return(listing, addr, places) : 0;

		if (count)
			put_hook(&places[number < count ? number : count - 1], true);
		more = more || number + 1 < count;
		/* A trap or a jump may stand there now, but never behind it. */
		at += insn.len;
	}
	return more;
}

static void check_function(const uint8_t *code, size_t len, bool go, const char *what)
{
	struct listing_place entries[LISTING_PLACES];
	struct listing *listing;
	size_t count;
	bool more = true;

	memset(area, 0, AREA);
	memcpy(area, code, len);
	listing = listing_read(area, len, (uint64_t)(uintptr_t)area);
	CHECK(listing, "%s", what);
	count = listing_entry(listing, entries);
	CHECK(count, "%s", what);
	for (size_t i = 0; i < count; i++) {
		put_hook(&entries[i], false);
		check_calls(true, false, false, 1, what);
		/* In front of where it looks for room it is met again. */
		if (go)
			check_calls(true, false, true, i ? 1 : 2, what);
		take_hooks();
	}
	for (size_t i = 0; more; i++) {
		more = put_returns(listing, len, i);
		check_calls(false, true, false, 1, what);
		put_hook(&entries[i % count], false);
		check_calls(true, true, false, 1, what);
		take_hooks();
	}
	listing_free(listing);
}

static void of_compilers(void **state)
{
	char what[32];

	(void)state;
	for (size_t i = 0; hook_functions[i].len; i++) {
		snprintf(what, sizeof(what), "function %zu", i);
		check_function(hook_code + hook_functions[i].offset, hook_functions[i].len,
			       i == 1 || i == 2, what);
	}
}

/* A function that is made up. */
struct made {
	uint8_t code[512];
	size_t len;
	size_t branches[8], branch_count;
	uint64_t random;
};

static bool one_in(struct made *made, uint32_t many)
{
	return unit_random(&made->random) % many == 0;
}

static void add(struct made *made, const char *code, size_t len)
{
	memcpy(made->code + made->len, code, len);
	made->len += len;
}

static void maybe(struct made *made, const char *code, size_t len)
{
	if (one_in(made, 3))
		add(made, code, len);
}

/* A comparison, and somewhere behind it the branch that looks at it. */
static void compare(struct made *made)
{
	add(made, BYTES("\x48\x39\xf7"));                                    /* cmp %rsi, %rdi */
	maybe(made, BYTES("\x49\x89\xd4"));                                  /* mov %rdx, %r12 */
	maybe(made, BYTES("\x48\x89\x7c\x24\x08"));                          /* mov %rdi, 8(%rsp) */
	maybe(made, BYTES("\xb8\x07\x00\x00\x00"));                          /* mov $7, %eax */
	add(made, one_in(made, 2) ? "\x0f\x8c\0\0\0" : "\x0f\x83\0\0\0", 6); /* jl, jae */
	made->branches[made->branch_count++] = made->len;
}

static void prologue(struct made *made)
{
	maybe(made, BYTES("\xf3\x0f\x1e\xfa"));
	maybe(made, BYTES("\x85\xff"));           /* test %edi, %edi */
	add(made, BYTES("\x41\x54"));             /* push %r12 */
	maybe(made, BYTES("\x4c\x8d\x67\x08"));   /* lea 8(%rdi), %r12 */
	add(made, BYTES("\x53"));                 /* push %rbx */
	maybe(made, BYTES("\x49\x89\xf4"));       /* mov %rsi, %r12 */
	add(made, BYTES("\x48\x83\xec\x28"));     /* sub $0x28, %rsp */
	add(made, BYTES("\x48\x89\x7c\x24\x08")); /* mov %rdi, 8(%rsp) */
	add(made, BYTES("\x48\x89\x74\x24\x10")); /* mov %rsi, 16(%rsp) */
	maybe(made, BYTES("\xb2\x01"));           /* mov $1, %dl */
	maybe(made, "\x48\x8d\x0d\0\0\0", 7);     /* lea 0(%rip), %rcx */
	add(made, BYTES("\x48\x8d\x04\x37"));     /* lea (%rdi, %rsi), %rax */
	add(made, BYTES("\x48\x89\xc3"));         /* mov %rax, %rbx */
}

/* Branches that were made lead somewhere into it, where the stack is the same. */
static void epilogue(struct made *made)
{
	static const struct {
		const char *code;
		size_t len;
	} parts[] = {
		{ BYTES("\x48\x89\xd8") },         /* mov %rbx, %rax */
		{ BYTES("\x31\xc9") },             /* xor %ecx, %ecx */
		{ BYTES("\x48\x8b\x44\x24\x08") }, /* mov 8(%rsp), %rax */
		{ BYTES("\x8b\x54\x24\x10") },     /* mov 16(%rsp), %edx */
		{ BYTES("\x45\x31\xc0") },         /* xor %r8d, %r8d */
		{ BYTES("\x49\x89\xc1") },         /* mov %rax, %r9 */
		{ BYTES("\x48\x8d\x7b\x10") },     /* lea 16(%rbx), %rdi */
		{ BYTES("\x48\xff\xc0") },         /* inc %rax */
		{ BYTES("\x66\x90") },             /* nop */
	};
	size_t starts[8], count = 0;
	int32_t distance;

	while (count < COUNT(starts) && (!count || !one_in(made, 6))) {
		size_t part = unit_random(&made->random) % COUNT(parts);

		starts[count++] = made->len;
		add(made, parts[part].code, parts[part].len);
	}
	while (made->branch_count) {
		size_t behind = made->branches[--made->branch_count];

		distance = (int32_t)(starts[unit_random(&made->random) % count] - behind);
		memcpy(made->code + behind - 4, &distance, sizeof(distance));
	}
	if (one_in(made, 2))
		add(made, BYTES("\x48\x83\xc4\x28")); /* add $0x28, %rsp */
	else
		add(made, BYTES("\x48\x8d\x64\x24\x28")); /* lea 0x28(%rsp), %rsp */
	add(made, BYTES("\x5b\x41\x5c"));                 /* pop %rbx, %r12 */
	maybe(made, BYTES("\x31\xf6"));                   /* xor %esi, %esi */
	add(made, BYTES("\xc3"));
}

static void made_up(void **state)
{
	char what[32];

	(void)state;
	for (unsigned int i = 0; i < 400; i++) {
		struct made made = { .random = i };
		size_t first;

		prologue(&made);
		compare(&made);
		first = made.branches[0];
		maybe(&made, BYTES("\x48\x0f\xaf\xc7")); /* imul %rdi, %rax */
		if (one_in(&made, 2)) {
			/* That branch leads to another exit. */
			made.branch_count = 0;
			compare(&made);
			epilogue(&made);
			made.branches[made.branch_count++] = first;
		}
		epilogue(&made);
		snprintf(what, sizeof(what), "made %u", i);
		check_function(made.code, made.len, false, what);
	}
}

/* What it is relative to is too far away. */
static void too_far(void **state)
{
	static const uint8_t bytes[] = { 0x48, 0x8d, 0x0d, 0, 0, 0, 0x70 };
	const struct insn insn = insn_decode(bytes, sizeof(bytes), 0x10000);
	struct ring_hook hook = { .site = 0x10000 };
	uint8_t code[HOOK_SIZE];
	int32_t disp;

	(void)state;
	assert_int_equal(hook_stub_make(code, 0x20000000, &hook, &insn, bytes), 0);
	memcpy(&disp, code + HOOK_BEFORE + 3, sizeof(disp));
	assert_int_equal(0x20000000 + HOOK_BEFORE + 7 + disp, 0x10000 + 7 + 0x70000000);
	hook.site = 0x40000000;
	assert_int_equal(hook_stub_make(code, 0x20000000, &hook, &insn, bytes), -ERANGE);
	hook.after = 1;
	hook.site = 0x20000000;
	assert_int_equal(hook_stub_make(code, 0x20000000, &hook, &insn, bytes), 0);
	assert_memory_equal(code, bytes, sizeof(bytes));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_compilers),
		cmocka_unit_test(made_up),
		cmocka_unit_test(too_far),
	};
	const struct sigaction action = { .sa_sigaction = trapped, .sa_flags = SA_SIGINFO };

	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	/* Not every machine allows that. */
	if (area == MAP_FAILED)
		return 77;
	sigaction(SIGTRAP, &action, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
