/*
 * The built-in rules, a row each in builtin.c: what a run has that the next run of the same program has
 * not. They have one version for all; `iotrace rules` lists them, `keep builtin NAME` in a rules file
 * switches one off.
 */
#ifndef GOLDEN_BUILTIN_H
#define GOLDEN_BUILTIN_H

#include "base/span.h"

#define BUILTIN_VERSION 2

enum builtin {
	BUILTIN_PIDS,
	BUILTIN_DESCRIPTORS,
	BUILTIN_TIMES,
	BUILTIN_CHUNKING,
	BUILTIN_ORDER,
	BUILTIN_PORTS,
	BUILTIN_RESOLVER,
	BUILTIN_DNS_ANSWERS,
	BUILTIN_DATE_HEADERS,
	BUILTIN_SERVER_HEADERS,
	BUILTIN_ETAG_HEADERS,
	BUILTIN_REQUEST_ID_HEADERS,
	BUILTIN_WEBSOCKET_HEADERS,
	BUILTIN_AGENT_VERSIONS,
	BUILTIN_CONTENT_LENGTH,
	BUILTIN_BOUNDARY,
	BUILTIN_TIME_RFC3339,
	BUILTIN_TIME_HTTP,
	BUILTIN_TIME_LOG,
	BUILTIN_TIME_UNIX,
	BUILTIN_TIME_DAY,
	BUILTIN_UUID,
	BUILTIN_ULID,
	BUILTIN_JWT,
	BUILTIN_SIGNATURE,
	BUILTIN_SECRET_HEADERS,
	BUILTIN_SECRET_NAMES,
	BUILTIN_SECRET_SHAPES,
	BUILTIN_SECRET_COMMANDS,
	BUILTIN_SECRET_ENVIRONMENT,
	BUILTINS,
};

/* A header's value is all or in part one of these. */
enum builtin_shape { HEADER_PLAIN, HEADER_STAR, HEADER_SECRET, HEADER_VERSION };

struct builtin_row {
	const char *name;
	const char *summary;
	enum builtin_shape shape;   /* of the headers */
	const char *const *headers; /* in lower case, ended by NULL; NULL: none */
};

extern const struct builtin_row builtin_rows[BUILTINS];

/* The row for a header's name in lower case; -1: none. */
int builtin_header(struct span name);

/* -1: there is none of that name. */
int builtin_find(struct span name);

#endif
