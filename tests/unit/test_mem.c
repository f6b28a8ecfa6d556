#include "tracer/mem.h"

#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/*
 * Pages that are there: 0, 1 and 3; 2 and 4 are holes. Each is filled with its own bytes. The child
 * has them at the same place, and this process is a target, too.
 */
#define PAGES 5
static char *base;
static size_t page;
static pid_t targets[2];
static bool forbidden; /* process_vm_readv and process_vm_writev */

static uint64_t at(size_t number, long offset)
{
	return (uint64_t)(uintptr_t)base + number * page + (uint64_t)offset;
}

static pid_t gone_pid(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

struct read_case {
	uint64_t addr;
	size_t len;
	ssize_t expected;
};

static void reads_up_to_the_hole(void **state)
{
	const struct read_case cases[] = {
		{ at(0, 0), 0, 0 },
		{ at(0, 0), 1, 1 },
		{ at(0, 0), 2 * page, (ssize_t)(2 * page) },
		{ at(1, -8), 16, 16 },
		{ at(2, -8), 8, 8 },
		{ at(2, -8), 16, 8 },
		{ at(2, -1), 3 * page, 1 },
		{ at(0, 5), 5 * page, (ssize_t)(2 * page - 5) },
		{ at(2, 0), 1, 0 },
		{ at(3, -1), 2, 0 },
		{ at(4, -3), 10, 3 },
		{ 0, 1, 0 },
		{ 1, 100, 0 },
		{ UINT64_MAX, 1, 0 },
		{ UINT64_MAX - 3, 8, 0 },
		{ 0xffffffff80000000ULL, 8, 0 },
		{ 1ULL << 47, 8, 0 },
	};
	char *data = malloc(PAGES * page);

	(void)state;
	for (size_t t = 0; t < COUNT(targets); t++) {
		for (size_t i = 0; i < COUNT(cases); i++) {
			const struct read_case *c = &cases[i];
			ssize_t n = mem_read(targets[t], c->addr, data, c->len);

			CHECK(n == c->expected, "row %zu, target %zu: %zd", i, t, n);
			if (n)
				assert_memory_equal(data, (void *)(uintptr_t)c->addr, (size_t)n);
			assert_int_equal(mem_read_all(targets[t], c->addr, data, c->len),
					 c->expected == (ssize_t)c->len ? 0 : -EFAULT);
		}
	}
	free(data);
}

static void nobody_is_there(void **state)
{
	pid_t gone = gone_pid();
	struct iovec pieces[2] = { { base, 4 }, { base, 4 } };
	char data[16] = "";

	(void)state;
	assert_int_equal(mem_read(gone, at(0, 0), data, 8), -ESRCH);
	assert_int_equal(mem_read_all(gone, at(0, 0), data, 8), -ESRCH);
	assert_int_equal(mem_write(gone, at(0, 0), data, 8), -ESRCH);
	assert_int_equal(mem_read_string(gone, at(0, 0), data, 8), -ESRCH);
	assert_int_equal(mem_gather(gone, pieces, 1, data, 8), -ESRCH);
	assert_int_equal(mem_gather(gone, pieces, 2, data, 8), -ESRCH);
}

/* Killed and not yet waited for, as the loop finds them: its memory is gone. */
static void a_zombie_has_no_memory(void **state)
{
	pid_t pid = fork();
	siginfo_t info;
	char data[8];
	ssize_t n;

	(void)state;
	if (!pid)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	n = mem_read(pid, at(0, 0), data, sizeof(data));
	if (!forbidden)
		assert_int_equal(n, -ESRCH);
	assert_true(n <= 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void writes_all_or_fails(void **state)
{
	char before[8], data[8];

	(void)state;
	for (size_t t = 0; t < COUNT(targets); t++) {
		pid_t pid = targets[t];

		assert_int_equal(mem_read_all(pid, at(1, -4), before, 8), 0);
		assert_int_equal(mem_write(pid, at(1, -4), "new text", 8), 0);
		assert_int_equal(mem_read_all(pid, at(1, -4), data, 8), 0);
		assert_memory_equal(data, "new text", 8);
		assert_int_equal(mem_write(pid, at(1, -4), before, 8), 0);
		assert_int_equal(mem_write(pid, at(2, 0), "x", 1), -EFAULT);
		assert_int_equal(mem_write(pid, at(2, -1), "xx", 2), -EFAULT);
		assert_int_equal(mem_write(pid, 8, "x", 1), -EFAULT);
		assert_int_equal(mem_write(pid, UINT64_MAX, "x", 1), -EFAULT);
		/* Back to what it was: a part may have been written. */
		assert_int_equal(mem_write(pid, at(2, -1), base + page, 1), 0);
	}
}

static void strings(void **state)
{
	static const char long_text[] = "a text across two pages";
	char text[64], *end = base + 2 * page;

	(void)state;
	strcpy(base + page - 6, long_text);
	memcpy(end - 6, "ended", 6);
	memset(base + 3 * page, 0, 1);
	for (size_t t = 0; t < COUNT(targets); t++) {
		pid_t pid = targets[t];

		if (pid != getpid()) {
			mem_write(pid, at(1, -6), long_text, sizeof(long_text));
			mem_write(pid, at(2, -6), "ended", 6);
			mem_write(pid, at(3, 0), "", 1);
		}
		memset(text, '?', sizeof(text));
		assert_int_equal(mem_read_string(pid, at(1, -6), text, sizeof(text)),
				 strlen(long_text));
		assert_string_equal(text, long_text);
		assert_int_equal(mem_read_string(pid, at(2, -6), text, sizeof(text)), 5);
		assert_string_equal(text, "ended");
		assert_int_equal(mem_read_string(pid, at(3, 0), text, sizeof(text)), 0);
		assert_string_equal(text, "");
		/* Cut to what there is room for, also where the page ends there. */
		assert_int_equal(mem_read_string(pid, at(1, -6), text, 7), 6);
		assert_string_equal(text, "a text");
		assert_int_equal(mem_read_string(pid, at(2, -6), text, 6), 5);
		assert_string_equal(text, "ended");
		assert_int_equal(mem_read_string(pid, at(2, -3), text, 3), 2);
		assert_string_equal(text, "ed");
		assert_int_equal(mem_read_string(pid, at(1, -6), text, 1), 0);
		assert_string_equal(text, "");
		assert_int_equal(mem_read_string(pid, at(2, 0), text, sizeof(text)), -EFAULT);
		assert_int_equal(mem_read_string(pid, UINT64_MAX, text, sizeof(text)), -EFAULT);
		assert_int_equal(mem_read_string(pid, 0, text, sizeof(text)), -EFAULT);
		assert_int_equal(mem_write(pid, at(2, -1), "!", 1), 0);
		assert_int_equal(mem_read_string(pid, at(2, -6), text, sizeof(text)), -EFAULT);
		assert_int_equal(mem_read_string(pid, at(2, -6), text, 7), 6);
		assert_string_equal(text, "ended!");
	}
}

struct piece {
	uint64_t addr;
	size_t len;
};

struct gather_case {
	const char *what;
	struct piece pieces[5];
	size_t count;
	size_t len;
	ssize_t expected;
};

static void expect_gathered(pid_t pid, const struct gather_case *c)
{
	struct iovec pieces[5];
	char *data = malloc(c->len + 1);
	size_t done = 0, n;
	ssize_t got;

	for (size_t i = 0; i < c->count; i++)
		pieces[i] =
			(struct iovec){ (void *)(uintptr_t)c->pieces[i].addr, c->pieces[i].len };
	got = mem_gather(pid, pieces, c->count, data, c->len);
	CHECK(got == c->expected, "%s: %zd", c->what, got);
	for (size_t i = 0; i < c->count && done < (size_t)got; i++, done += n) {
		n = c->pieces[i].len < (size_t)got - done ? c->pieces[i].len : (size_t)got - done;
		if (n)
			assert_memory_equal(data + done, (void *)(uintptr_t)c->pieces[i].addr, n);
	}
	free(data);
}

static void gathers_up_to_the_hole(void **state)
{
	const struct gather_case cases[] = {
		{ "none", { { 0 } }, 0, 10, 0 },
		{ "one", { { at(0, 0), 10 } }, 1, 10, 10 },
		{ "one, cut", { { at(0, 0), 10 } }, 1, 4, 4 },
		{ "one, more room", { { at(0, 0), 10 } }, 1, 400, 10 },
		{ "one into a hole", { { at(2, -7), 10 } }, 1, 10, 7 },
		{ "two", { { at(0, 0), 10 }, { at(3, 5), 20 } }, 2, 30, 30 },
		{ "two, cut in the first", { { at(0, 0), 10 }, { at(3, 5), 20 } }, 2, 3, 3 },
		{ "two, cut in the second", { { at(0, 0), 10 }, { at(3, 5), 20 } }, 2, 13, 13 },
		{ "no room", { { at(0, 0), 10 }, { at(3, 5), 20 } }, 2, 0, 0 },
		{ "the same twice", { { at(0, 0), 10 }, { at(0, 0), 10 } }, 2, 20, 20 },
		{ "second in a hole", { { at(0, 0), 10 }, { at(2, 5), 20 } }, 2, 30, 10 },
		{ "first in a hole", { { at(2, 0), 10 }, { at(0, 5), 20 } }, 2, 30, 0 },
		{ "stops in the hole",
		  { { at(0, 0), 10 }, { at(2, -6), 8 }, { at(0, 0), 10 } },
		  3,
		  28,
		  16 },
		{ "borders of pages",
		  { { at(1, -3), 6 }, { at(2, -1), 1 }, { at(3, 0), 2 }, { at(4, -2), 2 } },
		  4,
		  11,
		  11 },
		{ "empty pieces in holes",
		  { { at(2, 0), 0 }, { at(0, 0), 5 }, { 0, 0 }, { at(3, 0), 5 }, { at(4, 0), 0 } },
		  5,
		  10,
		  10 },
		{ "all empty", { { at(0, 0), 0 }, { 0, 0 } }, 2, 10, 0 },
		{ "nowhere", { { 0, 8 }, { UINT64_MAX, 8 } }, 2, 16, 0 },
		{ "longer than any", { { at(0, 0), 8 }, { at(0, 8), SIZE_MAX } }, 2, 16, 16 },
		{ "whole pages",
		  { { at(0, 0), 2 * page }, { at(3, 0), page } },
		  2,
		  3 * page,
		  (ssize_t)(3 * page) },
		{ "whole pages into a hole",
		  { { at(3, 0), page }, { at(0, 0), 3 * page }, { at(3, 0), page } },
		  3,
		  5 * page,
		  (ssize_t)(3 * page) },
	};

	(void)state;
	for (size_t t = 0; t < COUNT(targets); t++)
		for (size_t i = 0; i < COUNT(cases); i++)
			expect_gathered(targets[t], &cases[i]);
}

static void gathers_many(void **state)
{
	static const size_t counts[] = { IOV_MAX - 1, IOV_MAX, IOV_MAX + 1, 3 * IOV_MAX };

	(void)state;
	for (size_t i = 0; i < COUNT(counts); i++) {
		size_t count = counts[i];
		struct iovec *pieces = malloc(count * sizeof(*pieces));
		char *data = malloc(count);

		for (size_t p = 0; p < count; p++)
			pieces[p] = (struct iovec){ base + count - p, 1 };
		assert_int_equal(mem_gather(targets[0], pieces, count, data, count), count);
		for (size_t p = 0; p < count; p++)
			assert_int_equal(data[p], base[count - p]);
		pieces[count - 2].iov_base = base + 2 * page;
		assert_int_equal(mem_gather(targets[0], pieces, count, data, count), count - 2);
		free(pieces);
		free(data);
	}
}

static int start(void **state)
{
	int ready[2];
	char c;

	(void)state;
	page = (size_t)sysconf(_SC_PAGESIZE);
	base = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED || pipe2(ready, O_CLOEXEC))
		return -1;
	for (size_t i = 0; i < PAGES * page; i++)
		base[i] = (char)(1 + i * 7 % 251);
	munmap(base + 2 * page, page);
	munmap(base + 4 * page, page);
	targets[0] = fork();
	if (!targets[0]) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	targets[1] = getpid();
	if (read(ready[0], &c, 1) != 1)
		return -1;
	close(ready[0]);
	close(ready[1]);
	return 0;
}

static int end(void **state)
{
	(void)state;
	kill(targets[0], SIGKILL);
	waitpid(targets[0], NULL, 0);
	munmap(base, 2 * page);
	munmap(base + 3 * page, page);
	return 0;
}

/* As some containers' profiles do. */
static bool forbid_vm_calls(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_writev, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT(code), code };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_up_to_the_hole),
		cmocka_unit_test(nobody_is_there),
		cmocka_unit_test(a_zombie_has_no_memory),
		cmocka_unit_test(writes_all_or_fails),
		cmocka_unit_test(gathers_up_to_the_hole),
		cmocka_unit_test(gathers_many),
		cmocka_unit_test(strings),
	};
	int failed = cmocka_run_group_tests_name("process_vm_readv", tests, start, end);

	forbidden = forbid_vm_calls();
	if (forbidden)
		failed += cmocka_run_group_tests_name("/proc/PID/mem", tests, start, end);
	return failed;
}
