/* Calls that are alike, encoded from memory: the bytes are those of each call encoded alone. */
#include "store/repeat.h"

#include "base/addr.h"
#include "samples.h"
#include "unit.h"

#define ROUNDS 5000

static void expect_same(struct repeat *repeat, const struct event *event, bool tagged,
			const char *what)
{
	const struct encode_options options = { .tagged = tagged };
	struct buf alone auto_buf = { 0 }, repeated auto_buf = { 0 };

	encode_event(&alone, event, &options);
	buf_adds(&repeated, "before");
	repeat_event(repeat, &repeated, event, &options);
	CHECK(repeated.len == alone.len + 6, "%s: %zu bytes, not %zu", what, repeated.len - 6,
	      alone.len);
	CHECK(!memcmp(repeated.data + 6, alone.data, alone.len), "%s", what);
}

static void every_sample(void **state)
{
	struct repeat *repeat = repeat_new();

	(void)state;
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; sample_name(i); i++) {
			struct event *event = sample_make(sample_name(i));

			event->seq += (uint64_t)round;
			event->time += (uint64_t)round << 20;
			expect_same(repeat, event, false, sample_name(i));
			expect_same(repeat, event, true, sample_name(i));
			event_unref(event);
		}
	repeat_free(repeat);
}

static struct addr addr_of(const char *text)
{
	struct addr addr = { 0 };

	assert_true(addr_parse(&addr, text, strlen(text)));
	return addr;
}

/* A call as most are. */
static struct event *make_call(void)
{
	struct event *event = event_new(EVENT_DATA, 256);
	struct event_data *data = &event->data;

	event->seq = 7;
	event->time = 1000;
	event->pid = event->tid = 100;
	event_set_comm(event, "curl");
	data->fd = 5;
	data->conn = 1;
	data->proto = PROTO_TCP;
	data->local = addr_of("127.0.0.1:80");
	data->remote = addr_of("[::1]:80");
	data->dir = DIR_OUT;
	data->call = event_text(event, "write");
	data->len = data->captured = 64;
	return event;
}

#define LONG_NAME "a.name.that.is.longer.than.what.is.kept.of.it.and.differs.at.the.end."

#define CHANGE(name, statement)                                \
	static void name(struct event *event, uint64_t random) \
	{                                                      \
		struct event_data *data = &event->data;        \
                                                               \
		(void)random;                                  \
		(void)data;                                    \
		statement;                                     \
	}

CHANGE(another_pid, event->pid = 101)
CHANGE(another_tid, event->tid = 101 + (int32_t)random)
CHANGE(another_comm, event_set_comm(event, "wget"))
CHANGE(another_fd, data->fd = 6)
CHANGE(another_conn, data->conn = 2 + random)
CHANGE(another_proto, data->proto = PROTO_UDP)
CHANGE(another_local, data->local = addr_of("127.0.0.1:81"))
CHANGE(no_remote, data->remote = (struct addr){ 0 })
/* With a thread that can come to the same place. */
CHANGE(another_dir, data->dir = DIR_IN; event->tid = 100 + (int32_t)random)
CHANGE(another_layer, data->layer = LAYER_PLAIN)
CHANGE(another_call, data->call = "read")
CHANGE(flagged, data->flags = FLAG_OOB)
CHANGE(full, data->full = 65)
CHANGE(not_kept, data->captured = 0)
CHANGE(failed, data->error = 104)
CHANGE(of_a_file, data->path = "/tmp/x")
CHANGE(with_a_stack, data->stack = "main")
CHANGE(with_a_sender, data->has_cred = true)
CHANGE(with_a_descriptor, data->fds = &data->fd; data->fd_count = 1)
CHANGE(long_call, data->call = LONG_NAME "1")
CHANGE(another_long_call, data->call = LONG_NAME "2")

static void (*const changes[])(struct event *event, uint64_t random) = {
	another_pid,       another_tid,   another_comm,  another_fd,        another_conn,
	another_proto,     another_local, no_remote,     another_dir,       another_layer,
	another_call,      flagged,       full,          not_kept,          failed,
	of_a_file,         with_a_stack,  with_a_sender, with_a_descriptor, long_call,
	another_long_call,
};

/* Each change that puts a call elsewhere in the memory is tried until it comes to the same place. */
static void calls_that_are_nearly_alike(void **state)
{
	struct repeat *repeat = repeat_new();
	uint64_t random = 1;
	char what[32];

	(void)state;
	for (int i = 0; i < ROUNDS; i++)
		for (size_t which = 0; which < COUNT(changes); which++) {
			struct event *usual = make_call(), *other = make_call();

			changes[which](other, unit_random(&random) % 100000);
			snprintf(what, sizeof(what), "change %zu", which);
			expect_same(repeat, usual, false, "the usual");
			expect_same(repeat, other, false, what);
			expect_same(repeat, usual, true, "the first");
			event_unref(usual);
			event_unref(other);
		}
	repeat_free(repeat);
}

static void numbers_of_all_sizes(void **state)
{
	static const uint64_t sizes[] = { 0,   1,     23,    24,         255,
					  256, 65535, 65536, 1ULL << 33, UINT64_MAX };
	struct repeat *repeat = repeat_new();

	(void)state;
	for (size_t i = 0; i < COUNT(sizes) * COUNT(sizes); i++) {
		struct event *event = make_call();

		event->seq = event->data.dur = sizes[i % COUNT(sizes)];
		event->time = event->data.len = event->data.captured = sizes[i / COUNT(sizes)];
		expect_same(repeat, event, false, "a number");
		event_unref(event);
	}
	repeat_free(repeat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample),
		cmocka_unit_test(calls_that_are_nearly_alike),
		cmocka_unit_test(numbers_of_all_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
