/* What HAR and commands need of HTTP exchanges. */
#ifndef VIEW_HTTP_H
#define VIEW_HTTP_H

#include "event/message.h"

/* True for HTTP/1, HTTP/2 and gRPC. */
bool http_is(enum protocol protocol);

/* True where a connection has spoken HTTP. */
bool http_spoken(const struct connection *connection);
/* … nothing at all. */
bool http_silent(const struct connection *connection);

#endif
