/* HPACK (RFC 7541), one direction of an HTTP/2 connection. hpack.c is the only file that knows nghttp2. */
#ifndef DECODE_HPACK_H
#define DECODE_HPACK_H

#include "base/span.h"

struct hpack;

/* A header that was put into the table before our time has this name and value. */
#define HPACK_UNKNOWN "?"

/* fresh: from the connection's first header block. */
struct hpack *hpack_new(bool fresh);
void hpack_free(struct hpack *hpack);

/*
 * Decodes a fragment of a block; `header` borrows. False where the fragment is damaged; the rest of the
 * block is to be left out, and the next one starts with a table of unknown headers.
 */
bool hpack_feed(struct hpack *hpack, struct span fragment, bool last,
		void (*header)(void *ctx, struct span name, struct span value), void *ctx);

#endif
