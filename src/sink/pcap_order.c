#include "sink/pcap_order.h"

#include "base/own.h"

#include <string.h>
#include <sys/queue.h>

struct held {
	struct event *event;
	uint64_t time;   /* its own, or that of what it was put before */
	uint64_t number; /* in the order of coming */
	TAILQ_ENTRY(held) next;
};

TAILQ_HEAD(held_list, held);

struct order {
	void (*emit)(void *ctx, struct event *event);
	void *ctx;
	struct held_list held;
	size_t count, bytes;
	uint64_t newest; /* time */
	uint64_t last;   /* number */
	/* What had come when it was looked at last. */
	struct {
		uint64_t number, at;
	} mark;
};

static void let_go(struct order *order, struct held *held)
{
	struct event *event = held->event;

	TAILQ_REMOVE(&order->held, held, next);
	order->count--;
	order->bytes -= event_size(event);
	if (held->time == event->time) {
		order->emit(order->ctx, event);
	} else {
		/* Others have the event, too; this is one for a call, which has no references. */
		struct event moved;

		memcpy(&moved, event, sizeof(moved));
		moved.time = held->time;
		order->emit(order->ctx, &moved);
	}
	event_unref(event);
	free(held);
}

static bool is_too_much(const struct order *order)
{
	return order->count > ORDER_COUNT || order->bytes > ORDER_BYTES;
}

static void let_go_old(struct order *order)
{
	struct held *first;

	while ((first = TAILQ_FIRST(&order->held)) &&
	       (is_too_much(order) ||
		(order->newest > first->time && order->newest - first->time > ORDER_NS)))
		let_go(order, first);
}

static bool is_sent(const struct event *event)
{
	return event->type == EVENT_DATA && event->data.conn && event->data.dir == DIR_OUT &&
	       !event->data.error;
}

/* Both are on one socket, and what happens there in other layers goes its own way. */
static bool concerns(const struct event *event, const struct event *sent)
{
	if (event->type == EVENT_SOCKET)
		return event->socket.conn == sent->data.conn;
	return event->type == EVENT_DATA && event->data.conn == sent->data.conn &&
	       event->data.layer == sent->data.layer;
}

/* The first that was received since the call that sends began; NULL: none. */
static struct held *find_place(const struct order *order, const struct event *sent)
{
	uint64_t begun = sent->time - sent->data.dur;
	struct held *place = NULL, *held;

	TAILQ_FOREACH_REVERSE(held, &order->held, held_list, next) {
		if (held->event->time <= begun)
			break;
		if (!concerns(held->event, sent))
			continue;
		if (held->event->type != EVENT_DATA || held->event->data.dir != DIR_IN)
			break;
		place = held;
	}
	return place;
}

void order_add(struct order *order, struct event *event)
{
	struct held *held = own_zalloc(sizeof(*held)), *place = NULL;

	if (event->time > order->newest)
		order->newest = event->time;
	let_go_old(order);
	held->event = event_ref(event);
	held->time = event->time;
	held->number = ++order->last;
	order->count++;
	order->bytes += event_size(event);
	if (is_sent(event))
		place = find_place(order, event);
	if (place) {
		if (place->time < held->time)
			held->time = place->time;
		TAILQ_INSERT_BEFORE(place, held, next);
	} else {
		TAILQ_INSERT_TAIL(&order->held, held, next);
	}
	let_go_old(order);
}

bool order_idle(struct order *order, uint64_t now)
{
	struct held *first;

	if (now - order->mark.at < ORDER_IDLE_NS)
		return order->count > 0;
	while ((first = TAILQ_FIRST(&order->held)) && first->number <= order->mark.number)
		let_go(order, first);
	order->mark.number = order->last;
	order->mark.at = now;
	return order->count > 0;
}

void order_free(struct order *order)
{
	struct held *first;

	while ((first = TAILQ_FIRST(&order->held)))
		let_go(order, first);
	free(order);
}

struct order *order_new(void (*emit)(void *ctx, struct event *event), void *ctx)
{
	struct order *order = own_zalloc(sizeof(*order));

	order->emit = emit;
	order->ctx = ctx;
	TAILQ_INIT(&order->held);
	return order;
}
