/*
 * The border between the tracer's thread and the output's: a bounded queue, and the thread that
 * empties it into the next sink. A tracee is held up by output only when the queue is full.
 */
#ifndef SINK_QUEUE_H
#define SINK_QUEUE_H

#include "event/sink.h"

struct queue_options {
	size_t bytes; /* bound of what is queued; one event of more is let in alone */
	bool drop;    /* when full: drop data events, told by a loss, instead of waiting */
	/*
	 * Called in the output thread when everything that was queued has been emitted. True: again in some
	 * milliseconds, even if nothing comes.
	 */
	bool (*idle)(void *ctx);
	void *idle_ctx;
};

/*
 * Starts the thread. The next sink's emit is called in it alone; its finish when this one's is.
 */
struct sink *queue_new(const struct queue_options *options, struct sink *next);

#endif
