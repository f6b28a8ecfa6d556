#include "sink/queue.h"

#include "base/clock.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#define SEEN_MAX 20000

struct seen {
	enum event_type type;
	uint64_t seq, time, calls, bytes;
	int32_t pid;
	int fd;
};

/* The sink behind: can be held shut, and remembers what came through. Asserts nothing itself, as
 * cmocka knows one thread. */
struct gate {
	struct sink sink;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool shut, inside;
	struct seen seen[SEEN_MAX];
	size_t count;
	size_t idle_at; /* count when idle was called last */
	size_t idles, idles_wanted;
	pthread_t thread, idle_thread;
	sigset_t mask;
	bool finished;
	int result;
};

static struct gate gate;

static void gate_emit(struct sink *sink, struct event *event)
{
	struct seen seen = {
		.type = event->type, .seq = event->seq, .time = event->time, .pid = event->pid
	};

	(void)sink;
	if (event->type == EVENT_LOSS) {
		seen.calls = event->loss.calls;
		seen.bytes = event->loss.bytes;
		seen.fd = strcmp(event->loss.reason, "queue-full") ? -2 : event->loss.fd;
	} else if (event->type == EVENT_DATA) {
		seen.bytes = event_moved(event);
	}
	pthread_mutex_lock(&gate.lock);
	gate.inside = true;
	pthread_cond_broadcast(&gate.changed);
	while (gate.shut)
		pthread_cond_wait(&gate.changed, &gate.lock);
	gate.thread = pthread_self();
	pthread_sigmask(SIG_BLOCK, NULL, &gate.mask);
	if (gate.count < SEEN_MAX)
		gate.seen[gate.count] = seen;
	gate.count++;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static int gate_finish(struct sink *sink)
{
	(void)sink;
	gate.finished = true;
	return gate.result;
}

static bool gate_idle(void *ctx)
{
	struct gate *idle = ctx;
	bool again;

	pthread_mutex_lock(&idle->lock);
	idle->idle_at = idle->count;
	idle->idles++;
	idle->idle_thread = pthread_self();
	again = idle->idles < idle->idles_wanted;
	pthread_cond_broadcast(&idle->changed);
	pthread_mutex_unlock(&idle->lock);
	return again;
}

static void set_shut(bool shut)
{
	pthread_mutex_lock(&gate.lock);
	gate.shut = shut;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

/* Waits until ready() holds, for longer than any machine needs. */
static bool wait_for(bool (*ready)(void))
{
	struct timespec until;
	bool held;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20;
	pthread_mutex_lock(&gate.lock);
	while (!ready() && !pthread_cond_timedwait(&gate.changed, &gate.lock, &until))
		continue;
	held = ready();
	pthread_mutex_unlock(&gate.lock);
	return held;
}

static bool is_inside(void)
{
	return gate.inside;
}

static struct sink *start(size_t bytes, bool drop)
{
	const struct queue_options options = {
		.bytes = bytes, .drop = drop, .idle = gate_idle, .idle_ctx = &gate
	};

	memset(&gate, 0, sizeof(gate));
	gate.sink = (struct sink){ .emit = gate_emit, .finish = gate_finish };
	pthread_mutex_init(&gate.lock, NULL);
	pthread_cond_init(&gate.changed, NULL);
	return queue_new(&options, &gate.sink);
}

#define ROOM 1000
#define SIZE (sizeof(struct event) + ROOM)

static void emit(struct sink *queue, enum event_type type, uint64_t number, uint32_t flags)
{
	struct event *event = event_new(type, ROOM);

	event->seq = event->time = number;
	event->pid = 5;
	if (type == EVENT_DATA) {
		event->data.len = number;
		event->data.flags = flags;
	}
	sink_emit(queue, event);
	event_unref(event);
}

static void everything_in_order(void **state)
{
	static const size_t bounds[] = { 1, 3 * SIZE, 1 << 20, 1 << 30 };

	(void)state;
	for (size_t b = 0; b < COUNT(bounds); b++) {
		size_t count = b ? 10000 : 200;
		struct sink *queue = start(bounds[b], false);

		for (size_t i = 0; i < count; i++)
			emit(queue, i % 2 ? EVENT_DATA : EVENT_NOTE, i, 0);
		gate.result = -EIO;
		assert_int_equal(sink_finish(queue), -EIO);
		assert_true(gate.finished);
		assert_int_equal(gate.count, count);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(gate.seen[i].seq, i);
	}
}

static atomic_bool passed;
static atomic_size_t passed_count;

static void note_passing(struct sink *sink, struct event *event)
{
	(void)sink;
	(void)event;
	atomic_fetch_add(&passed_count, 1);
	atomic_store(&passed, true);
}

static int end_nothing(struct sink *sink)
{
	(void)sink;
	return 0;
}

/* An event and the end come while the thread is finding out that the queue is empty. */
static void the_last_comes_with_the_end(void **state)
{
	const struct queue_options options = { .bytes = 1 << 20 };
	struct sink next = { .emit = note_passing, .finish = end_nothing };

	(void)state;
	for (int round = 0; round < 5000; round++) {
		struct sink *queue = queue_new(&options, &next);

		atomic_store(&passed_count, 0);
		atomic_store(&passed, false);
		emit(queue, EVENT_NOTE, 0, 0);
		/* In the same moment, unless the thread has no processor. */
		for (int spins = 0; !atomic_load(&passed); spins++)
			if (spins > 20000)
				sched_yield();
		for (volatile int i = 0; i < round % 100; i++)
			continue;
		emit(queue, EVENT_NOTE, 1, 0);
		assert_int_equal(sink_finish(queue), 0);
		CHECK(passed_count == 2, "round %d", round);
	}
}

static void nothing_was_emitted(void **state)
{
	(void)state;
	assert_int_equal(sink_finish(start(SIZE, false)), 0);
	assert_int_equal(gate.count, 0);
	assert_true(gate.finished);
}

static atomic_size_t produced;

static void *produce(void *ctx)
{
	for (size_t i = 0; i < 100; i++) {
		emit(ctx, EVENT_DATA, i, 0);
		atomic_store(&produced, i + 1);
	}
	return NULL;
}

/* Waits until it has come that far, then for a while more: it could go on. */
static size_t where_it_stands(size_t least)
{
	struct timespec pause = { .tv_nsec = 2000000 };

	for (int i = 0; i < 10000 && atomic_load(&produced) < least; i++)
		nanosleep(&pause, NULL);
	pause.tv_nsec = 50000000;
	nanosleep(&pause, NULL);
	return atomic_load(&produced);
}

static void a_full_queue_holds_the_producer(void **state)
{
	const size_t bound = 10;
	struct sink *queue = start(bound * SIZE, false);
	pthread_t thread;
	size_t stands;

	(void)state;
	atomic_store(&produced, 0);
	gate.shut = true;
	assert_int_equal(pthread_create(&thread, NULL, produce, queue), 0);
	assert_true(wait_for(is_inside));
	stands = where_it_stands(bound);
	/* One more is let in when the thread has taken the others. */
	CHECK(stands == bound || stands == bound + 1, "%zu", stands);
	set_shut(false);
	pthread_join(thread, NULL);
	assert_int_equal(sink_finish(queue), 0);
	assert_int_equal(gate.count, 100);
	for (size_t i = 0; i < gate.count; i++)
		assert_int_equal(gate.seen[i].seq, i);
}

/*
 * One event is inside the sink behind, which does not move: so it is known how many go in. Events
 * are numbered from 1; each third was peeked at.
 */
static struct sink *fill_and_drop(size_t bound, size_t count, uint64_t *ret_moved)
{
	struct sink *queue = start(bound * SIZE, true);

	gate.shut = true;
	*ret_moved = 1;
	emit(queue, EVENT_DATA, 1, 0);
	assert_true(wait_for(is_inside));
	for (size_t i = 2; i <= count; i++) {
		emit(queue, EVENT_DATA, i, i % 3 ? 0 : FLAG_PEEK);
		*ret_moved += i % 3 ? i : 0;
	}
	return queue;
}

/* The first `kept` are there, then one loss that tells of the others. */
static void expect_one_loss(size_t kept, size_t count, uint64_t moved)
{
	uint64_t seen = 0;

	assert_true(gate.count > kept);
	for (size_t i = 0; i < kept; i++) {
		assert_int_equal(gate.seen[i].type, EVENT_DATA);
		assert_int_equal(gate.seen[i].seq, i + 1);
		seen += gate.seen[i].bytes;
	}
	assert_int_equal(gate.seen[kept].type, EVENT_LOSS);
	assert_int_equal(gate.seen[kept].calls, count - kept);
	assert_int_equal(gate.seen[kept].bytes, moved - seen);
	assert_int_equal(gate.seen[kept].time, count);
	assert_int_equal(gate.seen[kept].pid, 0);
	assert_int_equal(gate.seen[kept].fd, -1);
}

static void dropping_makes_one_loss(void **state)
{
	uint64_t moved;
	struct sink *queue = fill_and_drop(10, 50, &moved);

	(void)state;
	/* What is no data is kept, and told behind the loss. */
	emit(queue, EVENT_NOTE, 51, 0);
	emit(queue, EVENT_SOCKET, 52, 0);
	set_shut(false);
	assert_int_equal(sink_finish(queue), 0);
	assert_int_equal(gate.count, 13);
	expect_one_loss(10, 50, moved);
	assert_int_equal(gate.seen[11].seq, 51);
	assert_int_equal(gate.seen[12].seq, 52);
}

static void dropped_at_the_end(void **state)
{
	uint64_t moved;
	struct sink *queue = fill_and_drop(4, 20, &moved);

	(void)state;
	set_shut(false);
	assert_int_equal(sink_finish(queue), 0);
	assert_int_equal(gate.count, 5);
	expect_one_loss(4, 20, moved);
}

static void other_events_are_never_dropped(void **state)
{
	uint64_t moved;
	struct sink *queue = fill_and_drop(4, 4, &moved);

	(void)state;
	/* Nor do they wait: the gate is shut. */
	for (size_t i = 5; i <= 100; i++)
		emit(queue, i % 2 ? EVENT_SOCKET : EVENT_PROCESS, i, 0);
	set_shut(false);
	assert_int_equal(sink_finish(queue), 0);
	assert_int_equal(gate.count, 100);
	for (size_t i = 0; i < gate.count; i++)
		assert_int_equal(gate.seen[i].seq, i + 1);
}

static bool all_is_out(void)
{
	return gate.idles && gate.idle_at == 3;
}

static bool five_are_out(void)
{
	return gate.idle_at == 5;
}

/* Flushing is done there: data must not lie in a buffer while the program is quiet. */
static void idle_comes_behind_the_last(void **state)
{
	struct timespec pause = { .tv_nsec = 60000000 };
	struct sink *queue = start(1 << 20, false);

	(void)state;
	for (size_t i = 0; i < 3; i++)
		emit(queue, EVENT_NOTE, i, 0);
	assert_true(wait_for(all_is_out));
	assert_true(pthread_equal(gate.idle_thread, gate.thread));
	assert_false(pthread_equal(gate.idle_thread, pthread_self()));
	/* And again, when the thread had gone to sleep. */
	nanosleep(&pause, NULL);
	emit(queue, EVENT_NOTE, 3, 0);
	emit(queue, EVENT_NOTE, 4, 0);
	assert_true(wait_for(five_are_out));
	nanosleep(&pause, NULL);
	assert_int_equal(sink_finish(queue), 0);
}

static bool idle_came_again(void)
{
	return gate.idles >= gate.idles_wanted;
}

/* Who holds something back wants to be asked once more, though nothing comes. */
static void idle_comes_again_where_it_wants(void **state)
{
	struct sink *queue = start(1 << 20, false);

	(void)state;
	pthread_mutex_lock(&gate.lock);
	gate.idles_wanted = gate.idles + 5;
	pthread_mutex_unlock(&gate.lock);
	emit(queue, EVENT_NOTE, 0, 0);
	assert_true(wait_for(idle_came_again));
	assert_int_equal(sink_finish(queue), 0);
	assert_int_equal(gate.count, 1);
}

static void the_thread_takes_no_signals(void **state)
{
	struct sink *queue = start(1 << 20, false);
	sigset_t mask;

	(void)state;
	emit(queue, EVENT_NOTE, 0, 0);
	assert_int_equal(sink_finish(queue), 0);
	assert_true(sigismember(&gate.mask, SIGINT));
	assert_true(sigismember(&gate.mask, SIGTERM));
	assert_true(sigismember(&gate.mask, SIGRTMAX));
	/* Ours is as it was. */
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	assert_false(sigismember(&mask, SIGINT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_in_order),
		cmocka_unit_test(the_last_comes_with_the_end),
		cmocka_unit_test(nothing_was_emitted),
		cmocka_unit_test(a_full_queue_holds_the_producer),
		cmocka_unit_test(dropping_makes_one_loss),
		cmocka_unit_test(dropped_at_the_end),
		cmocka_unit_test(other_events_are_never_dropped),
		cmocka_unit_test(idle_comes_behind_the_last),
		cmocka_unit_test(idle_comes_again_where_it_wants),
		cmocka_unit_test(the_thread_takes_no_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
