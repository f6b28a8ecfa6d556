#include "golden/builtin.h"

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

static const char *const secret_headers[] = {
	"authorization",
	"proxy-authorization",
	"proxy-authenticate",
	"authentication-info",
	"cookie",
	"set-cookie",
	"cookie2",
	"set-cookie2",
	"x-api-key",
	"api-key",
	"apikey",
	"x-apikey",
	"x-auth-token",
	"x-access-token",
	"x-auth-key",
	"x-session-token",
	"x-session-id",
	"x-csrf-token",
	"x-xsrf-token",
	"x-vault-token",
	"private-token",
	"job-token",
	"x-amz-security-token",
	"x-goog-api-key",
	"x-goog-iam-authorization-token",
	"x-shopify-access-token",
	"x-functions-key",
	"ocp-apim-subscription-key",
	"x-hub-signature",
	"x-hub-signature-256",
	"x-signature",
	"stripe-signature",
	"x-slack-signature",
	"x-gitlab-token",
	"x-auth-signature",
	NULL,
};

const struct builtin_row builtin_rows[BUILTINS] = {
	[BUILTIN_PIDS] = { "pids", "processes by name, not by number" },
	[BUILTIN_DESCRIPTORS] = { "descriptors", "numbers of descriptors are left out" },
	[BUILTIN_TIMES] = { "times", "when it was and how long it took is left out" },
	[BUILTIN_CHUNKING] = { "chunking", "in how many calls bytes were moved is left out" },
	[BUILTIN_ORDER] = { "order", "connections in any order, each in its own" },
	[BUILTIN_PORTS] = { "ports", "ports of this host from 32768 on become <port#N>" },
	[BUILTIN_RESOLVER] = { "resolver", "a DNS server is 'resolver', whatever its address" },
	[BUILTIN_DNS_ANSWERS] = { "dns-answers", "of DNS: questions and result, no records" },
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
	[BUILTIN_CONTENT_LENGTH] = { "content-length", "its value, where the body is there" },
	[BUILTIN_BOUNDARY] = { "boundary", "boundaries of multipart bodies" },
	[BUILTIN_TIME_RFC3339] = { "time-rfc3339", "2026-01-02T03:04:05Z in values" },
	[BUILTIN_TIME_HTTP] = { "time-http", "Fri, 02 Jan 2026 03:04:05 GMT in values" },
	[BUILTIN_TIME_LOG] = { "time-log", "02/Jan/2026:03:04:05 +0000 in values" },
	[BUILTIN_TIME_UNIX] = { "time-unix", "Unix times of 10 and 13 digits, 2015 to 2039" },
	[BUILTIN_UUID] = { "uuid", "UUIDs in values" },
	[BUILTIN_ULID] = { "ulid", "ULIDs in values" },
	[BUILTIN_JWT] = { "jwt", "JSON Web Tokens in values" },
	[BUILTIN_SIGNATURE] = { "signature", "…signature=HEX, as of AWS" },
	[BUILTIN_SECRET_HEADERS] = { "secret-headers", "values of authorization, cookie and such",
				     HEADER_SECRET, secret_headers },
	[BUILTIN_SECRET_NAMES] = { "secret-names",
				   "parameters and JSON members named password, token and such" },
	[BUILTIN_SECRET_SHAPES] = { "secret-shapes",
				    "keys and tokens of well-known services, by their look" },
	[BUILTIN_SECRET_COMMANDS] = { "secret-commands", "arguments of AUTH and its like" },
	[BUILTIN_SECRET_ENVIRONMENT] = { "secret-environment",
					 "values of variables named *TOKEN*, *SECRET*, "
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
