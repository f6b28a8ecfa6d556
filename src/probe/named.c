/*
 * Rows by name for --probe: functions that compress and expand, so that data can be seen as the
 * program has them. z_stream (zlib.h, 64 bit): next_in 0, avail_in 8, next_out 24, avail_out 32.
 */
#include "probe/place.h"

#include <string.h>

#define USED(o, s)                                                         \
	{                                                                  \
		.kind = PLACE_USED, .index = 0, .offset = (o), .size = (s) \
	}

static const struct probe_row gzip_rows[] = {
	{ .symbol = "compress/gzip.(*Writer).Write",
	  .maker = "Go compress/gzip",
	  .abi = ABI_GO,
	  .dir = ROW_OUT,
	  .success = IF_POSITIVE,
	  .session = ARG(0),
	  .buffer = ARG(1),
	  .length = RESULT },
	{ .symbol = "compress/gzip.(*Reader).Read",
	  .maker = "Go compress/gzip",
	  .abi = ABI_GO,
	  .dir = ROW_IN,
	  .success = IF_POSITIVE,
	  .session = ARG(0),
	  .buffer = ARG(1),
	  .length = RESULT },
	{ .symbol = NULL },
};

static const struct probe_row zlib_rows[] = {
	{ .symbol = "deflate",
	  .maker = "zlib",
	  .dir = ROW_OUT,
	  .success = ALWAYS,
	  .session = ARG(0),
	  .buffer = FIELD(0, 8),
	  .length = USED(8, 4) },
	{ .symbol = "inflate",
	  .maker = "zlib",
	  .dir = ROW_IN,
	  .success = ALWAYS,
	  .session = ARG(0),
	  .buffer = FIELD(24, 8),
	  .length = USED(32, 4) },
	{ .symbol = NULL },
};

/*
 * BrotliEncoderCompressStream(state, op, &available_in, &next_in, …),
 * BrotliDecoderDecompressStream(state, &available_in, &next_in, &available_out, &next_out, …).
 */
#define VALUE_AT(i)                                          \
	{                                                    \
		.kind = PLACE_FIELD, .index = (i), .size = 8 \
	}
#define SHRINK_AT(i)                                        \
	{                                                   \
		.kind = PLACE_USED, .index = (i), .size = 8 \
	}

static const struct probe_row brotli_rows[] = {
	{ .symbol = "BrotliEncoderCompressStream",
	  .maker = "brotli",
	  .dir = ROW_OUT,
	  .success = ALWAYS,
	  .session = ARG(0),
	  .buffer = VALUE_AT(3),
	  .length = SHRINK_AT(2) },
	{ .symbol = "BrotliDecoderDecompressStream",
	  .maker = "brotli",
	  .dir = ROW_IN,
	  .success = ALWAYS,
	  .session = ARG(0),
	  .buffer = VALUE_AT(4),
	  .length = SHRINK_AT(3) },
	{ .symbol = NULL },
};

static const struct {
	const char *name;
	const struct probe_row *rows;
} named[] = { { "gzip", gzip_rows }, { "zlib", zlib_rows }, { "brotli", brotli_rows } };

const char *const probe_names[] = { "gzip", "zlib", "brotli", NULL };

const struct probe_row *probe_named_rows(const char *name)
{
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (!strcmp(named[i].name, name))
			return named[i].rows;
	return NULL;
}
