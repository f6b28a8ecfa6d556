#include "view/http.h"

#include <stdio.h>

bool http_is(enum protocol protocol)
{
	return protocol == PROTOCOL_HTTP1 || protocol == PROTOCOL_HTTP2 ||
	       protocol == PROTOCOL_GRPC;
}

static bool is_silent(const struct connection *connection)
{
	for (unsigned int i = 0; i < LAYERS; i++)
		if (connection->bytes[i][DIR_OUT] || connection->bytes[i][DIR_IN])
			return false;
	return !connection->lost;
}

static bool has_spoken(const struct connection *connection)
{
	for (unsigned int i = 0; i < PROTOCOLS; i++)
		if (connection->protocols & 1U << i && http_is((enum protocol)i))
			return true;
	return false;
}

void http_count(struct http_tally *tally, const struct connection *connection)
{
	if (is_silent(connection))
		return;
	tally->connections++;
	tally->others += !has_spoken(connection);
}

bool http_left_out(const struct http_tally *tally, char *text, size_t cap)
{
	if (!tally->others)
		return false;
	snprintf(text, cap, "%lu of %lu conversations are no HTTP and not here", tally->others,
		 tally->connections);
	return true;
}
