#include "view/http.h"

bool http_is(enum protocol protocol)
{
	return protocol == PROTOCOL_HTTP1 || protocol == PROTOCOL_HTTP2 ||
	       protocol == PROTOCOL_GRPC;
}

bool http_silent(const struct connection *connection)
{
	for (unsigned int i = 0; i < LAYERS; i++)
		if (connection->bytes[i][DIR_OUT] || connection->bytes[i][DIR_IN])
			return false;
	return !connection->lost;
}

bool http_spoken(const struct connection *connection)
{
	for (unsigned int i = 0; i < PROTOCOLS; i++)
		if (connection->protocols & 1U << i && http_is((enum protocol)i))
			return true;
	return false;
}
