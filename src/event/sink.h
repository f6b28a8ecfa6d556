/*
 * Where events go. Every stage behind the capture is a sink, and most hold the next one, so that a
 * command is a composition. A sink embeds this struct and is reached by it alone.
 */
#ifndef EVENT_SINK_H
#define EVENT_SINK_H

#include "iotrace/event.h"

struct sink {
	/* Borrows the event; keeps it by event_ref. Failures are remembered for finish. */
	void (*emit)(struct sink *sink, struct event *event);
	/* Writes out what is left, finishes the next sink, releases this one. 0 or the first
	 * -errno. */
	int (*finish)(struct sink *sink);
};

static inline void sink_emit(struct sink *sink, struct event *event)
{
	sink->emit(sink, event);
}

static inline int sink_finish(struct sink *sink)
{
	return sink ? sink->finish(sink) : 0;
}

#endif
