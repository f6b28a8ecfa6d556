/*
 * Calls on a socket whose bytes the kernel encrypts, told as the tracer tells them: here they need no
 * kernel that can (tests/prog/ktls.c does). The process that "makes" them is this one.
 */
#include "base/own.h"
#include "capture/state.h"
#include "event/sink.h"
#include "unit.h"

#include <linux/tls.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

#define FD 1000 /* not open here: nobody asks about it */

static struct capture capture;
static struct proc proc;
static struct cproc cproc;
static struct task task;
static struct ctask ctask;
static struct sock *sock;

/* The last event. */
static struct event *last;

static void keep(struct sink *sink, struct event *event)
{
	(void)sink;
	event_unref(last);
	last = event_ref(event);
}

static int begin(void **state)
{
	static struct sink sink = { .emit = keep };
	struct sock_info info = { .cookie = 7, .family = FAMILY_INET, .proto = PROTO_TCP };
	bool is_new;

	(void)state;
	memset(&capture, 0, sizeof(capture));
	capture.sink = &sink;
	proc = (struct proc){ .pid = getpid(), .wide = true, .user = &cproc };
	cproc = (struct cproc){ .proc = &proc, .fds = fdtable_new(), .pidfd = -1 };
	task = (struct task){ .tid = (pid_t)syscall(SYS_gettid), .proc = &proc, .user = &ctask };
	sock = sock_table_get(&capture.socks, &info, &is_new);
	sock->settled = true;
	fdtable_set_socket(cproc.fds, FD, sock);
	return 0;
}

static int end(void **state)
{
	(void)state;
	event_unref(last);
	last = NULL;
	sock_put(&capture.socks, sock);
	sock_put(&capture.socks, fdtable_forget(cproc.fds, FD));
	fdtable_put(cproc.fds);
	sock_table_done(&capture.socks);
	return 0;
}

/* The task makes this call, and it returns `ret`. */
static void make(const struct op_handler *handler, const char *name, int64_t ret,
		 const uint64_t args[6])
{
	const struct sys_row *row = sys_rows;

	while (row->name && strcmp(row->name, name) != 0)
		row++;
	assert_non_null(row->name);
	task.call = (struct call){ .abi = &abi_native[0], .row = row, .ret = ret };
	memcpy(task.call.args, args, sizeof(task.call.args));
	if (handler->enter(&capture, &task))
		handler->exit(&capture, &task);
	open_call_done(&capture, &task);
}

static void set_option(int level, int option, int64_t ret)
{
	make(&setsockopt_handler, "setsockopt", ret,
	     (uint64_t[6]){ FD, (uint64_t)level, (uint64_t)option });
}

static void expect(enum event_layer layer, uint32_t flags)
{
	assert_non_null(last);
	assert_int_equal(last->type, EVENT_DATA);
	assert_int_equal(last->data.layer, layer);
	assert_int_equal(last->data.flags, flags);
	assert_int_equal(last->data.captured, 4);
	assert_memory_equal(last->data.payload, "text", 4);
}

static void expect_way(const char *call, enum event_layer layer, uint32_t flags)
{
	static const char text[] = "text";

	make(&data_handler, call, 4, (uint64_t[6]){ FD, (uint64_t)(uintptr_t)text, 4 });
	expect(layer, flags);
}

static void keys_count_for_one_way(void **state)
{
	(void)state;
	expect_way("write", LAYER_WIRE, 0);
	set_option(SOL_TLS, TLS_TX, 0);
	expect_way("write", LAYER_PLAIN, FLAG_KTLS);
	expect_way("sendto", LAYER_PLAIN, FLAG_KTLS);
	expect_way("read", LAYER_WIRE, 0);
	set_option(SOL_TLS, TLS_RX, 0);
	expect_way("read", LAYER_PLAIN, FLAG_KTLS);
	expect_way("recvfrom", LAYER_PLAIN, FLAG_KTLS);
	/* What the kernel has told of is not looked for in libraries. */
	assert_true(sock->plain_seen);
	assert_int_equal(sock->moved[DIR_OUT], 12);
	assert_int_equal(sock->moved[DIR_IN], 12);
}

static void other_options_mean_nothing(void **state)
{
	static const struct {
		int level, option;
		int64_t ret;
	} cases[] = {
		{ SOL_TLS, TLS_TX, -22 },
		{ SOL_TLS, TLS_RX, -16 },
		/* TLS_TX_ZEROCOPY_RO, TLS_RX_EXPECT_NO_PAD */
		{ SOL_TLS, 3, 0 },
		{ SOL_TLS, 4, 0 },
		{ SOL_SOCKET, TLS_TX, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		set_option(cases[i].level, cases[i].option, cases[i].ret);
		expect_way("write", LAYER_WIRE, 0);
		expect_way("read", LAYER_WIRE, 0);
	}
	assert_false(sock->plain_seen);
}

/* A message with the type of its record beside it. */
static void expect_record(const char *call, int type, uint8_t record, enum event_layer layer)
{
	union {
		char room[CMSG_SPACE(1)];
		struct cmsghdr head;
	} control = { .head = { CMSG_LEN(1), SOL_TLS, type } };
	struct iovec iov = { (void *)(uintptr_t) "text", 4 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };

	*CMSG_DATA(&control.head) = record;
	make(&data_handler, call, 4, (uint64_t[6]){ FD, (uint64_t)(uintptr_t)&msg });
	expect(layer, FLAG_KTLS);
}

static void what_tls_says_is_not_the_programs(void **state)
{
	static const struct {
		uint8_t record;
		enum event_layer layer;
	} cases[] = {
		{ 23, LAYER_PLAIN }, { 20, LAYER_WIRE }, { 21, LAYER_WIRE },
		{ 22, LAYER_WIRE },  { 24, LAYER_WIRE }, { 23, LAYER_PLAIN },
	};

	(void)state;
	set_option(SOL_TLS, TLS_TX, 0);
	set_option(SOL_TLS, TLS_RX, 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		expect_record("sendmsg", TLS_SET_RECORD_TYPE, cases[i].record, cases[i].layer);
		expect_record("recvmsg", TLS_GET_RECORD_TYPE, cases[i].record, cases[i].layer);
	}
}

/* How many bytes the records have become is not known; what was missed before is. */
static void audit_stops_at_the_keys(void **state)
{
	(void)state;
	audit_begin(sock, true);
	set_option(SOL_TLS, TLS_TX, 0);
	sock->audit.sealed[DIR_OUT] = 5;
	sock->audit.ended = true;
	sock->audit.final.bytes[DIR_OUT] = 1000;
	sock->audit.final.bytes[DIR_IN] = 30;
	audit_end(&capture, &task, FD, sock);
	assert_int_equal(last->type, EVENT_LOSS);
	assert_string_equal(last->loss.reason, "unseen");
	assert_int_equal(last->loss.bytes, 35);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(keys_count_for_one_way),
		TEST(other_options_mean_nothing),
		TEST(what_tls_says_is_not_the_programs),
		TEST(audit_stops_at_the_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
