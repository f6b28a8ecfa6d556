#include "decode/pending.h"

#include "base/own.h"
#include "decode/limits.h"

static void give_up(struct channel *channel, struct exchange *exchange, const char *why)
{
	if (!exchange->why)
		exchange->why = why;
	channel_exchange_emit(channel, exchange);
}

static void grow(struct pending *pending)
{
	size_t room = pending->room ? pending->room * 2 : 4;
	struct exchange **items = own_alloc(room * sizeof(struct exchange *));

	for (size_t i = 0; i < pending->count; i++)
		items[i] = pending->items[(pending->head + i) % pending->room];
	free(pending->items);
	*pending = (struct pending){ .items = items, .count = pending->count, .room = room };
}

void pending_add(struct channel *channel, struct pending *pending, struct exchange *exchange)
{
	if (pending->count == PENDING_MAX)
		give_up(channel, pending_take(pending), "too many requests without an answer");
	if (pending->count == pending->room)
		grow(pending);
	pending->items[(pending->head + pending->count++) % pending->room] = exchange;
}

struct exchange *pending_first(const struct pending *pending)
{
	return pending->count ? pending->items[pending->head] : NULL;
}

struct exchange *pending_take(struct pending *pending)
{
	struct exchange *exchange = pending_first(pending);

	if (exchange) {
		pending->head = (pending->head + 1) % pending->room;
		pending->count--;
	}
	return exchange;
}

void pending_close(struct channel *channel, struct pending *pending, const char *why)
{
	while (pending->count)
		give_up(channel, pending_take(pending), why);
	free(pending->items);
	*pending = (struct pending){ 0 };
}
