#include "abi/abi.h"

#include "numbers.h"
#include "unit.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/prctl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#define X32_BIT 0x40000000U
#define HIGH    0xdeadbeef00000000ULL

static const struct abi *named(const char *name)
{
	for (const struct abi *abi = abi_native; abi->name; abi++)
		if (!strcmp(abi->name, name))
			return abi;
	fail_msg("no ABI %s", name);
	return NULL;
}

static const struct {
	const char *name;
	uint32_t audit_arch;
	unsigned int word;
	const struct number *numbers;
} abis[] = {
	{ "x86_64", AUDIT_ARCH_X86_64, 8, numbers_x86_64 },
	{ "i386", AUDIT_ARCH_I386, 4, numbers_i386 },
	{ "x32", AUDIT_ARCH_X86_64, 4, numbers_x32 },
};

static void found_by_arch_and_number(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(abis); i++) {
		const struct abi *abi = named(abis[i].name);

		assert_int_equal(abi->audit_arch, abis[i].audit_arch);
		assert_int_equal(abi->word, abis[i].word);
		for (const struct number *n = abis[i].numbers; n->name; n++)
			CHECK(abi_find(abis[i].audit_arch, n->nr) == abi, "%s %s", abi->name,
			      n->name);
	}
}

static void unknown_arches(void **state)
{
	static const uint32_t arches[] = { 0, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, 0xffffffff,
					   EM_X86_64 | __AUDIT_ARCH_LE };

	(void)state;
	for (size_t i = 0; i < COUNT(arches); i++) {
		assert_null(abi_find(arches[i], 0));
		assert_null(abi_find(arches[i], X32_BIT));
		assert_null(abi_find(arches[i], UINT64_MAX));
	}
}

static void rows_by_number(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(abis); i++) {
		const struct abi *abi = named(abis[i].name);

		for (const struct number *n = abis[i].numbers; n->name; n++) {
			const struct sys_row *row = abi_row(abi, n->nr);

			CHECK(row && !strcmp(row->name, n->name), "%s %s: %s", abi->name, n->name,
			      row ? row->name : "none");
		}
	}
}

/* No number but the known one leads to a known row. */
static void no_row_by_other_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(abis); i++) {
		const struct abi *abi = named(abis[i].name);

		for (uint32_t nr = 0; nr < 2048; nr++) {
			const struct sys_row *row = abi_row(abi, nr | abi->nr_bit);

			for (const struct number *n = abis[i].numbers; row && n->name; n++)
				CHECK(strcmp(row->name, n->name) || n->nr == (nr | abi->nr_bit),
				      "%s %s %u", abi->name, n->name, nr);
		}
	}
}

static void x32_bit(void **state)
{
	const struct abi *x86_64 = named("x86_64"), *x32 = named("x32");

	(void)state;
	/* In the other ABI's hands such a number is none. */
	assert_null(abi_row(x86_64, X32_BIT));
	assert_null(abi_row(x86_64, X32_BIT | 41));
	assert_null(abi_row(x32, 0));
	assert_null(abi_row(x32, 41));
	assert_string_equal(abi_row(x32, X32_BIT | 41)->name, "socket");
	/* 45 is x86-64's recvfrom; x32 has its own, 517. */
	assert_string_equal(abi_row(x86_64, 45)->name, "recvfrom");
	assert_null(abi_row(x32, X32_BIT | 45));
	assert_string_equal(abi_row(x32, X32_BIT | 517)->name, "recvfrom");
}

static void any_number_is_safe(void **state)
{
	static const uint64_t numbers[] = {
		1023,
		1024,
		1025,
		0x3fffffff,
		X32_BIT | 1024,
		0x7fffffff,
		0x80000000,
		0xc0000000,
		0xfffffffe,
		0xffffffff,
		UINT64_MAX,
		UINT64_MAX - 1,
		HIGH | 0xffffff,
	};
	uint64_t seed = 9;

	(void)state;
	for (const struct abi *abi = abi_native; abi->name; abi++) {
		for (size_t i = 0; i < COUNT(numbers); i++)
			CHECK(!abi_row(abi, numbers[i]), "%s %#lx", abi->name, numbers[i]);
		for (int i = 0; i < 100000; i++) {
			uint64_t nr = (uint64_t)unit_random(&seed) << 32 | unit_random(&seed);

			abi_row(abi, nr >> unit_random(&seed) % 64);
			abi_find(abi->audit_arch, nr);
		}
	}
}

static void numbers_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(abis); i++) {
		const struct abi *abi = named(abis[i].name);

		for (const struct number *n = abis[i].numbers; n->name; n++)
			CHECK(abi_nr(abi, n->name) == (int)n->nr, "%s %s: %d, not %u", abi->name,
			      n->name, abi_nr(abi, n->name), n->nr);
	}
	assert_int_equal(abi_nr(named("x86_64"), "socketcall"), -1);
	assert_int_equal(abi_nr(named("x86_64"), "mmap2"), -1);
	assert_int_equal(abi_nr(named("i386"), "arch_prctl"), 384);
	assert_int_equal(abi_nr(named("x86_64"), "no_such_call"), -1);
}

/* What the injection needs must be there in each of them. */
static void calls_to_inject(void **state)
{
	(void)state;
	for (const struct abi *abi = abi_native; abi->name; abi++) {
		assert_true(abi_nr(abi, abi->mmap) >= 0);
		assert_true(abi_nr(abi, "munmap") >= 0);
		assert_true(abi_nr(abi, "seccomp") >= 0);
	}
}

/* linux/net.h, SYS_SOCKET and those behind it. */
static void socketcalls(void **state)
{
	static const struct {
		unsigned int number;
		const char *name;
	} calls[] = {
		{ 1, "socket" },      { 2, "bind" },       { 3, "connect" },   { 4, "listen" },
		{ 5, "accept" },      { 8, "socketpair" }, { 9, "send" },      { 10, "recv" },
		{ 11, "sendto" },     { 12, "recvfrom" },  { 13, "shutdown" }, { 14, "setsockopt" },
		{ 15, "getsockopt" }, { 16, "sendmsg" },   { 17, "recvmsg" },  { 18, "accept4" },
		{ 19, "recvmmsg" },   { 20, "sendmmsg" },
	};
	static const uint64_t none[] = { 0, 6, 7, 21, 99, UINT32_MAX, 1ULL << 32, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < COUNT(calls); i++) {
		const struct sys_row *row = abi_socketcall_row(calls[i].number);

		CHECK(row && !strcmp(row->name, calls[i].name), "%s", calls[i].name);
		assert_int_equal(abi_socketcall_number(calls[i].name), calls[i].number);
	}
	for (size_t i = 0; i < COUNT(none); i++)
		CHECK(!abi_socketcall_row(none[i]), "%#lx", none[i]);
	assert_int_equal(abi_socketcall_number("read"), 0);
	assert_int_equal(abi_socketcall_number(""), 0);
	assert_true(abi_is_socketcall(named("i386"), 102));
	assert_false(abi_is_socketcall(named("i386"), 0));
	/* 102 is x86-64's getuid, which has no socketcall. */
	assert_false(abi_is_socketcall(named("x86_64"), 102));
	assert_false(abi_is_socketcall(named("x86_64"), 0));
	assert_false(abi_is_socketcall(named("x32"), X32_BIT | 102));
}

static const struct sys_row *row_of(const char *name)
{
	for (const struct sys_row *row = sys_rows; row->name; row++)
		if (!strcmp(row->name, name))
			return row;
	fail_msg("no row %s", name);
	return NULL;
}

static const struct {
	const char *name;
	uint64_t args[6];
	bool holds;
} conditions[] = {
	{ "read", { 0 }, true },
	{ "read", { UINT64_MAX, UINT64_MAX, UINT64_MAX }, true },
	{ "fcntl", { 3, F_DUPFD }, true },
	{ "fcntl", { 3, F_DUPFD_CLOEXEC }, true },
	{ "fcntl", { 3, HIGH | F_DUPFD }, true },
	{ "fcntl", { 3, F_GETFL }, false },
	{ "fcntl", { F_DUPFD, F_GETFL }, false },
	{ "fcntl", { 3, 0xffffffff }, false },
	{ "clone", { CLONE_UNTRACED }, true },
	{ "clone", { CLONE_UNTRACED | CLONE_VM | 17 }, true },
	{ "clone", { HIGH | CLONE_UNTRACED }, true },
	{ "clone", { CLONE_VM | CLONE_FILES | CLONE_THREAD }, false },
	{ "clone", { 0xffffffff & ~(uint64_t)CLONE_UNTRACED }, false },
	{ "unshare", { CLONE_FILES | CLONE_NEWNET }, true },
	{ "unshare", { CLONE_NEWNET }, false },
	{ "prctl", { PR_SET_NAME }, true },
	{ "prctl", { PR_SET_SECCOMP }, true },
	{ "prctl", { HIGH | PR_SET_SECCOMP }, true },
	{ "prctl", { PR_GET_NAME }, false },
	{ "getsockopt", { 3, SOL_SOCKET, SO_ERROR }, true },
	{ "getsockopt", { 3, SOL_TCP, TCP_ZEROCOPY_RECEIVE }, true },
	{ "getsockopt", { 3, SOL_SOCKET, SO_TYPE }, false },
	{ "setsockopt", { 3, 282 }, true },
	{ "setsockopt", { 3, 263 }, true },
	{ "setsockopt", { 3, HIGH | 283 }, true },
	{ "setsockopt", { 3, SOL_SOCKET, 282 }, false },
	{ "ptrace", { PTRACE_TRACEME }, true },
	{ "ptrace", { PTRACE_SEIZE }, true },
	{ "ptrace", { PTRACE_CONT }, false },
	{ "preadv2", { 3, 0, 0, UINT64_MAX }, true },
	{ "preadv2", { 3, 0, 0, 0 }, false },
};

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(conditions); i++)
		CHECK(sys_row_holds(row_of(conditions[i].name), conditions[i].args) ==
			      conditions[i].holds,
		      "row %zu: %s", i, conditions[i].name);
}

/* Argument places are indices; a wrong one would read beside args[]. */
static void rows_are_sound(void **state)
{
	(void)state;
	for (const struct sys_row *row = sys_rows; row->name; row++) {
		const int8_t places[] = { row->fd,    row->data, row->len,
					  row->flags, row->addr, row->addrlen };

		for (size_t i = 0; i < COUNT(places); i++)
			CHECK(places[i] >= -1 && places[i] < 6, "%s", row->name);
		for (size_t i = 0; i < SYS_CONDS; i++)
			CHECK(row->conds[i].arg < 6 && !(row->conds[i].value & ~row->conds[i].mask),
			      "%s", row->name);
		CHECK(row->op > OP_NONE && row->op < OPS, "%s", row->name);
		CHECK((row->op == OP_DATA) == (row->shape != SHAPE_NONE), "%s", row->name);
		CHECK((row->op == OP_DATA) == (row->dir != SYS_NO_DIR), "%s", row->name);
		CHECK(row->op != OP_DATA || (row->fd >= 0 && row->data >= 0), "%s", row->name);
		CHECK(row->shape == SHAPE_NONE || row->shape == SHAPE_MSG || row->len >= 0, "%s",
		      row->name);
		CHECK(row->when <= WHEN_PINNED, "%s", row->name);
		for (const struct sys_row *other = sys_rows; other < row; other++)
			CHECK(strcmp(other->name, row->name), "%s is there twice", row->name);
	}
}

static int fill(void **state)
{
	(void)state;
	abi_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_by_arch_and_number),
		cmocka_unit_test(unknown_arches),
		cmocka_unit_test(rows_by_number),
		cmocka_unit_test(no_row_by_other_numbers),
		cmocka_unit_test(x32_bit),
		cmocka_unit_test(any_number_is_safe),
		cmocka_unit_test(numbers_by_name),
		cmocka_unit_test(calls_to_inject),
		cmocka_unit_test(socketcalls),
		cmocka_unit_test(rows_hold),
		cmocka_unit_test(rows_are_sound),
	};

	return cmocka_run_group_tests(tests, fill, NULL);
}
