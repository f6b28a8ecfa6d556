#include "sink/tally.h"

#include "unit.h"

#include <errno.h>

/* The sink behind: looks at each event as it comes. */
struct end_of_line {
	struct sink sink;
	uint64_t count;
	struct event_end end;
	bool finished;
};

static void end_emit(struct sink *sink, struct event *event)
{
	struct end_of_line *line = (struct end_of_line *)sink;

	assert_int_equal(event->seq, ++line->count);
	if (event->type == EVENT_END)
		line->end = event->end;
}

static int end_finish(struct sink *sink)
{
	((struct end_of_line *)sink)->finished = true;
	return -EIO;
}

static void pass(struct sink *sink, const struct event *like)
{
	struct event *event = event_new(like->type, 0);

	/* The union, whichever of its members it is. */
	memcpy(&event->start, &like->start,
	       offsetof(struct event, owned) - offsetof(struct event, start));
	sink_emit(sink, event);
	event_unref(event);
}

static void data(struct sink *sink, enum event_dir dir, enum event_layer layer, uint64_t len,
		 uint32_t flags, uint64_t conn)
{
	struct event event = { .type = EVENT_DATA };

	event.data = (struct event_data){
		.dir = dir, .layer = layer, .len = len, .flags = flags, .conn = conn
	};
	pass(sink, &event);
}

static const struct tally_limit no_limit;

static void sums_and_numbers(void **state)
{
	struct end_of_line line = { .sink = { .emit = end_emit, .finish = end_finish } };
	struct sink *tally = tally_new(&no_limit, &line.sink);
	struct event event = { .type = EVENT_IOTRACE };

	(void)state;
	pass(tally, &event);
	event.type = EVENT_SOCKET;
	event.socket = (struct event_socket){ .conn = 1 };
	pass(tally, &event);
	data(tally, DIR_OUT, LAYER_WIRE, 10, 0, 1);
	data(tally, DIR_OUT, LAYER_WIRE, 5, 0, 2);
	data(tally, DIR_IN, LAYER_WIRE, 1ULL << 40, 0, 2);
	data(tally, DIR_IN, LAYER_WIRE, 100, FLAG_PEEK, 1);
	data(tally, DIR_IN, LAYER_PLAIN, 7, 0, 1);
	data(tally, DIR_OUT, LAYER_PLAIN, 3, 0, 0);
	event.type = EVENT_DATA;
	event.data = (struct event_data){ .len = 1000, .error = ECONNRESET, .conn = 3 };
	pass(tally, &event);
	event.type = EVENT_LOSS;
	event.loss = (struct event_loss){ .bytes = 20, .calls = 2, .conn = 4 };
	pass(tally, &event);
	event.loss = (struct event_loss){ .bytes = 1, .calls = 1, .conn = 4 };
	pass(tally, &event);
	event.type = EVENT_END;
	event.end = (struct event_end){ .calls_stop = 8, .stops = 9, .wall = 11 };
	pass(tally, &event);

	assert_int_equal(line.count, 12);
	assert_int_equal(line.end.events, 11);
	assert_int_equal(line.end.bytes[LAYER_WIRE][DIR_OUT], 15);
	assert_int_equal(line.end.bytes[LAYER_WIRE][DIR_IN], 1ULL << 40);
	assert_int_equal(line.end.bytes[LAYER_PLAIN][DIR_OUT], 3);
	assert_int_equal(line.end.bytes[LAYER_PLAIN][DIR_IN], 7);
	assert_int_equal(line.end.lost_bytes, 21);
	assert_int_equal(line.end.lost_calls, 3);
	assert_int_equal(line.end.connections, 4);
	/* What the capture knows better stays. */
	assert_int_equal(line.end.calls_stop, 8);
	assert_int_equal(line.end.stops, 9);
	assert_int_equal(line.end.wall, 11);
	assert_int_equal(sink_finish(tally), -EIO);
	assert_true(line.finished);
}

static void nothing_happened(void **state)
{
	struct end_of_line line = { .sink = { .emit = end_emit, .finish = end_finish } };
	struct sink *tally = tally_new(&no_limit, &line.sink);
	struct event event = { .type = EVENT_END };

	(void)state;
	pass(tally, &event);
	assert_int_equal(line.end.events, 0);
	assert_int_equal(line.end.connections, 0);
	sink_finish(tally);
}

static void count_reached(void *ctx)
{
	++*(int *)ctx;
}

/* --count: so many data events, and of everything else all. What is left out is in no sum. */
static void a_limit_of_data_events(void **state)
{
	struct end_of_line line = { .sink = { .emit = end_emit, .finish = end_finish } };
	int reached = 0;
	struct tally_limit limit = { .count = 3, .reached = count_reached, .ctx = &reached };
	struct sink *tally = tally_new(&limit, &line.sink);
	struct event event = { .type = EVENT_NOTE };

	(void)state;
	for (int i = 0; i < 10; i++) {
		data(tally, DIR_OUT, LAYER_WIRE, 10, 0, (uint64_t)i + 1);
		pass(tally, &event);
		assert_int_equal(reached, i >= 2);
	}
	event.type = EVENT_END;
	memset(&event.end, 0, sizeof(event.end));
	pass(tally, &event);
	assert_int_equal(line.count, 14);
	assert_int_equal(line.end.events, 13);
	assert_int_equal(line.end.connections, 3);
	assert_int_equal(line.end.bytes[LAYER_WIRE][DIR_OUT], 30);
	sink_finish(tally);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_and_numbers),
		cmocka_unit_test(nothing_happened),
		cmocka_unit_test(a_limit_of_data_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
