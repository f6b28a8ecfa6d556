#include "sink/queue.h"

#include "base/clock.h"
#include "base/own.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

/*
 * While events keep coming the thread naps between emptyings instead of being woken for each: that
 * is a futex call less per event. Well below the 200 ms that data may take to the output.
 */
#define NAP_NS 20000000L

/* Enough to interrupt a nap. */
#define WAKE_BYTES (1U << 20)

struct queue {
	struct sink sink;
	struct queue_options options;
	struct sink *next;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	struct event **events; /* a ring */
	size_t head, count, cap;
	size_t bytes;
	uint64_t lost_calls, lost_bytes, lost_time;
	bool napping; /* the thread will look by itself */
	bool finished;
};

static void grow(struct queue *queue)
{
	size_t cap = queue->cap ? queue->cap * 2 : 256;
	struct event **events = own_alloc(cap * sizeof(*events));

	for (size_t i = 0; i < queue->count; i++)
		events[i] = queue->events[(queue->head + i) % queue->cap];
	free(queue->events);
	queue->events = events;
	queue->cap = cap;
	queue->head = 0;
}

static void push(struct queue *queue, struct event *event)
{
	if (queue->count == queue->cap)
		grow(queue);
	queue->events[(queue->head + queue->count++) % queue->cap] = event_ref(event);
	queue->bytes += event_size(event);
	if (!queue->napping || queue->bytes >= WAKE_BYTES)
		pthread_cond_signal(&queue->filled);
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

static bool is_full(const struct queue *queue, const struct event *event)
{
	return queue->count && queue->bytes + event_size(event) > queue->options.bytes;
}

static void queue_emit(struct sink *sink, struct event *event)
{
	struct queue *queue = (struct queue *)sink;

	pthread_mutex_lock(&queue->lock);
	if (is_full(queue, event) && queue->options.drop && event->type == EVENT_DATA) {
		queue->lost_calls++;
		queue->lost_bytes += event_moved(event);
		queue->lost_time = event->time;
	} else {
		while (is_full(queue, event) && !queue->options.drop) {
			pthread_cond_signal(&queue->filled);
			pthread_cond_wait(&queue->emptied, &queue->lock);
		}
		if (queue->lost_calls)
			push_loss(queue);
		push(queue, event);
	}
	pthread_mutex_unlock(&queue->lock);
}

/* Takes all that is there; the array is the caller's. */
static struct event **take_all(struct queue *queue, size_t *ret_count)
{
	struct event **events = own_alloc(queue->count * sizeof(*events));

	for (size_t i = 0; i < queue->count; i++)
		events[i] = queue->events[(queue->head + i) % queue->cap];
	*ret_count = queue->count;
	queue->head = queue->count = 0;
	return events;
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
	queue->napping = true;
	if (!queue->finished && queue->bytes < WAKE_BYTES)
		pthread_cond_timedwait(&queue->filled, &queue->lock, &until);
	queue->napping = false;
}

static void pass_on(struct queue *queue)
{
	size_t count, bytes;
	struct event **events = take_all(queue, &count);

	pthread_mutex_unlock(&queue->lock);
	for (size_t i = 0; i < count; i++) {
		bytes = event_size(events[i]);
		sink_emit(queue->next, events[i]);
		event_unref(events[i]);
		pthread_mutex_lock(&queue->lock);
		queue->bytes -= bytes;
		pthread_cond_signal(&queue->emptied);
		pthread_mutex_unlock(&queue->lock);
	}
	free(events);
	pthread_mutex_lock(&queue->lock);
}

static void *output_thread(void *ctx)
{
	struct queue *queue = ctx;

	pthread_mutex_lock(&queue->lock);
	while (queue->count || !queue->finished) {
		if (queue->count) {
			pass_on(queue);
			continue;
		}
		pthread_mutex_unlock(&queue->lock);
		if (queue->options.idle)
			queue->options.idle(queue->options.idle_ctx);
		pthread_mutex_lock(&queue->lock);
		nap(queue);
		if (!queue->count && !queue->finished)
			pthread_cond_wait(&queue->filled, &queue->lock);
	}
	pthread_mutex_unlock(&queue->lock);
	return NULL;
}

static int queue_finish(struct sink *sink)
{
	struct queue *queue = (struct queue *)sink;
	int result;

	pthread_mutex_lock(&queue->lock);
	if (queue->lost_calls)
		push_loss(queue);
	queue->finished = true;
	pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
	pthread_join(queue->thread, NULL);
	result = sink_finish(queue->next);
	pthread_mutex_destroy(&queue->lock);
	pthread_cond_destroy(&queue->filled);
	pthread_cond_destroy(&queue->emptied);
	free(queue->events);
	free(queue);
	return result;
}

struct sink *queue_new(const struct queue_options *options, struct sink *next)
{
	struct queue *queue = own_zalloc(sizeof(*queue));
	pthread_condattr_t attr;
	sigset_t all, before;

	queue->sink = (struct sink){ queue_emit, queue_finish };
	queue->options = *options;
	queue->next = next;
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
