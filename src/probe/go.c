/*
 * Go's crypto/tls. The connection is the receiver, argument 0; a slice takes three places. Read can
 * return bytes together with an error: only the count matters.
 */
#include "probe/place.h"

#include <stddef.h>

#define CALL(name, d)                                                                        \
	{                                                                                    \
		.symbol = (name), .maker = "Go crypto/tls", .abi = ABI_GO, .kind = ROW_CALL, \
		.dir = (d), .is_tls = true, .success = IF_POSITIVE, .session = ARG(0),       \
		.buffer = ARG(1), .length = RESULT                                           \
	}

const struct probe_row go_rows[] = {
	CALL("crypto/tls.(*Conn).Read", ROW_IN),
	CALL("crypto/tls.(*Conn).Write", ROW_OUT),
	{ .symbol = NULL },
};

const struct probe_row *const probe_tables[] = { openssl_rows, gnutls_rows, go_rows, mono_rows,
						 NULL };
