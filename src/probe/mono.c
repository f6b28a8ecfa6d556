/*
 * Mono's TLS: BoringSSL in libmono-btls-shared.so, whose own functions have no names there. The object that
 * the exported ones are given has its SSL in the second word (Mono 4.8 to 6.12). What is on the wire is
 * moved elsewhere, by the program's streams.
 */
#include "probe/place.h"

#include <stddef.h>

#define SSL FIELD(8, 8)
#define CALL(name, d)                                                                     \
	{                                                                                 \
		.symbol = (name), .maker = "Mono BTLS", .kind = ROW_CALL, .dir = (d),     \
		.is_tls = true, .success = IF_POSITIVE, .session = SSL, .buffer = ARG(1), \
		.length = RESULT                                                          \
	}

const struct probe_row mono_rows[] = {
	CALL("mono_btls_ssl_read", ROW_IN),
	CALL("mono_btls_ssl_write", ROW_OUT),
	{ .symbol = "mono_btls_ssl_destroy",
	  .maker = "Mono BTLS",
	  .kind = ROW_FORGET,
	  .is_tls = true,
	  .session = SSL },
	{ .symbol = NULL },
};
