/* Code in, places for jumps out; and what instructions do. */
#include "code/listing.h"

#include "unit.h"

/* listing_code.S */
enum row_kind { ROW_FUNCTION, ROW_ENTERS, ROW_LEAVES, ROW_RETURNS, ROW_END };

struct row {
	uint32_t offset, kind;
	int32_t below;
	uint32_t after;
};

extern const struct row listing_rows[];
extern const uint8_t listing_code[], listing_code_end[];

/* It is no matter where it stands. */
#define ADDR 0x7f0000001000UL

static void expect(const struct listing_place *place, const struct row *row)
{
	CHECK(place->addr == ADDR + row->offset, "at %x: another place, at %lx", row->offset,
	      (unsigned long)(place->addr - ADDR));
	CHECK(place->after == !!row->after, "at %x", row->offset);
	CHECK(place->below == row->below, "at %x: %d", row->offset, place->below);
	CHECK(place->insn.len == insn_decode(listing_code + row->offset, INSN_MAX, place->addr).len,
	      "at %x", row->offset);
}

static const struct row *next_of(const struct row *row, enum row_kind kind)
{
	while (row->kind != kind)
		row++;
	return row;
}

static void expect_entry(const struct listing *listing, const struct row *row)
{
	struct listing_place places[LISTING_PLACES];
	size_t count = listing_entry(listing, places), i = 0;

	for (; row->kind != ROW_FUNCTION; row++) {
		if (row->kind != ROW_ENTERS)
			continue;
		CHECK(i < count, "at %x: none", row->offset);
		expect(&places[i++], row);
	}
	CHECK(i == count, "before %x: %zu at the entry", row->offset, count);
}

/* Those of the return that is at `ret`: the last first. */
static void expect_return(const struct listing *listing, const struct row *ret)
{
	struct listing_place places[LISTING_PLACES];
	size_t count = listing_return(listing, ADDR + ret->offset, places), i = 0;
	const struct row *row = ret - 1;

	for (; row->kind == ROW_LEAVES; row--) {
		CHECK(i < count, "at %x: none", row->offset);
		expect(&places[i++], row);
	}
	CHECK(i == count, "return at %x: %zu", ret->offset, count);
}

static void of_functions(void **state)
{
	const struct row *row = listing_rows, *end;

	(void)state;
	for (; row[1].kind != ROW_END; row = end) {
		struct listing *listing;

		end = next_of(row + 1, ROW_FUNCTION);
		listing = listing_read(listing_code + row->offset, end->offset - row->offset,
				       ADDR + row->offset);
		CHECK(listing, "at %x", row->offset);
		expect_entry(listing, row + 1);
		for (const struct row *ret = row + 1; ret != end; ret++)
			if (ret->kind == ROW_RETURNS)
				expect_return(listing, ret);
		listing_free(listing);
	}
	assert_int_equal(row->offset, listing_code_end - listing_code);
}

static void no_code(void **state)
{
	static const uint8_t bad[] = { 0x55, 0x06, 0xc3 }, cut[] = { 0x55, 0x48, 0x83, 0xec };
	static const uint8_t good[] = { 0x55, 0x5d, 0xc3 };
	struct listing_place places[LISTING_PLACES];
	struct listing *listing;

	(void)state;
	assert_null(listing_read(bad, sizeof(bad), ADDR));
	assert_null(listing_read(cut, sizeof(cut), ADDR));
	listing_free(NULL);
	listing = listing_read(good, 0, ADDR);
	assert_int_equal(listing_entry(listing, places), 0);
	assert_int_equal(listing_return(listing, ADDR, places), 0);
	listing_free(listing);
	listing = listing_read(good, sizeof(good), ADDR);
	assert_int_equal(listing_entry(listing, places), 2);
	/* Where no return is. */
	assert_int_equal(listing_return(listing, ADDR + 1, places), 0);
	assert_int_equal(listing_return(listing, ADDR + 3, places), 0);
	listing_free(listing);
}

#define R(number) (1U << (number))

static void instructions(void **state)
{
	static const struct {
		const char *what;
		struct insn insn;
		uint8_t bytes[INSN_MAX];
	} cases[] = {
		{ "endbr64", { 4, .effect = EFFECT_NOP }, { 0xf3, 0x0f, 0x1e, 0xfa } },
		{ "nopw 0(%rax, %rax)",
		  { 6, .effect = EFFECT_NOP },
		  { 0x66, 0x0f, 0x1f, 0x44, 0, 0 } },
		{ "push %r12",
		  { 2, .effect = EFFECT_PUSH, .source = 12, .writes = R(4) },
		  { 0x41, 0x54 } },
		{ "push $1", { 2, .writes = R(4) }, { 0x6a, 1 } },
		{ "pop %rbx",
		  { 1, .effect = EFFECT_POP, .target_reg = 3, .writes = R(3) | R(4) },
		  { 0x5b } },
		{ "sub $-128, %rsp",
		  { 4, .effect = EFFECT_ADD_SP, .amount = 128, .writes = R(4), .sets_flags = true },
		  { 0x48, 0x83, 0xec, 0x80 } },
		{ "add $0x120, %rsp",
		  { 7, .effect = EFFECT_ADD_SP, .amount = 0x120, .writes = R(4),
		    .sets_flags = true },
		  { 0x48, 0x81, 0xc4, 0x20, 1, 0, 0 } },
		{ "add $8, %esp", { 3, .writes = R(4), .sets_flags = true }, { 0x83, 0xc4, 8 } },
		{ "mov %ebx, %eax",
		  { 2, .effect = EFFECT_MOVE, .source = 3, .narrow = true, .writes = R(0) },
		  { 0x89, 0xd8 } },
		{ "lea 0xa0(%rsp), %rsi",
		  { 8, .effect = EFFECT_LEA, .source = 4, .target_reg = 6, .amount = 0xa0,
		    .writes = R(6) },
		  { 0x48, 0x8d, 0xb4, 0x24, 0xa0, 0, 0, 0 } },
		{ "cmp 16(%r14), %rsp",
		  { 4, .effect = EFFECT_CMP_SP, .sets_flags = true },
		  { 0x49, 0x3b, 0x66, 0x10 } },
		{ "xor %eax, %eax",
		  { 2, .effect = EFFECT_ZERO, .writes = R(0), .sets_flags = true },
		  { 0x31, 0xc0 } },
		{ "xor %r14, %r14",
		  { 3, .effect = EFFECT_ZERO, .target_reg = 14, .writes = R(14),
		    .sets_flags = true },
		  { 0x4d, 0x31, 0xf6 } },
		{ "xor %ax, %ax", { 3, .writes = R(0), .sets_flags = true }, { 0x66, 0x31, 0xc0 } },
		{ "xor %ecx, %eax", { 2, .writes = R(0), .sets_flags = true }, { 0x31, 0xc8 } },
		{ "mov 8(%rsp), %rax",
		  { 5, .effect = EFFECT_LOAD, .amount = 8, .writes = R(0) },
		  { 0x48, 0x8b, 0x44, 0x24, 8 } },
		{ "mov -8(%rsp), %r9d",
		  { 5, .effect = EFFECT_LOAD, .target_reg = 9, .amount = -8, .narrow = true,
		    .writes = R(9) },
		  { 0x44, 0x8b, 0x4c, 0x24, 0xf8 } },
		{ "mov 8(%rsp), %ax", { 5, .writes = R(0) }, { 0x66, 0x8b, 0x44, 0x24, 8 } },
		{ "mov %fs:8(%rsp), %rax",
		  { 6, .writes = R(0) },
		  { 0x64, 0x48, 0x8b, 0x44, 0x24, 8 } },
		{ "mov 8(%rsp, %rbx), %rax", { 5, .writes = R(0) }, { 0x48, 0x8b, 0x44, 0x1c, 8 } },
		{ "mov 8(%rbp), %rax", { 4, .writes = R(0) }, { 0x48, 0x8b, 0x45, 8 } },
		{ "mov $1, %dl", { 2, .writes = R(2) }, { 0xb2, 1 } },
		{ "mov $1, %sil", { 3, .writes = R(6) }, { 0x40, 0xb6, 1 } },
		{ "xchg %dl, %dh", { 2, .writes = R(2) }, { 0x86, 0xd6 } },
		{ "mov %al, %r8b", { 3, .writes = R(8) }, { 0x41, 0x88, 0xc0 } },
		{ "cmpxchg %ecx, (%rdx)",
		  { 3, .writes = R(0), .sets_flags = true },
		  { 0x0f, 0xb1, 0x0a } },
		{ "lock xadd %ecx, 16(%rdi)",
		  { 5, .writes = R(1), .sets_flags = true },
		  { 0xf0, 0x0f, 0xc1, 0x4f, 0x10 } },
		{ "enter $16, $0", { 4, .writes = R(4) | R(5) }, { 0xc8, 16, 0, 0 } },
		{ "leave", { 1, .writes = R(4) | R(5) }, { 0xc9 } },
		{ "rep movsb", { 2, .writes = R(1) | R(6) | R(7) }, { 0xf3, 0xa4 } },
		{ "mul %rcx",
		  { 3, .writes = R(0) | R(2), .sets_flags = true },
		  { 0x48, 0xf7, 0xe1 } },
		{ "pxor %xmm0, %xmm0", { .len = 4 }, { 0x66, 0x0f, 0xef, 0xc0 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct insn is = insn_decode(cases[i].bytes, INSN_MAX, ADDR);
		const struct insn *want = &cases[i].insn;

		CHECK(is.kind == INSN_PLAIN && is.len == want->len && is.effect == want->effect,
		      "%s", cases[i].what);
		CHECK(is.source == want->source && is.target_reg == want->target_reg &&
			      is.amount == want->amount,
		      "%s", cases[i].what);
		CHECK(is.writes == want->writes, "%s: %x", cases[i].what, is.writes);
		CHECK(is.sets_flags == want->sets_flags, "%s", cases[i].what);
		CHECK(is.narrow == want->narrow, "%s", cases[i].what);
	}
}

static void kinds(void **state)
{
	static const struct {
		uint8_t len;
		enum insn_kind kind;
		bool computed;
		int target;
		uint8_t bytes[INSN_MAX];
	} cases[] = {
		{ 1, INSN_RET, false, 0, { 0xc3 } },
		{ 2, INSN_RET, false, 0, { 0xf3, 0xc3 } },
		{ 3, INSN_STOP, false, 0, { 0xc2, 8, 0 } },
		{ 1, INSN_STOP, false, 0, { 0xcb } },
		{ 2, INSN_JUMP, false, 0x12, { 0xeb, 0x10 } },
		{ 6, INSN_JUMP, false, 0x106, { 0xf2, 0xe9, 0, 1, 0, 0 } },
		{ 2, INSN_BRANCH, false, 0x12, { 0xe2, 0x10 } },
		{ 2, INSN_BRANCH, false, 0x12, { 0xe3, 0x10 } },
		{ 6, INSN_BRANCH, false, 2, { 0x0f, 0x84, 0xfc, 0xff, 0xff, 0xff } },
		{ 5, INSN_CALL, false, 0x105, { 0xe8, 0, 1, 0, 0 } },
		/* Of a function that is in another module, for its threads' own data. */
		{ 8, INSN_CALL, false, 0x108, { 0x66, 0x66, 0x48, 0xe8, 0, 1, 0, 0 } },
		{ 2, INSN_STOP, true, 0, { 0xff, 0xe0 } },
		{ 3, INSN_STOP, true, 0, { 0x3e, 0xff, 0xe0 } },
		{ 7, INSN_STOP, true, 0, { 0xff, 0x24, 0xc5, 0, 0, 0, 0 } },
		{ 2, INSN_STOP, false, 0, { 0xff, 0xd0 } },
		{ 2, INSN_STOP, false, 0, { 0x0f, 0x05 } },
		{ 7, INSN_RIP, false, 0, { 0x48, 0x8d, 0x0d, 0, 1, 0, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct insn insn = insn_decode(cases[i].bytes, INSN_MAX, ADDR);

		CHECK(insn.len == cases[i].len && insn.kind == cases[i].kind, "case %zu: %d", i,
		      insn.kind);
		CHECK(insn.computed == cases[i].computed, "case %zu", i);
		CHECK(!cases[i].target || insn.target == ADDR + (uint64_t)cases[i].target,
		      "case %zu", i);
		CHECK(insn.kind != INSN_RIP || insn.disp_at == 3, "case %zu", i);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_functions),
		cmocka_unit_test(no_code),
		cmocka_unit_test(instructions),
		cmocka_unit_test(kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
