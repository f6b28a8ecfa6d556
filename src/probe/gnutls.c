/* GnuTLS 3.x. gnutls_record_send only jumps to gnutls_record_send2, where there is one (3.6.3). */
#include "probe/place.h"

#include <stddef.h>

#define CALL(name, d, ...)                                                                         \
	{                                                                                          \
		.symbol = (name), .maker = "GnuTLS", .kind = ROW_CALL, .dir = (d), .is_tls = true, \
		.success = IF_POSITIVE, .session = ARG(0), .buffer = ARG(1), .length = RESULT,     \
		__VA_ARGS__                                                                        \
	}
#define UNCORK "gnutls_record_uncork"

const struct probe_row gnutls_rows[] = {
	CALL("gnutls_record_send", ROW_OUT, .unless = "gnutls_record_send2", .within = UNCORK),
	CALL("gnutls_record_send2", ROW_OUT, .within = UNCORK),
	CALL("gnutls_record_recv", ROW_IN),
	CALL("gnutls_record_recv_seq", ROW_IN),
	CALL("gnutls_record_send_early_data", ROW_OUT),
	CALL("gnutls_record_recv_early_data", ROW_IN),
	/* Sends by these functions what was told when the program gave it to them. */
	{ .symbol = UNCORK,
	  .maker = "GnuTLS",
	  .kind = ROW_CALL,
	  .dir = ROW_OUT,
	  .is_tls = true,
	  .success = IF_POSITIVE,
	  .session = ARG(0) },
	/* gnutls_transport_set_int is this one, too. */
	{ .symbol = "gnutls_transport_set_int2",
	  .maker = "GnuTLS",
	  .kind = ROW_BIND,
	  .is_tls = true,
	  .success = ALWAYS,
	  .session = ARG(0),
	  .buffer = ARG(1) },
	{ .symbol = "gnutls_deinit",
	  .maker = "GnuTLS",
	  .kind = ROW_FORGET,
	  .is_tls = true,
	  .session = ARG(0) },
	{ .symbol = NULL },
};
