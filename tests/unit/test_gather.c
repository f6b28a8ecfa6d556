#include "capture/gather.h"

#include "base/addr.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/*
 * Memory that this process and a child share at the same place, low enough for 32-bit pointers:
 * page 0 and 1, a hole, page 3, a hole.
 */
#define BASE  0x10000000UL
#define PAGES 5
static size_t page;
static char *base;
static pid_t targets[2];
static struct task task;

#define TOTAL_MAX 0x7ffff000ULL

struct iovec_32 {
	uint32_t base, len;
};

struct msghdr_32 {
	uint32_t name, namelen, iov, iovlen, control, controllen, flags;
};

static uint64_t at(size_t number, long offset)
{
	return BASE + number * page + (uint64_t)offset;
}

static void *ptr(uint64_t addr)
{
	return (void *)(uintptr_t)addr;
}

static const struct abi *abi_named(const char *name)
{
	for (const struct abi *abi = abi_native; abi->name; abi++)
		if (!strcmp(abi->name, name))
			return abi;
	fail_msg("no ABI %s", name);
	return NULL;
}

/* The target is in a call with these arguments. */
static void enter(pid_t tid, const char *abi, const char *name, const uint64_t *args, size_t count)
{
	memset(&task, 0, sizeof(task));
	task.tid = tid;
	task.call.abi = abi_named(abi);
	for (const struct sys_row *row = sys_rows; row->name; row++)
		if (!strcmp(row->name, name))
			task.call.row = row;
	assert_non_null(task.call.row);
	for (size_t i = 0; i < count; i++)
		task.call.args[i] = args[i];
}

#define ENTER(tid, abi, name, ...)                         \
	enter(tid, abi, name, (uint64_t[]){ __VA_ARGS__ }, \
	      sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

static void expect_bytes(struct gather *gather, const char *expected, size_t len)
{
	char data[256] = "";

	assert_int_equal(gather_copy(gather, &task, data, sizeof(data)), len);
	assert_memory_equal(data, expected, len);
	assert_int_equal(gather_copy(gather, &task, data, 3), len < 3 ? len : 3);
	assert_int_equal(gather_copy(gather, &task, data, 0), 0);
	gather_done(gather);
	assert_null(gather->pieces);
	gather_done(gather);
}

static void one_buffer(void **state)
{
	struct gather gather;

	(void)state;
	memcpy(ptr(at(1, -3)), "buffer", 6);
	for (size_t t = 0; t < COUNT(targets); t++) {
		ENTER(targets[t], "x86_64", "write", 5, at(1, -3), 6);
		assert_int_equal(gather_call(&gather, &task), 0);
		assert_int_equal(gather.total, 6);
		expect_bytes(&gather, "buffer", 6);
		ENTER(targets[t], "i386", "sendto", 5, at(1, -3), 6, 0, 0, 0);
		assert_int_equal(gather_call(&gather, &task), 0);
		expect_bytes(&gather, "buffer", 6);
	}
}

static void buffers_that_are_not_there(void **state)
{
	struct gather gather;
	char data[16];

	(void)state;
	memcpy(ptr(at(2, -4)), "tail", 4);
	ENTER(targets[0], "x86_64", "read", 5, at(2, -4), UINT64_MAX);
	assert_int_equal(gather_call(&gather, &task), 0);
	/* No call moves more, whatever is asked for (MAX_RW_COUNT). */
	assert_int_equal(gather.total, TOTAL_MAX);
	assert_int_equal(gather_copy(&gather, &task, data, sizeof(data)), 4);
	assert_memory_equal(data, "tail", 4);
	gather_done(&gather);
	ENTER(targets[0], "x86_64", "read", 5, 0, 10);
	assert_int_equal(gather_call(&gather, &task), 0);
	assert_int_equal(gather_copy(&gather, &task, data, sizeof(data)), 0);
	gather_done(&gather);
	ENTER(targets[0], "x86_64", "read", 5, at(0, 0), 0);
	assert_int_equal(gather_call(&gather, &task), 0);
	assert_int_equal(gather.total, 0);
	assert_int_equal(gather_copy(&gather, &task, data, sizeof(data)), 0);
	gather_done(&gather);
	ENTER(targets[0], "x86_64", "close", 5);
	assert_int_equal(gather_call(&gather, &task), -EINVAL);
	gather_done(&gather);
}

static void put_words(void)
{
	memcpy(ptr(at(0, 0)), "one", 3);
	memcpy(ptr(at(0, 100)), "two", 3);
	memcpy(ptr(at(4, -5)), "three", 5);
}

static void pieces_of_64_bits(void **state)
{
	const struct iovec pieces[] = {
		{ ptr(at(0, 0)), 3 }, { NULL, 0 }, { ptr(at(0, 100)), 3 }, { ptr(at(4, -5)), 5 }
	};
	struct gather gather;

	(void)state;
	put_words();
	/* The array itself across a page border. */
	memcpy(ptr(at(1, -24)), pieces, sizeof(pieces));
	for (size_t t = 0; t < COUNT(targets); t++) {
		ENTER(targets[t], "x86_64", "writev", 5, at(1, -24), COUNT(pieces));
		assert_int_equal(gather_call(&gather, &task), 0);
		assert_int_equal(gather.count, 4);
		assert_int_equal(gather.total, 11);
		expect_bytes(&gather, "onetwothree", 11);
	}
}

static void pieces_of_32_bits(void **state)
{
	static const char *const abis[] = { "i386", "x32" };
	const struct iovec_32 pieces[] = { { (uint32_t)at(0, 0), 3 },
					   { 0xffffffff, 0 },
					   { (uint32_t)at(0, 100), 3 },
					   { (uint32_t)at(4, -5), 5 },
					   { (uint32_t)at(0, 0), 1 } };
	struct gather gather;

	(void)state;
	put_words();
	/* Up to the page's end: nothing behind the narrow ones may be read. */
	memcpy(ptr(at(2, -(long)sizeof(pieces))), pieces, sizeof(pieces));
	for (size_t t = 0; t < COUNT(targets); t++) {
		for (size_t i = 0; i < COUNT(abis); i++) {
			ENTER(targets[t], abis[i], "readv", 5, at(2, -(long)sizeof(pieces)),
			      COUNT(pieces));
			assert_int_equal(gather_call(&gather, &task), 0);
			assert_int_equal(gather.total, 12);
			assert_ptr_equal(gather.pieces[1].iov_base, ptr(0xffffffff));
			expect_bytes(&gather, "onetwothreeo", 12);
		}
	}
}

static void stops_in_a_hole(void **state)
{
	const struct iovec pieces[] = { { ptr(at(0, 0)), 3 },
					{ ptr(at(2, -2)), 9 },
					{ ptr(at(0, 0)), 3 } };
	struct gather gather;

	(void)state;
	put_words();
	memcpy(ptr(at(2, -2)), "xy", 2);
	memcpy(ptr(at(3, 0)), pieces, sizeof(pieces));
	ENTER(targets[0], "x86_64", "writev", 5, at(3, 0), COUNT(pieces));
	assert_int_equal(gather_call(&gather, &task), 0);
	assert_int_equal(gather.total, 15);
	expect_bytes(&gather, "onexy", 5);
}

static void hostile_arrays(void **state)
{
	const struct iovec huge[] = { { ptr(at(0, 0)), 5 },
				      { ptr(at(0, 0)), SIZE_MAX },
				      { ptr(at(0, 0)), SIZE_MAX },
				      { ptr(at(0, 0)), 7 } };
	struct gather gather;

	(void)state;
	ENTER(targets[0], "x86_64", "readv", 5, 0, 0);
	assert_int_equal(gather_iov(&gather, &task, 0, 0), 0);
	assert_int_equal(gather.total, 0);
	gather_done(&gather);
	/* One byte of the array is behind the page. */
	assert_int_equal(gather_iov(&gather, &task, at(2, -31), 2), -EFAULT);
	assert_int_equal(gather.count, 0);
	assert_true(gather.unreadable);
	gather_done(&gather);
	assert_int_equal(gather_iov(&gather, &task, 0, 1), -EFAULT);
	gather_done(&gather);
	assert_int_equal(gather_iov(&gather, &task, UINT64_MAX - 8, 1), -EFAULT);
	gather_done(&gather);
	/* UIO_MAXIOV pieces are the most that a call takes; page 0 has not the room, page 0-1 have. */
	memset(base, 0, 2 * page);
	assert_int_equal(gather_iov(&gather, &task, at(0, 0), 512), 0);
	assert_int_equal(gather.count, 512);
	gather_done(&gather);
	assert_int_equal(gather_iov(&gather, &task, at(0, 0), GATHER_PIECES), -EFAULT);
	gather_done(&gather);
	for (uint64_t count = GATHER_PIECES + 1; count; count <<= 1) {
		assert_int_equal(gather_iov(&gather, &task, at(0, 0), count), -EINVAL);
		gather_done(&gather);
	}
	memcpy(ptr(at(1, 0)), huge, sizeof(huge));
	assert_int_equal(gather_iov(&gather, &task, at(1, 0), COUNT(huge)), 0);
	assert_int_equal(gather.total, TOTAL_MAX);
	assert_int_equal(gather.pieces[3].iov_len, 0);
	gather_done(&gather);
	task.call.abi = abi_named("i386");
	memset(ptr(at(1, 0)), 0xff, 16);
	assert_int_equal(gather_iov(&gather, &task, at(1, 0), 2), 0);
	assert_int_equal(gather.total, TOTAL_MAX);
	gather_done(&gather);
}

static void headers_of_64_bits(void **state)
{
	struct iovec pieces[] = { { ptr(at(0, 0)), 3 }, { ptr(at(4, -5)), 5 } };
	struct msghdr header = { .msg_name = ptr(at(0, 500)),
				 .msg_namelen = 16,
				 .msg_iov = ptr(at(3, 8)),
				 .msg_iovlen = 2,
				 .msg_control = ptr(at(0, 600)),
				 .msg_controllen = 77,
				 .msg_flags = 0x1234 };
	struct gather_msg msg;
	struct gather gather;

	(void)state;
	put_words();
	memcpy(ptr(at(3, 8)), pieces, sizeof(pieces));
	memcpy(ptr(at(2, -(long)sizeof(header))), &header, sizeof(header));
	for (size_t t = 0; t < COUNT(targets); t++) {
		ENTER(targets[t], "x86_64", "sendmsg", 5, at(2, -(long)sizeof(header)), 0);
		assert_int_equal(gather_msghdr(&msg, &task, task.call.args[1]), 0);
		assert_int_equal(msg.name, at(0, 500));
		assert_int_equal(msg.namelen, 16);
		assert_int_equal(msg.iov, at(3, 8));
		assert_int_equal(msg.iovlen, 2);
		assert_int_equal(msg.control, at(0, 600));
		assert_int_equal(msg.controllen, 77);
		assert_int_equal(msg.flags, 0x1234);
		assert_int_equal(gather_call(&gather, &task), 0);
		assert_int_equal(gather.total, 8);
		expect_bytes(&gather, "onethree", 8);
	}
	assert_int_equal(gather_msghdr(&msg, &task, at(2, 1 - (long)sizeof(header))), -EFAULT);
	task.call.args[1] = 0;
	assert_int_equal(gather_call(&gather, &task), -EFAULT);
	gather_done(&gather);
}

static void headers_of_32_bits(void **state)
{
	const struct iovec_32 pieces[] = { { (uint32_t)at(0, 0), 3 }, { (uint32_t)at(4, -5), 5 } };
	const struct msghdr_32 header = {
		.name = (uint32_t)at(0, 500),
		.namelen = 16,
		.iov = (uint32_t)at(3, 8),
		.iovlen = 2,
		.control = 0xfffffff0,
		.controllen = 77,
		.flags = 0x1234,
	};
	struct gather_msg msg;
	struct gather gather;

	(void)state;
	put_words();
	memcpy(ptr(at(3, 8)), pieces, sizeof(pieces));
	memcpy(ptr(at(2, -(long)sizeof(header))), &header, sizeof(header));
	for (size_t t = 0; t < COUNT(targets); t++) {
		ENTER(targets[t], "i386", "recvmsg", 5, at(2, -(long)sizeof(header)), 0);
		assert_int_equal(gather_msghdr(&msg, &task, task.call.args[1]), 0);
		assert_int_equal(msg.name, at(0, 500));
		assert_int_equal(msg.namelen, 16);
		assert_int_equal(msg.iov, at(3, 8));
		assert_int_equal(msg.iovlen, 2);
		assert_int_equal(msg.control, 0xfffffff0);
		assert_int_equal(msg.controllen, 77);
		assert_int_equal(msg.flags, 0x1234);
		assert_int_equal(gather_call(&gather, &task), 0);
		expect_bytes(&gather, "onethree", 8);
	}
}

static void sizes_of_many_messages(void **state)
{
	struct gather gather;

	(void)state;
	ENTER(targets[0], "x86_64", "recvmmsg", 5, at(0, 0), 1);
	assert_int_equal(gather_mmsg_size(&task), sizeof(struct mmsghdr));
	assert_int_equal(gather_mmsg_len_offset(&task), offsetof(struct mmsghdr, msg_len));
	/* Each message is a call of its own to gather. */
	assert_int_equal(gather_call(&gather, &task), -EINVAL);
	gather_done(&gather);
	ENTER(targets[0], "i386", "recvmmsg", 5, at(0, 0), 1);
	assert_int_equal(gather_mmsg_size(&task), sizeof(struct msghdr_32) + 4);
	assert_int_equal(gather_mmsg_len_offset(&task), sizeof(struct msghdr_32));
}

static void addresses(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(80),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const uint64_t where = at(2, -(long)sizeof(in));
	const uint32_t len = sizeof(in);
	const struct {
		uint64_t at, len;
	} nowhere[] = {
		{ where, len - 1 },
		{ where, len + 1 },
		{ where, 0 },
		{ where, UINT64_MAX },
		{ 0, len },
		{ at(0, 0), sizeof(struct sockaddr_storage) + 1 },
	}, nowhere_at[] = {
		{ where, 0 }, { 0, at(0, 0) }, { where, at(2, -2) }, { where, at(0, 4) },
	};
	char text[ADDR_TEXT_MAX];
	struct addr addr;

	(void)state;
	memcpy(ptr(where), &in, sizeof(in));
	memcpy(ptr(at(0, 0)), &len, sizeof(len));
	memset(ptr(at(0, 4)), 0xff, 4);
	for (size_t t = 0; t < COUNT(targets); t++) {
		ENTER(targets[t], "x86_64", "connect", 5, where, len);
		gather_addr(&addr, &task, where, len);
		assert_string_equal(addr_format(&addr, text), "127.0.0.1:80");
		gather_addr_at(&addr, &task, where, at(0, 0));
		assert_string_equal(addr_format(&addr, text), "127.0.0.1:80");
	}
	for (size_t i = 0; i < COUNT(nowhere); i++) {
		memset(&addr, 0xff, sizeof(addr));
		gather_addr(&addr, &task, nowhere[i].at, nowhere[i].len);
		CHECK(!addr.len, "row %zu", i);
	}
	for (size_t i = 0; i < COUNT(nowhere_at); i++) {
		memset(&addr, 0xff, sizeof(addr));
		gather_addr_at(&addr, &task, nowhere_at[i].at, nowhere_at[i].len);
		CHECK(!addr.len, "row %zu", i);
	}
}

static void nobody_is_there(void **state)
{
	struct gather_msg msg;
	struct gather gather;
	struct addr addr;
	char data[8];
	pid_t pid = fork();

	(void)state;
	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	ENTER(pid, "x86_64", "writev", 5, at(0, 0), 2);
	assert_int_equal(gather_call(&gather, &task), -ESRCH);
	gather_done(&gather);
	assert_int_equal(gather_msghdr(&msg, &task, at(0, 0)), -ESRCH);
	gather_addr(&addr, &task, at(0, 0), 16);
	assert_int_equal(addr.len, 0);
	ENTER(pid, "x86_64", "write", 5, at(0, 0), 2);
	assert_int_equal(gather_call(&gather, &task), 0);
	assert_int_equal(gather_copy(&gather, &task, data, sizeof(data)), -ESRCH);
	gather_done(&gather);
}

static int start(void **state)
{
	(void)state;
	page = (size_t)sysconf(_SC_PAGESIZE);
	base = mmap((void *)BASE, PAGES * page, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (base != (void *)BASE)
		return -1;
	munmap(base + 2 * page, page);
	munmap(base + 4 * page, page);
	targets[0] = fork();
	if (!targets[0]) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	targets[1] = getpid();
	return 0;
}

static int end(void **state)
{
	(void)state;
	kill(targets[0], SIGKILL);
	waitpid(targets[0], NULL, 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_buffer),         cmocka_unit_test(buffers_that_are_not_there),
		cmocka_unit_test(pieces_of_64_bits),  cmocka_unit_test(pieces_of_32_bits),
		cmocka_unit_test(stops_in_a_hole),    cmocka_unit_test(hostile_arrays),
		cmocka_unit_test(headers_of_64_bits), cmocka_unit_test(headers_of_32_bits),
		cmocka_unit_test(addresses),          cmocka_unit_test(sizes_of_many_messages),
		cmocka_unit_test(nobody_is_there),
	};

	return cmocka_run_group_tests(tests, start, end);
}
