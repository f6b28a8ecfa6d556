/* What HAR and commands need of HTTP exchanges. */
#ifndef VIEW_HTTP_H
#define VIEW_HTTP_H

#include "event/message.h"

/* True for HTTP/1, HTTP/2 and gRPC. */
bool http_is(enum protocol protocol);

/* Connections on which something was said, and how many of them have spoken something else. */
struct http_tally {
	uint64_t connections, others;
};

void http_count(struct http_tally *tally, const struct connection *connection);

/* Says in text how many are not here (NUL added, cut to cap). False, and no text: all are. */
bool http_left_out(const struct http_tally *tally, char *text, size_t cap);

#endif
