#include "sink/alerts.h"

#include "base/log.h"
#include "base/own.h"

static void alerts_emit(struct sink *sink, struct event *event)
{
	(void)sink;
	if (event->type == EVENT_LOSS && event->pid)
		log_error("%s[%d]: lost %lu bytes in %lu calls (%s)", event->comm, event->pid,
			  event->loss.bytes, event->loss.calls, event->loss.reason);
	else if (event->type == EVENT_LOSS)
		log_error("lost %lu bytes in %lu calls (%s)", event->loss.bytes, event->loss.calls,
			  event->loss.reason);
	else if (event->type == EVENT_NOTE && event->pid)
		log_error("%s[%d]: %s", event->comm, event->pid, event->note.text);
	else if (event->type == EVENT_NOTE)
		log_error("%s", event->note.text);
}

static int alerts_finish(struct sink *sink)
{
	free(sink);
	return 0;
}

struct sink *alerts_new(void)
{
	struct sink *sink = own_zalloc(sizeof(*sink));

	*sink = (struct sink){ .emit = alerts_emit, .finish = alerts_finish };
	return sink;
}
