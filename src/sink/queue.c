#include "sink/queue.h"

#include "base/clock.h"
#include "base/own.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

/*
 * One thread emits and one thread empties, so events pass without a lock: the lock and the conditions
 * are for waiting alone.
 *
 * While events keep coming the output thread naps between emptyings instead of being woken for each:
 * that is a futex call less per event. Well below the 200 ms that data may take to the output.
 */
#define NAP_NS 20000000L

/* Enough to interrupt a nap. */
#define WAKE_BYTES (1U << 20)

/*
 * After so many the processor is offered to others: where a client and a server wait for each other, a
 * long turn of ours makes both wait.
 */
#define TURN_BYTES (32U << 10)

/* Events that find a place, at least and at most. */
#define PLACES_MIN 1024U
#define PLACES_MAX (64U << 20)

/* Of them a loss, the event behind it and a loss at the end must always find one. */
#define PLACES_SPARE 3

/* What threads write does not lie in a line of the cache that the other one reads. */
#define CACHE_LINE 64

/* What the output thread does. */
enum output_state {
	OUTPUT_BUSY,
	OUTPUT_NAPPING, /* it will look by itself */
	OUTPUT_WAITING,
};

struct queue {
	struct sink sink;
	struct queue_options options;
	struct sink *next;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	struct event **events; /* a ring */
	uint64_t mask;         /* its size less 1 */
	atomic_bool finished;

	/* The emitting thread's. Positions and bytes count from the beginning. */
	char apart[CACHE_LINE];
	_Atomic uint64_t tail;
	uint64_t bytes_in;
	uint64_t known_head, known_out; /* head and bytes_out as they were when looked at last */
	uint64_t lost_calls, lost_bytes, lost_time;

	/* The output thread's. */
	char apart_too[CACHE_LINE];
	_Atomic uint64_t head;
	_Atomic uint64_t bytes_out;

	char apart_as_well[CACHE_LINE];
	_Atomic enum output_state output;
	atomic_bool held; /* the emitting thread waits for room */
};

static void wake_output(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

static void push(struct queue *queue, struct event *event)
{
	uint64_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
	enum output_state output;

	queue->events[tail & queue->mask] = event_ref(event);
	queue->bytes_in += event_size(event);
	/* In one order with the output thread's, which says that it waits and then looks at the tail. */
	atomic_store(&queue->tail, tail + 1);
	output = atomic_load(&queue->output);
	if (output == OUTPUT_WAITING ||
	    (output == OUTPUT_NAPPING &&
	     queue->bytes_in - atomic_load_explicit(&queue->bytes_out, memory_order_relaxed) >=
		     WAKE_BYTES))
		wake_output(queue);
}

static void push_loss(struct queue *queue)
{
	struct event *event = event_new(EVENT_LOSS, 32);

	event->time = queue->lost_time;
	event->loss.reason = event_text(event, "queue-full");
	event->loss.fd = -1;
	event->loss.calls = queue->lost_calls;
	event->loss.bytes = queue->lost_bytes;
	queue->lost_calls = queue->lost_bytes = 0;
	push(queue, event);
	event_unref(event);
}

/* One event is let in alone, whatever its size. */
static bool has_bytes(const struct queue *queue, const struct event *event)
{
	uint64_t queued = queue->bytes_in - queue->known_out;

	return !queued || queued + event_size(event) <= queue->options.bytes;
}

static bool has_place(const struct queue *queue)
{
	uint64_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);

	return tail - queue->known_head + PLACES_SPARE <= queue->mask + 1;
}

static bool has_room(struct queue *queue, const struct event *event)
{
	if (has_bytes(queue, event) && has_place(queue))
		return true;
	queue->known_out = atomic_load(&queue->bytes_out);
	queue->known_head = atomic_load(&queue->head);
	return has_bytes(queue, event) && has_place(queue);
}

/* What is no data is not dropped, and where it is dropped does not wait for others' bytes. */
static bool can_go_in(struct queue *queue, const struct event *event)
{
	return has_room(queue, event) || (queue->options.drop && has_place(queue));
}

static void wait_for_room(struct queue *queue, const struct event *event)
{
	pthread_mutex_lock(&queue->lock);
	atomic_store(&queue->held, true);
	while (!can_go_in(queue, event)) {
		pthread_cond_signal(&queue->filled);
		pthread_cond_wait(&queue->emptied, &queue->lock);
	}
	atomic_store(&queue->held, false);
	pthread_mutex_unlock(&queue->lock);
}

static void queue_emit(struct sink *sink, struct event *event)
{
	struct queue *queue = (struct queue *)sink;

	if (queue->options.drop && event->type == EVENT_DATA && !has_room(queue, event)) {
		queue->lost_calls++;
		queue->lost_bytes += event_moved(event);
		queue->lost_time = event->time;
		return;
	}
	if (!can_go_in(queue, event))
		wait_for_room(queue, event);
	if (queue->lost_calls)
		push_loss(queue);
	push(queue, event);
}

static void nap(struct queue *queue)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += NAP_NS;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_cond_timedwait(&queue->filled, &queue->lock, &until);
}

static bool is_empty(const struct queue *queue)
{
	return atomic_load(&queue->tail) ==
	       atomic_load_explicit(&queue->head, memory_order_relaxed);
}

/*
 * Says that it waits, then looks once more: who pushes looks the other way round. With `again` for no longer
 * than a nap.
 */
static void rest(struct queue *queue, bool again)
{
	pthread_mutex_lock(&queue->lock);
	atomic_store(&queue->output, OUTPUT_NAPPING);
	if (is_empty(queue) && !atomic_load(&queue->finished))
		nap(queue);
	atomic_store(&queue->output, OUTPUT_WAITING);
	while (!again && is_empty(queue) && !atomic_load(&queue->finished))
		pthread_cond_wait(&queue->filled, &queue->lock);
	atomic_store(&queue->output, OUTPUT_BUSY);
	pthread_mutex_unlock(&queue->lock);
}

static void tell_of_room(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	pthread_cond_signal(&queue->emptied);
	pthread_mutex_unlock(&queue->lock);
}

static void empty(struct queue *queue)
{
	uint64_t tail = atomic_load_explicit(&queue->tail, memory_order_acquire);
	uint64_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
	uint64_t bytes = atomic_load_explicit(&queue->bytes_out, memory_order_relaxed);
	uint64_t turn = bytes;

	while (head != tail) {
		struct event *event = queue->events[head & queue->mask];

		bytes += event_size(event);
		sink_emit(queue->next, event);
		event_unref(event);
		atomic_store_explicit(&queue->head, ++head, memory_order_release);
		atomic_store_explicit(&queue->bytes_out, bytes, memory_order_release);
		/* Who is seen here too late is seen with the next event, or behind the last. */
		if (atomic_load_explicit(&queue->held, memory_order_relaxed)) {
			tell_of_room(queue);
		} else if (bytes - turn >= TURN_BYTES) {
			turn = bytes;
			sched_yield();
		}
	}
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&queue->held))
		tell_of_room(queue);
}

static void *output_thread(void *ctx)
{
	struct queue *queue = ctx;
	bool finished, again;

	for (;;) {
		/* In this order: nothing comes behind the end, but until it was seen, something can. */
		finished = atomic_load(&queue->finished);
		if (!is_empty(queue)) {
			empty(queue);
			continue;
		}
		if (finished)
			return NULL;
		again = queue->options.idle && queue->options.idle(queue->options.idle_ctx);
		rest(queue, again);
	}
}

static int queue_finish(struct sink *sink)
{
	struct queue *queue = (struct queue *)sink;
	int result;

	if (queue->lost_calls)
		push_loss(queue);
	atomic_store(&queue->finished, true);
	wake_output(queue);
	pthread_join(queue->thread, NULL);
	result = sink_finish(queue->next);
	pthread_mutex_destroy(&queue->lock);
	pthread_cond_destroy(&queue->filled);
	pthread_cond_destroy(&queue->emptied);
	free(queue->events);
	free(queue);
	return result;
}

/* So many that the bytes come to their bound first. */
static size_t places(const struct queue_options *options)
{
	size_t count = PLACES_MIN;

	while (count < options->bytes / sizeof(struct event) && count < PLACES_MAX)
		count *= 2;
	return count;
}

struct sink *queue_new(const struct queue_options *options, struct sink *next)
{
	struct queue *queue = own_zalloc(sizeof(*queue));
	pthread_condattr_t attr;
	sigset_t all, before;

	queue->sink = (struct sink){ .emit = queue_emit, .finish = queue_finish };
	queue->options = *options;
	queue->next = next;
	queue->mask = places(options) - 1;
	queue->events = own_zalloc((queue->mask + 1) * sizeof(struct event *));
	pthread_mutex_init(&queue->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&queue->filled, &attr);
	pthread_cond_init(&queue->emptied, &attr);
	pthread_condattr_destroy(&attr);
	/* Signals are the other threads' affair. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_create(&queue->thread, NULL, output_thread, queue);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return &queue->sink;
}
