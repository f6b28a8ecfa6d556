/*
 * Events in the order in which things came about. They come in the order of their calls' returns, and what one
 * thread reads can be the answer to what another is still sending, as far as its call's return goes. Whoever
 * reads packets takes that for an answer without a question: so a call that sends is put before those that have
 * received on its socket since it began.
 */
#ifndef SINK_PCAP_ORDER_H
#define SINK_PCAP_ORDER_H

#include "iotrace/event.h"

/* So long, by the events' times, and so many events are held back for those that belong before them. */
#define ORDER_NS    50000000ULL
#define ORDER_COUNT 1024
#define ORDER_BYTES (8U << 20)

/* And so long by the clock where nothing comes. */
#define ORDER_IDLE_NS 250000000ULL

struct order;

/*
 * emit borrows the event, for the call alone; one that was put before others has the time of the first of them,
 * so that times do not go backwards.
 */
struct order *order_new(void (*emit)(void *ctx, struct event *event), void *ctx);

void order_add(struct order *order, struct event *event);

/* Nothing has come for a while; `now` of CLOCK_MONOTONIC. True where something is held back still. */
bool order_idle(struct order *order, uint64_t now);

/* Emits what is left, and releases. */
void order_free(struct order *order);

#endif
