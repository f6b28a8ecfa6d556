/* Content-codings are undone within their bounds, whatever the bytes. */
#include "decode/coding.h"
#include "decode/limits.h"
#include "decode/protobuf.h"
#include "fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const char *const lists[] = { "gzip", "deflate",  "br",
					     "zstd", "gzip, br", "zstd,deflate" };
	const size_t max = CODING_GRACE / 4;
	struct buf out auto_buf = { 0 };
	struct span in = span_of(data, len);
	uint64_t total = 0;
	struct inflater *inflater;

	if (!len)
		return 0;
	in = span_cut(in, 1, len);
	coding_undo(span_text(lists[data[0] % 6]), in, max, &out);
	if (out.len > max)
		abort();
	out.len = 0;
	inflater = inflater_new();
	inflater_feed(inflater, in, max, &out, &total);
	inflater_free(inflater);
	out.len = 0;
	protobuf_add_text(&out, in, max);
	return 0;
}
