#include "golden/builtin.h"

#include "secret/name.h"

static const char *const date_headers[] = { "date", "age", "expires", "last-modified", NULL };

static const char *const server_headers[] = { "server", "via", "x-powered-by", "x-served-by",
					      NULL };

static const char *const etag_headers[] = {
	"etag", "if-match", "if-none-match", "if-modified-since", "if-range", "if-unmodified-since",
	NULL
};

static const char *const request_id_headers[] = {
	"x-request-id",
	"request-id",
	"x-correlation-id",
	"correlation-id",
	"x-trace-id",
	"traceparent",
	"tracestate",
	"baggage",
	"sentry-trace",
	"b3",
	"x-b3-traceid",
	"x-b3-spanid",
	"x-b3-parentspanid",
	"x-amzn-trace-id",
	"x-amzn-requestid",
	"x-amz-request-id",
	"x-amz-id-2",
	"x-cloud-trace-context",
	"x-github-request-id",
	"x-ms-request-id",
	"x-ms-client-request-id",
	"cf-ray",
	"idempotency-key",
	NULL,
};

static const char *const websocket_headers[] = { "sec-websocket-key", "sec-websocket-accept",
						 NULL };

static const char *const agent_headers[] = { "user-agent", NULL };

const struct builtin_row builtin_rows[BUILTINS] = {
	[BUILTIN_PIDS] = { .name = "pids", .summary = "processes by name, not by number" },
	[BUILTIN_DESCRIPTORS] = { .name = "descriptors",
				  .summary = "numbers of descriptors are left out" },
	[BUILTIN_TIMES] = { .name = "times",
			    .summary = "when it was and how long it took is left out" },
	[BUILTIN_CHUNKING] = { .name = "chunking",
			       .summary = "in how many calls bytes were moved is left out" },
	[BUILTIN_ORDER] = { .name = "order",
			    .summary = "connections in any order, each in its own" },
	[BUILTIN_PORTS] = { .name = "ports",
			    .summary = "ports of this host from 32768 on become <port#N>" },
	[BUILTIN_RESOLVER] = { .name = "resolver",
			       .summary = "a DNS server is 'resolver', whatever its address" },
	[BUILTIN_DNS_ANSWERS] = { .name = "dns-answers",
				  .summary = "of DNS: questions and result, no records" },
	[BUILTIN_DATE_HEADERS] = { "date-headers", "values of date, age and the like", HEADER_STAR,
				   date_headers },
	[BUILTIN_SERVER_HEADERS] = { "server-headers", "values of server, via and the like",
				     HEADER_STAR, server_headers },
	[BUILTIN_ETAG_HEADERS] = { "etag-headers", "values of etag, if-none-match and the like",
				   HEADER_STAR, etag_headers },
	[BUILTIN_REQUEST_ID_HEADERS] = { "request-id-headers",
					 "values of x-request-id, traceparent and the like",
					 HEADER_STAR, request_id_headers },
	[BUILTIN_WEBSOCKET_HEADERS] = { "websocket-headers", "keys of WebSocket's handshake",
					HEADER_STAR, websocket_headers },
	[BUILTIN_AGENT_VERSIONS] = { "agent-versions", "versions in user-agent", HEADER_VERSION,
				     agent_headers },
	[BUILTIN_CONTENT_LENGTH] = { .name = "content-length",
				     .summary = "its value, where the body is there" },
	[BUILTIN_BOUNDARY] = { .name = "boundary", .summary = "boundaries of multipart bodies" },
	[BUILTIN_TIME_RFC3339] = { .name = "time-rfc3339",
				   .summary = "2026-01-02T03:04:05Z in values" },
	[BUILTIN_TIME_HTTP] = { .name = "time-http",
				.summary = "Fri, 02 Jan 2026 03:04:05 GMT in values" },
	[BUILTIN_TIME_LOG] = { .name = "time-log",
			       .summary = "02/Jan/2026:03:04:05 +0000 in values" },
	[BUILTIN_TIME_UNIX] = { .name = "time-unix",
				.summary = "Unix times of 10 and 13 digits, 2015 to 2039" },
	[BUILTIN_TIME_DAY] = { .name = "time-day",
			       .summary = "the run's day and those beside it: 2026-01-02, "
					  "Jan 2, 2026 and such" },
	[BUILTIN_UUID] = { .name = "uuid", .summary = "UUIDs in values" },
	[BUILTIN_ULID] = { .name = "ulid", .summary = "ULIDs in values" },
	[BUILTIN_JWT] = { .name = "jwt", .summary = "JSON Web Tokens in values" },
	[BUILTIN_SIGNATURE] = { .name = "signature", .summary = "…signature=HEX, as of AWS" },
	[BUILTIN_SECRET_HEADERS] = { "secret-headers", "values of authorization, cookie and such",
				     HEADER_SECRET, secret_headers },
	[BUILTIN_SECRET_NAMES] = { .name = "secret-names",
				   .summary = "parameters and JSON members named password, token "
					      "and such" },
	[BUILTIN_SECRET_SHAPES] = { .name = "secret-shapes",
				    .summary = "keys and tokens of well-known services, by their "
					       "look" },
	[BUILTIN_SECRET_COMMANDS] = { .name = "secret-commands",
				      .summary = "arguments of AUTH and its like" },
	[BUILTIN_SECRET_ENVIRONMENT] = { .name = "secret-environment",
					 .summary = "values of variables named *TOKEN*, *SECRET*, "
						    "*PASSWORD*, *_KEY" },
};

int builtin_header(struct span name)
{
	for (int i = 0; i < BUILTINS; i++)
		for (const char *const *header = builtin_rows[i].headers; header && *header;
		     header++)
			if (span_equal(name, span_text(*header)))
				return i;
	return -1;
}

int builtin_find(struct span name)
{
	for (int i = 0; i < BUILTINS; i++)
		if (span_equal(name, span_text(builtin_rows[i].name)))
			return i;
	return -1;
}
