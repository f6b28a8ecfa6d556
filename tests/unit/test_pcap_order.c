#include "sink/pcap_order.h"

#include "unit.h"

#define MS 1000000ULL

/* What came out. */
static struct {
	uint64_t seq, time;
} seen[2 * ORDER_COUNT];
static size_t count;

static void see(void *ctx, struct event *event)
{
	(void)ctx;
	assert_true(count < sizeof(seen) / sizeof(seen[0]));
	seen[count].seq = event->seq;
	seen[count++].time = event->time;
}

static struct order *start(void **state)
{
	(void)state;
	count = 0;
	return order_new(see, NULL);
}

static void add(struct order *order, struct event like)
{
	struct event *event = event_new(like.type, 0);

	event->seq = like.seq;
	event->time = like.time;
	if (like.type == EVENT_DATA)
		event->data = like.data;
	else
		event->socket = like.socket;
	order_add(order, event);
	event_unref(event);
}

static void moved(struct order *order, uint64_t seq, uint64_t conn, enum event_layer layer,
		  enum event_dir dir, uint64_t begun, uint64_t ended)
{
	struct event event = { .type = EVENT_DATA, .seq = seq, .time = ended };

	event.data = (struct event_data){
		.conn = conn, .dir = dir, .layer = layer, .dur = ended - begun
	};
	add(order, event);
}

static void data(struct order *order, uint64_t seq, uint64_t conn, enum event_dir dir,
		 uint64_t begun, uint64_t ended)
{
	moved(order, seq, conn, LAYER_WIRE, dir, begun, ended);
}

static void socket_event(struct order *order, uint64_t seq, uint64_t conn, uint64_t time)
{
	struct event event = { .type = EVENT_SOCKET, .seq = seq, .time = time };

	event.socket.conn = conn;
	add(order, event);
}

static void expect_seqs(const char *wanted)
{
	char text[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%lu", i ? " " : "",
					seen[i].seq);
	assert_string_equal(text, wanted);
	for (size_t i = 1; i < count; i++)
		assert_true(seen[i - 1].time <= seen[i].time);
}

static void what_is_in_order_stays(void **state)
{
	struct order *order = start(state);

	socket_event(order, 1, 1, 10);
	data(order, 2, 1, DIR_OUT, 20, 30);
	data(order, 3, 1, DIR_IN, 15, 40);
	data(order, 4, 1, DIR_OUT, 45, 50);
	order_free(order);
	expect_seqs("1 2 3 4");
	assert_int_equal(seen[3].time, 50);
}

/* The answer was read before the call that asked for it had returned. */
static void an_answer_comes_behind_its_question(void **state)
{
	struct order *order = start(state);

	socket_event(order, 1, 1, 10);
	data(order, 2, 1, DIR_IN, 5, 15);
	data(order, 3, 1, DIR_IN, 15, 40);
	data(order, 4, 2, DIR_IN, 15, 41);
	data(order, 5, 1, DIR_IN, 41, 42);
	data(order, 6, 1, DIR_OUT, 20, 50);
	order_free(order);
	expect_seqs("1 2 6 3 4 5");
	assert_int_equal(seen[2].time, 40);
}

static void what_was_sent_keeps_its_order(void **state)
{
	struct order *order = start(state);

	data(order, 1, 1, DIR_IN, 5, 30);
	data(order, 2, 1, DIR_OUT, 31, 35);
	data(order, 3, 1, DIR_IN, 36, 40);
	data(order, 4, 1, DIR_OUT, 20, 50);
	order_free(order);
	expect_seqs("1 2 4 3");
}

/* As with TCP_FASTOPEN, where one call connects and sends. */
static void nothing_is_sent_before_the_connection(void **state)
{
	struct order *order = start(state);

	data(order, 1, 2, DIR_IN, 1, 20);
	socket_event(order, 2, 1, 30);
	data(order, 3, 1, DIR_OUT, 10, 30);
	order_free(order);
	expect_seqs("1 2 3");
}

static void layers_are_apart(void **state)
{
	struct order *order = start(state);

	moved(order, 1, 1, LAYER_WIRE, DIR_IN, 1, 20);
	moved(order, 2, 1, LAYER_PLAIN, DIR_IN, 1, 21);
	moved(order, 3, 1, LAYER_WIRE, DIR_OUT, 12, 30);
	moved(order, 4, 1, LAYER_PLAIN, DIR_OUT, 11, 31);
	order_free(order);
	expect_seqs("3 1 4 2");
}

static void failed_calls_and_files_stay(void **state)
{
	struct order *order = start(state);
	struct event event = { .type = EVENT_DATA, .seq = 2, .time = 30 };

	data(order, 1, 1, DIR_IN, 1, 20);
	event.data = (struct event_data){ .conn = 1, .dir = DIR_OUT, .dur = 20, .error = 32 };
	add(order, event);
	data(order, 3, 0, DIR_IN, 1, 40);
	data(order, 4, 0, DIR_OUT, 5, 50);
	order_free(order);
	expect_seqs("1 2 3 4");
}

static void nothing_is_held_long(void **state)
{
	struct order *order = start(state);

	data(order, 1, 1, DIR_IN, 0, MS);
	data(order, 2, 1, DIR_IN, 0, 2 * MS);
	assert_int_equal(count, 0);
	data(order, 3, 2, DIR_IN, 0, ORDER_NS + 2 * MS);
	expect_seqs("1");
	/* It had been sending longer than anything is held. */
	data(order, 4, 1, DIR_OUT, 0, ORDER_NS + 3 * MS);
	expect_seqs("1 2");
	order_free(order);
	expect_seqs("1 2 3 4");
}

static void nor_too_much(void **state)
{
	struct order *order = start(state);

	for (uint64_t i = 0; i < ORDER_COUNT + 10; i++)
		data(order, i, 1, DIR_IN, 1, 20);
	assert_int_equal(count, 10);
	order_free(order);
	assert_int_equal(count, ORDER_COUNT + 10);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(seen[i].seq, i);
}

static void it_goes_when_nothing_comes(void **state)
{
	struct order *order = start(state);
	uint64_t now = 1000 * ORDER_IDLE_NS;

	assert_false(order_idle(order, now));
	data(order, 1, 1, DIR_IN, 1, 20);
	now += ORDER_IDLE_NS;
	assert_true(order_idle(order, now));
	data(order, 2, 1, DIR_IN, 1, 21);
	now += ORDER_IDLE_NS - 1;
	assert_true(order_idle(order, now));
	assert_int_equal(count, 0);
	assert_true(order_idle(order, ++now));
	expect_seqs("1");
	now += ORDER_IDLE_NS;
	assert_false(order_idle(order, now));
	expect_seqs("1 2");
	order_free(order);
	expect_seqs("1 2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_in_order_stays),
		cmocka_unit_test(an_answer_comes_behind_its_question),
		cmocka_unit_test(what_was_sent_keeps_its_order),
		cmocka_unit_test(nothing_is_sent_before_the_connection),
		cmocka_unit_test(layers_are_apart),
		cmocka_unit_test(failed_calls_and_files_stay),
		cmocka_unit_test(nothing_is_held_long),
		cmocka_unit_test(nor_too_much),
		cmocka_unit_test(it_goes_when_nothing_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
