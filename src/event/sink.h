/*
 * Where events go. Every stage behind the capture is a sink, and most hold the next one, so that a
 * command is a composition. A sink embeds this struct and is reached by it alone.
 */
#ifndef EVENT_SINK_H
#define EVENT_SINK_H

#include "iotrace/event.h"

#include <stdbool.h>

struct sink {
	/* Borrows the event; keeps it by event_ref. Failures are remembered for finish. */
	void (*emit)(struct sink *sink, struct event *event);
	/* Writes out what is left, finishes the next sink, releases this one. 0 or the first
	 * -errno. */
	int (*finish)(struct sink *sink);
	/*
	 * NULL, or: nothing has come for a while, and what is held back for what may follow is to be let go. True
	 * where something is held back still; then it is called again in some milliseconds, if nothing comes.
	 */
	bool (*idle)(struct sink *sink);
};

static inline void sink_emit(struct sink *sink, struct event *event)
{
	sink->emit(sink, event);
}

static inline bool sink_idle(struct sink *sink)
{
	return sink->idle && sink->idle(sink);
}

static inline int sink_finish(struct sink *sink)
{
	return sink ? sink->finish(sink) : 0;
}

#endif
