/*
 * OpenSSL 1.1 and 3.x, and what has its functions: LibreSSL, BoringSSL, node's own. The public
 * functions, and no field of any structure. They do not call each other (libssl 3.0, 1.1.1), but for
 * those of early data.
 * SSL_sendfile(3) needs none: it works with kernel TLS only, where the system call has the plaintext.
 */
#include "probe/place.h"

#include <stddef.h>

#define AT_ARG(i)                                             \
	{                                                     \
		.kind = PLACE_AT_ARG, .index = (i), .size = 8 \
	}

/* ssl, buffer and size come first; the result is the count. */
#define COUNTING(name, d, is_peek)                                                            \
	{                                                                                     \
		.symbol = (name), .maker = "OpenSSL", .kind = ROW_CALL, .dir = (d),           \
		.peek = (is_peek), .is_tls = true, .success = IF_POSITIVE, .session = ARG(0), \
		.buffer = ARG(1), .length = RESULT                                            \
	}
/* … or stands where argument `at` points to. */
#define STORING(name, d, is_peek, when, at, ...)                                         \
	{                                                                                \
		.symbol = (name), .maker = "OpenSSL", .kind = ROW_CALL, .dir = (d),      \
		.peek = (is_peek), .is_tls = true, .success = (when), .session = ARG(0), \
		.buffer = ARG(1), .length = AT_ARG(at), __VA_ARGS__                      \
	}
#define ENTERING(name, k, ...)                                                     \
	{                                                                          \
		.symbol = (name), .maker = "OpenSSL", .kind = (k), .is_tls = true, \
		.session = ARG(0), __VA_ARGS__                                     \
	}
#define BINDING(name)                                                                   \
	{                                                                               \
		.symbol = (name), .maker = "OpenSSL", .kind = ROW_BIND, .is_tls = true, \
		.success = IF_ONE, .session = ARG(0), .buffer = ARG(1)                  \
	}

const struct probe_row openssl_rows[] = {
	COUNTING("SSL_read", ROW_IN, false),
	COUNTING("SSL_write", ROW_OUT, false),
	COUNTING("SSL_peek", ROW_IN, true),
	STORING("SSL_read_ex", ROW_IN, false, IF_ONE, 3, .within = "SSL_read_early_data"),
	STORING("SSL_write_ex", ROW_OUT, false, IF_ONE, 3, .within = "SSL_write_early_data"),
	STORING("SSL_peek_ex", ROW_IN, true, IF_ONE, 3),
	STORING("SSL_write_ex2", ROW_OUT, false, IF_ONE, 4),
	STORING("SSL_write_early_data", ROW_OUT, false, IF_ONE, 3),
	/* 1: some, 2: the end of early data, perhaps with some. */
	STORING("SSL_read_early_data", ROW_IN, false, IF_NONZERO, 3),
	/*
	 * A BIO of TLS goes round the public functions (1.1.1 and newer): its own are in the table that
	 * BIO_f_ssl returns, whose words are a number, a name, and in pairs of a new and an old form the
	 * functions. BIO, buffer, size, where to store the count.
	 */
	STORING("BIO_f_ssl", ROW_OUT, false, IF_POSITIVE, 3, .method = "BIO_write", .slot = 2),
	STORING("BIO_f_ssl", ROW_IN, false, IF_POSITIVE, 3, .method = "BIO_read", .slot = 4),
	ENTERING("SSL_free", ROW_FORGET),
	ENTERING("SSL_clear", ROW_UNBIND),
	ENTERING("SSL_set_bio", ROW_UNBIND),
	/* SSL_connect and SSL_accept call them, too. */
	ENTERING("SSL_set_connect_state", ROW_ROLE, .dir = ROW_OUT),
	ENTERING("SSL_set_accept_state", ROW_ROLE, .dir = ROW_IN),
	BINDING("SSL_set_fd"),
	BINDING("SSL_set_rfd"),
	BINDING("SSL_set_wfd"),
	{ .symbol = NULL },
};
