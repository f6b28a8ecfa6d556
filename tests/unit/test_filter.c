#include "tracer/filter.h"

#include "abi/abi.h"
#include "numbers.h"
#include "unit.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ALWAYS FILTER_WANT(WHEN_ALWAYS)
#define WIDE   FILTER_WANT(WHEN_WIDE)
#define PINNED FILTER_WANT(WHEN_PINNED)
#define NAMED  FILTER_WANT(WHEN_NAMED)
#define FILES  FILTER_WANT(WHEN_FILES)
#define NEVER  0U

#define SOMEWHERE 0x7f0123456789ULL
#define HIGH      0xdeadbeef00000000ULL
#define TRACE     (SECCOMP_RET_TRACE | FILTER_TRACE_DATA)

/* By the bits of what is wanted. */
static struct sock_fprog filters[ALWAYS + WIDE + NAMED + FILES + PINNED + 1];

/* How the kernel came to an answer. */
struct answer {
	uint32_t action;
	bool cacheable; /* from number and architecture alone: seccomp_is_const_allow in the kernel */
};

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t word;

	assert_true(offset % 4 == 0 && offset < sizeof(*data));
	memcpy(&word, (const char *)data + offset, sizeof(word));
	return word;
}

static bool jump_holds(uint16_t op, uint32_t a, uint32_t k)
{
	switch (op) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return a & k;
	default:
		fail_msg("jump %#x", op);
		return false;
	}
}

static struct answer ask(const struct sock_fprog *program, const struct seccomp_data *data)
{
	struct answer answer = { .cacheable = true };
	uint32_t a = 0;

	for (size_t pc = 0; pc < program->len; pc++) {
		const struct sock_filter *insn = &program->filter[pc];

		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (insn->k != offsetof(struct seccomp_data, nr) &&
			    insn->k != offsetof(struct seccomp_data, arch))
				answer.cacheable = false;
			a = load(data, insn->k);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= insn->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += insn->k;
			break;
		case BPF_RET | BPF_K:
			answer.action = insn->k;
			return answer;
		default:
			if (BPF_CLASS(insn->code) != BPF_JMP || BPF_SRC(insn->code) != BPF_K)
				fail_msg("instruction %#x", insn->code);
			pc += jump_holds(BPF_OP(insn->code), a, insn->k) ? insn->jt : insn->jf;
		}
	}
	fail_msg("ran over the end");
	return answer;
}

enum { X86_64, I386, X32 };

static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_X86_64 };
static const struct number *const numbers[] = { numbers_x86_64, numbers_i386, numbers_x32 };
static const char *const names[] = { "x86_64", "i386", "x32" };

static unsigned int nr_of(int abi, const char *name)
{
	for (const struct number *n = numbers[abi]; n->name; n++)
		if (!strcmp(n->name, name))
			return n->nr;
	fail_msg("no number for %s", name);
	return 0;
}

static struct seccomp_data data_of(int abi, uint32_t nr, const uint64_t *args, uint64_t ip)
{
	struct seccomp_data data = { .nr = (int)nr,
				     .arch = arches[abi],
				     .instruction_pointer = ip };

	if (args)
		memcpy(data.args, args, sizeof(data.args));
	return data;
}

/* traced: the filters that stop on it. */
static void expect(const struct seccomp_data *data, unsigned int traced, const char *what)
{
	for (unsigned int wanted = 1; wanted < COUNT(filters); wanted++) {
		if (!filters[wanted].filter)
			continue;
		uint32_t action = ask(&filters[wanted], data).action;

		CHECK(action == (wanted & traced ? TRACE : SECCOMP_RET_ALLOW),
		      "%s, filter %#x, arch %#x, nr %d: %#x", what, wanted, data->arch, data->nr,
		      action);
	}
}

static const struct {
	int abi;
	const char *name;
	uint64_t args[6];
	unsigned int traced;
} by_name[] = {
	{ X86_64, "socket", { AF_INET, SOCK_STREAM }, ALWAYS },
	{ I386, "socket", { AF_INET, SOCK_STREAM }, ALWAYS },
	{ X32, "socket", { AF_INET, SOCK_STREAM }, ALWAYS },
	{ X86_64, "recvmsg", { 0 }, ALWAYS },
	{ I386, "recvmsg", { 0 }, ALWAYS },
	{ X32, "recvmsg", { 0 }, ALWAYS },
	{ X86_64, "clone3", { 0 }, ALWAYS },
	{ X86_64, "read", { 0 }, WIDE },
	{ I386, "read", { 0 }, WIDE },
	{ X32, "read", { 0 }, WIDE },
	{ X86_64, "write", { UINT64_MAX, UINT64_MAX, UINT64_MAX }, WIDE },
	{ X86_64, "close", { 0 }, WIDE },
	{ X32, "sendto", { 0 }, NAMED },
	{ X86_64, "connect", { 0 }, NAMED },
	{ X86_64, "recvmmsg", { 0 }, ALWAYS },
	{ I386, "recvmmsg_time64", { 0 }, ALWAYS },
	{ X86_64, "pread64", { 0 }, FILES },
	{ X86_64, "execve", { 0 }, WIDE },
	{ X86_64, "io_uring_setup", { 0 }, ALWAYS },
	{ X86_64, "sched_getaffinity", { 0 }, PINNED },
	{ I386, "sched_setaffinity", { 0 }, PINNED },
	/* Conditions see 32 bits of an argument: what is above must not matter. */
	{ X86_64, "fcntl", { 3, F_DUPFD, 0 }, WIDE },
	{ X86_64, "fcntl", { 3, F_DUPFD_CLOEXEC, 0 }, WIDE },
	{ X86_64, "fcntl", { 3, HIGH | F_DUPFD, 0 }, WIDE },
	{ X86_64, "fcntl", { 3, HIGH | F_DUPFD_CLOEXEC, 0 }, WIDE },
	{ X86_64, "fcntl", { F_DUPFD, F_GETFL, F_DUPFD }, NEVER },
	{ X86_64, "fcntl", { 3, HIGH | F_SETFL, 0 }, NEVER },
	{ X86_64, "fcntl", { 3, 0xffffffff, 0 }, NEVER },
	{ I386, "fcntl", { 3, F_DUPFD, 0 }, WIDE },
	{ I386, "fcntl64", { 3, F_DUPFD_CLOEXEC, 0 }, WIDE },
	{ I386, "fcntl64", { 3, F_GETFL, 0 }, NEVER },
	{ X32, "fcntl", { 3, F_DUPFD, 0 }, WIDE },
	{ X86_64, "clone", { CLONE_VM | CLONE_FILES | CLONE_THREAD, 0 }, NEVER },
	{ X86_64, "clone", { CLONE_UNTRACED, 0 }, ALWAYS },
	{ X86_64, "clone", { CLONE_UNTRACED | CLONE_VM | 17, 0 }, ALWAYS },
	{ X86_64, "clone", { HIGH | CLONE_UNTRACED, 0 }, ALWAYS },
	{ X86_64, "clone", { HIGH | CLONE_VM, 0 }, NEVER },
	{ X86_64, "clone", { 17, CLONE_UNTRACED, CLONE_UNTRACED }, NEVER },
	{ I386, "clone", { CLONE_UNTRACED, 0 }, ALWAYS },
	{ X32, "clone", { CLONE_UNTRACED, 0 }, ALWAYS },
	{ X86_64, "prctl", { PR_SET_NAME, 0 }, ALWAYS },
	{ X86_64, "prctl", { PR_SET_SECCOMP, 0 }, ALWAYS },
	{ X86_64, "prctl", { HIGH | PR_SET_NAME, 0 }, ALWAYS },
	{ X86_64, "prctl", { HIGH | PR_SET_SECCOMP, 0 }, ALWAYS },
	{ X86_64, "prctl", { PR_GET_NAME, PR_SET_NAME }, NEVER },
	{ X86_64, "prctl", { PR_SET_NO_NEW_PRIVS, 1 }, NEVER },
	{ I386, "prctl", { PR_SET_NAME, 0 }, ALWAYS },
	{ X32, "prctl", { PR_SET_SECCOMP, 0 }, ALWAYS },
	{ X86_64, "getsockopt", { 3, SOL_SOCKET, SO_ERROR }, WIDE },
	{ X86_64, "getsockopt", { 3, SOL_SOCKET, HIGH | SO_ERROR }, WIDE },
	{ X86_64, "getsockopt", { 3, SOL_SOCKET, SO_TYPE }, NEVER },
	{ X86_64, "getsockopt", { SO_ERROR, SO_ERROR, SO_TYPE }, NEVER },
	{ X86_64, "getsockopt", { 3, SOL_TCP, TCP_ZEROCOPY_RECEIVE }, WIDE },
	{ X86_64, "setsockopt", { 3, 282, SO_ERROR }, ALWAYS },
	{ X86_64, "setsockopt", { 3, HIGH | 263, 0 }, ALWAYS },
	{ X86_64, "setsockopt", { 3, HIGH | 283, 0 }, ALWAYS },
	{ X86_64, "setsockopt", { 3, HIGH | SOL_SOCKET, 282 }, NEVER },
	{ I386, "setsockopt", { 3, 282, 0 }, ALWAYS },
	{ X86_64, "ptrace", { PTRACE_TRACEME, 0 }, ALWAYS },
	{ X86_64, "ptrace", { HIGH | PTRACE_ATTACH, 0 }, ALWAYS },
	{ I386, "ptrace", { PTRACE_SEIZE, 0 }, ALWAYS },
	{ X86_64, "ptrace", { PTRACE_CONT, 0 }, NEVER },
	/* Sockets refuse an offset; -1 is none. */
	{ X86_64, "preadv2", { 3, 0, 0, UINT64_MAX }, WIDE },
	{ X86_64, "preadv2", { 3, 0, 0, 0xffffffff }, WIDE },
	{ X86_64, "preadv2", { 3, 0, 0, 0 }, NEVER },
	{ X86_64, "pwritev2", { 3, 0, 0, HIGH | 4096 }, NEVER },
	{ X86_64, "unshare", { CLONE_FILES, 0 }, ALWAYS },
	{ X86_64, "unshare", { CLONE_FILES | CLONE_NEWNET, 0 }, ALWAYS },
	{ X86_64, "unshare", { HIGH | CLONE_FILES, 0 }, ALWAYS },
	{ X86_64, "unshare", { HIGH | CLONE_NEWNET, 0 }, NEVER },
};

static void calls_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(by_name); i++) {
		struct seccomp_data data =
			data_of(by_name[i].abi, nr_of(by_name[i].abi, by_name[i].name),
				by_name[i].args, SOMEWHERE);

		expect(&data, by_name[i].traced, by_name[i].name);
	}
}

static const struct {
	int abi;
	uint32_t nr;
	uint64_t arg;
	unsigned int traced;
} by_number[] = {
	{ X86_64, 41, 0, ALWAYS }, /* socket */
	{ I386, 41, 0, WIDE },     /* dup */
	{ X86_64, 0, 0, WIDE },    /* read */
	{ I386, 0, 0, NEVER },     /* restart_syscall */
	{ X86_64, 202, 0, NEVER }, /* futex */
	{ X86_64, 60, 0, NEVER },  /* exit */
	{ X86_64, 9, 0, NEVER },   /* mmap */
	/* i386's socketcall: which call it is stands in argument 0, what it is for in memory. */
	{ I386, 102, 1, ALWAYS },  /* socket */
	{ I386, 102, 3, NAMED },   /* connect */
	{ I386, 102, 10, WIDE },   /* recv */
	{ I386, 102, 14, ALWAYS }, /* setsockopt */
	{ I386, 102, 15, WIDE },   /* getsockopt */
	{ I386, 102, 16, NAMED },  /* sendmsg */
	{ I386, 102, 17, ALWAYS }, /* recvmsg */
	{ I386, 102, 20, NAMED },  /* sendmmsg */
	{ I386, 102, 6, NEVER },   /* getsockname */
	{ I386, 102, 0, NEVER },
	{ I386, 102, 21, NEVER },
	{ I386, 102, 99, NEVER },
	/* The number that skips a call, and what the x32 bit makes of x86-64's. */
	{ X86_64, 0xffffffff, 0, NEVER },
	{ I386, 0xffffffff, 0, NEVER },
	{ X86_64, 0x40000000 | 45, 0, NEVER },
	{ X86_64, 0x80000000 | 41, 0, NEVER },
	{ X86_64, 0xc0000000 | 41, 0, NEVER },
	{ I386, 0x40000000 | 359, 0, NEVER },
	{ I386, 0x80000000, 0, NEVER },
};

static void calls_by_number(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(by_number); i++) {
		uint64_t args[6] = { by_number[i].arg };
		struct seccomp_data data =
			data_of(by_number[i].abi, by_number[i].nr, args, SOMEWHERE);

		expect(&data, by_number[i].traced, "by number");
	}
}

/* The filter and the table that the tracer finds rows by must be of one opinion. */
static void every_row_and_nothing_else(void **state)
{
	(void)state;
	for (const struct abi *abi = abi_native; abi->name; abi++) {
		for (uint32_t nr = 0; nr < 1024; nr++) {
			const struct sys_row *row = abi_row(abi, nr | abi->nr_bit);
			/* socketcall with argument 0 is none of its calls. */
			struct seccomp_data data = { .nr = (int)(nr | abi->nr_bit),
						     .arch = abi->audit_arch,
						     .instruction_pointer = SOMEWHERE };

			if (!row || !row->conds[0].mask)
				expect(&data, row ? FILTER_WANT(row->when) : NEVER,
				       row ? row->name : "no row");
			for (size_t i = 0; row && i < SYS_CONDS && row->conds[i].mask; i++) {
				memset(data.args, 0xee, sizeof(data.args));
				data.args[row->conds[i].arg] = HIGH | row->conds[i].value;
				expect(&data, FILTER_WANT(row->when), row->name);
			}
		}
	}
}

/* As on a kernel that does not have it: programs fall back to the calls that we see. */
static void io_uring_can_be_denied(void **state)
{
	static const uint32_t action = SECCOMP_RET_ERRNO | ENOSYS;
	struct sock_fprog program;

	(void)state;
	assert_int_equal(filter_make(ALWAYS | FILTER_NO_IO_URING, &program), 0);
	for (int abi = X86_64; abi <= X32; abi++) {
		struct seccomp_data data =
			data_of(abi, nr_of(abi, "io_uring_setup"), NULL, SOMEWHERE);

		assert_int_equal(ask(&program, &data).action, action);
		data.instruction_pointer = FILTER_TRUSTED_PAGE;
		assert_int_equal(ask(&program, &data).action, action);
		data = data_of(abi, nr_of(abi, "socket"), NULL, SOMEWHERE);
		assert_int_equal(ask(&program, &data).action, TRACE);
	}
	filter_done(&program);
}

static void unknown_arches_pass(void **state)
{
	static const uint32_t unknown[] = { AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, 0, 0xffffffff };

	(void)state;
	for (size_t i = 0; i < COUNT(unknown); i++) {
		for (uint32_t nr = 0; nr < 600; nr++) {
			struct seccomp_data data = { .nr = (int)nr,
						     .arch = unknown[i],
						     .instruction_pointer = SOMEWHERE };

			expect(&data, NEVER, "unknown");
		}
	}
}

static void the_trusted_page_passes(void **state)
{
	static const struct {
		uint64_t ip;
		bool trusted;
	} ips[] = {
		{ FILTER_TRUSTED_PAGE, true },
		{ FILTER_TRUSTED_PAGE + 2, true },
		{ FILTER_TRUSTED_PAGE + FILTER_TRUSTED_SIZE - 1, true },
		{ FILTER_TRUSTED_PAGE - 1, false },
		{ FILTER_TRUSTED_PAGE + FILTER_TRUSTED_SIZE, false },
		{ FILTER_TRUSTED_PAGE | 1ULL << 32, false },
		{ FILTER_TRUSTED_PAGE | 1ULL << 63, false },
		{ FILTER_TRUSTED_PAGE | HIGH, false },
		{ FILTER_TRUSTED_PAGE << 32, false },
		{ 0, false },
		{ UINT64_MAX, false },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(by_name); n++) {
		for (size_t i = 0; i < COUNT(ips); i++) {
			struct seccomp_data data =
				data_of(by_name[n].abi, nr_of(by_name[n].abi, by_name[n].name),
					by_name[n].args, ips[i].ip);

			expect(&data, ips[i].trusted ? NEVER : by_name[n].traced, by_name[n].name);
		}
	}
}

/* Linux 5.11 keeps a bitmap of the numbers that pass whatever the arguments are. */
static void untraced_calls_are_cacheable(void **state)
{
	(void)state;
	for (int abi = X86_64; abi <= X32; abi++) {
		for (uint32_t nr = 0; nr < 1024; nr++) {
			struct seccomp_data data =
				data_of(abi, abi == X32 ? nr | 0x40000000 : nr, NULL, SOMEWHERE);
			const struct abi *known = abi_find(data.arch, (uint32_t)data.nr);

			if (abi_row(known, (uint32_t)data.nr) || (abi == I386 && nr == 102))
				continue;
			for (unsigned int wanted = 1; wanted < COUNT(filters); wanted++)
				CHECK(!filters[wanted].filter ||
					      ask(&filters[wanted], &data).cacheable,
				      "%s %u, filter %#x", names[abi], nr, wanted);
		}
	}
}

/* A row that the other filter stops on is as free here as any. */
static void other_rows_are_cacheable(void **state)
{
	struct seccomp_data data = data_of(X86_64, 0, NULL, SOMEWHERE);

	(void)state;
	assert_true(ask(&filters[ALWAYS], &data).cacheable);
	data.nr = (int)nr_of(X86_64, "socket");
	assert_true(ask(&filters[WIDE], &data).cacheable);
	data.nr = (int)nr_of(X86_64, "sched_getaffinity");
	assert_true(ask(&filters[ALWAYS], &data).cacheable);
	assert_true(ask(&filters[WIDE], &data).cacheable);
}

static void nothing_wanted(void **state)
{
	struct seccomp_data data = data_of(X86_64, 41, NULL, SOMEWHERE);
	struct sock_fprog program;

	(void)state;
	assert_int_equal(filter_make(0, &program), 0);
	assert_int_equal(ask(&program, &data).action, SECCOMP_RET_ALLOW);
	filter_done(&program);
	assert_null(program.filter);
	assert_int_equal(program.len, 0);
}

typedef long trusted_call(long nr, long a, long b, long c);

/* mov %rdi,%rax; mov %rsi,%rdi; mov %rdx,%rsi; mov %rcx,%rdx; syscall; ret */
static const uint8_t trusted_code[] = { 0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89,
					0xd6, 0x48, 0x89, 0xca, 0x0f, 0x05, 0xc3 };

/* Returns the number of the step that failed. A traced call without a tracer gets ENOSYS. */
static int try_in_child(const struct sock_fprog *program)
{
	void *page = mmap((void *)FILTER_TRUSTED_PAGE, FILTER_TRUSTED_SIZE,
			  PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	trusted_call *call = (trusted_call *)(uintptr_t)page;

	if (page != (void *)FILTER_TRUSTED_PAGE)
		return 1;
	memcpy(page, trusted_code, sizeof(trusted_code));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 2;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program))
		return 3;
	if (syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0) != -1 || errno != ENOSYS)
		return 4;
	if (syscall(SYS_getpid) != getpid())
		return 5;
	if (call(SYS_socket, AF_UNIX, SOCK_STREAM, 0) < 0)
		return 6;
	if (syscall(SYS_prctl, HIGH | PR_SET_NAME, "x") != -1 || errno != ENOSYS)
		return 7;
	if (syscall(SYS_prctl, PR_GET_DUMPABLE) < 0)
		return 8;
	return 0;
}

static void the_kernel_agrees(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid)
		_exit(try_in_child(&filters[ALWAYS]));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int make(void **state)
{
	/* Each alone, and what the tracer makes of them. */
	static const unsigned int wanted[] = {
		ALWAYS,          WIDE,
		NAMED,           FILES,
		PINNED,          ALWAYS | NAMED,
		WIDE | NAMED,    WIDE | FILES | NAMED,
		ALWAYS | PINNED, ALWAYS | WIDE | NAMED | FILES | PINNED,
	};

	(void)state;
	abi_init();
	for (size_t i = 0; i < COUNT(wanted); i++)
		if (filter_make(wanted[i], &filters[wanted[i]]))
			return -1;
	return 0;
}

static int done(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(filters); i++)
		filter_done(&filters[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_by_name),
		cmocka_unit_test(calls_by_number),
		cmocka_unit_test(every_row_and_nothing_else),
		cmocka_unit_test(io_uring_can_be_denied),
		cmocka_unit_test(unknown_arches_pass),
		cmocka_unit_test(the_trusted_page_passes),
		cmocka_unit_test(untraced_calls_are_cacheable),
		cmocka_unit_test(other_rows_are_cacheable),
		cmocka_unit_test(nothing_wanted),
		cmocka_unit_test(the_kernel_agrees),
	};

	return cmocka_run_group_tests(tests, make, done);
}
