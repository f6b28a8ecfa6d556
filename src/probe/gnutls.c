/* GnuTLS 3.x. gnutls_record_send only jumps to gnutls_record_send2, where there is one (3.6.3). */
#include "probe/row.h"

#include <stddef.h>

#define ARG(i)                                  \
	{                                       \
		.kind = PLACE_ARG, .index = (i) \
	}
#define RESULT                                   \
	{                                        \
		.kind = PLACE_RESULT, .index = 0 \
	}

#define CALL(name, d, other)                                                              \
	{                                                                                 \
		.symbol = (name), .maker = "GnuTLS", .unless = (other), .kind = ROW_CALL, \
		.dir = (d), .is_tls = true, .success = IF_POSITIVE, .session = ARG(0),    \
		.buffer = ARG(1), .length = RESULT                                        \
	}

const struct probe_row gnutls_rows[] = {
	CALL("gnutls_record_send", ROW_OUT, "gnutls_record_send2"),
	CALL("gnutls_record_send2", ROW_OUT, NULL),
	CALL("gnutls_record_recv", ROW_IN, NULL),
	CALL("gnutls_record_recv_seq", ROW_IN, NULL),
	CALL("gnutls_record_send_early_data", ROW_OUT, NULL),
	CALL("gnutls_record_recv_early_data", ROW_IN, NULL),
	{ .symbol = "gnutls_deinit",
	  .maker = "GnuTLS",
	  .kind = ROW_FORGET,
	  .is_tls = true,
	  .session = ARG(0) },
	{ .symbol = NULL },
};
