/*
 * The formats that show messages, not events: a sink of messages each, opened by its row in format.c. All
 * own out and close it in finish, whose result is out_close's.
 */
#ifndef VIEW_VIEW_H
#define VIEW_VIEW_H

#include "event/message_sink.h"
#include "sink/format.h"

/* How much of everything the ladder shows: -q, nothing, -v, -vv, -vvv, -vvvv. */
enum level {
	LEVEL_QUIET = -1, /* errors and totals */
	LEVEL_LINES,      /* an exchange, a line */
	LEVEL_HEADERS,
	LEVEL_BODIES, /* cut */
	LEVEL_WHOLE,
	LEVEL_CALLS, /* every call, and no messages: sink/text.c */
};

/* For people. level is below LEVEL_CALLS. */
struct message_sink *ladder_new(struct out *out, const struct format_options *options);

/* JSON Lines of messages, docs/messages.md. */
struct message_sink *messages_new(struct out *out, const struct format_options *options);

/* HTTP Archive 1.2. */
struct message_sink *har_new(struct out *out, const struct format_options *options);

/* A page to look at; docs in page.html. */
struct message_sink *html_new(struct out *out, const struct format_options *options);

/* Each HTTP request as a command. */
struct message_sink *curl_new(struct out *out, const struct format_options *options);

#endif
