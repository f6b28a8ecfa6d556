#include "decode/hpack.h"

#include "base/own.h"

#include <nghttp2/nghttp2.h>

/*
 * More than the peers agree on does no harm: an encoder says in the block when it changes the size. This
 * is what browsers use at most; it bounds the table's memory.
 */
#define TABLE_MAX (64U << 10)

/* The default table's size, and what an entry with a name of one byte takes of it (RFC 7541, 4.1). */
#define TABLE_DEFAULT 4096U
#define ENTRY_LEN     33U

struct hpack {
	nghttp2_hd_inflater *inflater;
};

static bool inflate(nghttp2_hd_inflater *inflater, struct span fragment, bool last,
		    void (*header)(void *ctx, struct span name, struct span value), void *ctx)
{
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, fragment.data,
						   fragment.len, last);

		if (n < 0)
			return false;
		fragment = span_cut(fragment, (size_t)n, fragment.len);
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) && header)
			header(ctx, span_of(nv.name, nv.namelen), span_of(nv.value, nv.valuelen));
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			nghttp2_hd_inflate_end_headers(inflater);
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
			return true;
	}
}

/*
 * Fills the table with entries that stand for those we have not seen. Entries are counted from the
 * newest, so what comes later is found where it belongs.
 */
static void add_unknown(struct hpack *hpack)
{
	static const uint8_t literal[] = { 0x40, 1, HPACK_UNKNOWN[0], 0 };

	for (unsigned int i = 0; i < TABLE_DEFAULT / ENTRY_LEN; i++)
		inflate(hpack->inflater, span_of(literal, sizeof(literal)), true, NULL, NULL);
}

static void reset(struct hpack *hpack, bool fresh)
{
	if (hpack->inflater)
		nghttp2_hd_inflate_del(hpack->inflater);
	if (nghttp2_hd_inflate_new(&hpack->inflater))
		abort();
	nghttp2_hd_inflate_change_table_size(hpack->inflater, TABLE_MAX);
	if (!fresh)
		add_unknown(hpack);
}

struct hpack *hpack_new(bool fresh)
{
	struct hpack *hpack = own_zalloc(sizeof(*hpack));

	reset(hpack, fresh);
	return hpack;
}

void hpack_free(struct hpack *hpack)
{
	if (!hpack)
		return;
	nghttp2_hd_inflate_del(hpack->inflater);
	free(hpack);
}

bool hpack_feed(struct hpack *hpack, struct span fragment, bool last,
		void (*header)(void *ctx, struct span name, struct span value), void *ctx)
{
	if (inflate(hpack->inflater, fragment, last, header, ctx))
		return true;
	reset(hpack, false);
	return false;
}
