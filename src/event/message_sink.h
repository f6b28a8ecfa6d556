/*
 * Where messages go: the seam between the decoders and what shows messages. Events come along, in
 * their order between the messages, since a view may show them as well.
 */
#ifndef EVENT_MESSAGE_SINK_H
#define EVENT_MESSAGE_SINK_H

#include "event/message.h"

struct message_sink {
	/* Every event, before the messages that it completes. NULL: not wanted. */
	void (*event)(struct message_sink *sink, struct event *event);
	/* Every message, when it is complete or given up. NULL: not wanted. */
	void (*message)(struct message_sink *sink, struct message *message);
	/* Every exchange, after both of its messages. NULL: not wanted. */
	void (*exchange)(struct message_sink *sink, struct exchange *exchange);
	/* Every connection, when it is over, after all its exchanges. NULL: not wanted. */
	void (*connection)(struct message_sink *sink, const struct connection *connection);
	/* Writes out what is left and releases the sink. 0 or the first -errno. */
	int (*finish)(struct message_sink *sink);
};

static inline void message_sink_event(struct message_sink *sink, struct event *event)
{
	if (sink->event)
		sink->event(sink, event);
}

static inline void message_sink_message(struct message_sink *sink, struct message *message)
{
	if (sink->message)
		sink->message(sink, message);
}

static inline void message_sink_exchange(struct message_sink *sink, struct exchange *exchange)
{
	if (sink->exchange)
		sink->exchange(sink, exchange);
}

static inline void message_sink_connection(struct message_sink *sink,
					   const struct connection *connection)
{
	if (sink->connection)
		sink->connection(sink, connection);
}

#endif
