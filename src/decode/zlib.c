/* The only file that knows zlib. */
#include "base/own.h"
#include "decode/coding.h"
#include "decode/limits.h"

#include <zlib.h>

/* zlib's window bits: with a header of gzip's, of zlib's own, with none. */
enum wrapping { WRAPPED_GZIP = 16 + MAX_WBITS, WRAPPED_ZLIB = MAX_WBITS, WRAPPED_NOT = -MAX_WBITS };

#define PIECE (16U << 10)

static void set_input(z_stream *z, struct span in)
{
	/* Bodies are bounded far below 4 GiB. */
	z->next_in = (Bytef *)(uintptr_t)in.data;
	z->avail_in = (uInt)in.len;
}

/* Inflates one stream of z's input. NULL at its end, or why it came to none. */
static const char *run(z_stream *z, size_t in_len, size_t max, struct buf *out)
{
	const char *why;
	int result;

	do {
		size_t room = coding_room(out, in_len, max, &why);

		if (!room)
			return why;
		room = room < PIECE ? room : PIECE;
		z->next_out = (Bytef *)buf_reserve(out, room);
		z->avail_out = (uInt)room;
		result = inflate(z, Z_NO_FLUSH);
		out->len += room - z->avail_out;
		if (result == Z_BUF_ERROR || (result == Z_OK && !z->avail_in && z->avail_out))
			return coding_unfinished;
	} while (result == Z_OK);
	return result == Z_STREAM_END ? NULL : coding_corrupt;
}

static const char *inflate_all(enum wrapping wrapping, struct span in, size_t max, struct buf *out)
{
	z_stream z = { 0 };
	const char *why;

	set_input(&z, in);
	if (inflateInit2(&z, wrapping) != Z_OK)
		return coding_corrupt;
	why = run(&z, in.len, max, out);
	/* A gzip file may be several, one behind the other (RFC 1952, 2.2). */
	while (!why && wrapping == WRAPPED_GZIP && z.avail_in >= 18 && z.next_in[0] == 0x1f) {
		inflateReset(&z);
		why = run(&z, in.len, max, out);
	}
	inflateEnd(&z);
	return why;
}

const char *coding_gzip(struct span in, size_t max, struct buf *out)
{
	return inflate_all(WRAPPED_GZIP, in, max, out);
}

/* "deflate" is zlib's format (RFC 9110, 8.4.1.2), but some servers send it without the header. */
static bool has_zlib_header(struct span in)
{
	return in.len >= 2 && (in.data[0] & 0x0f) == 8 && in.data[0] >> 4 <= 7 &&
	       (in.data[0] << 8 | in.data[1]) % 31 == 0;
}

const char *coding_deflate(struct span in, size_t max, struct buf *out)
{
	return inflate_all(has_zlib_header(in) ? WRAPPED_ZLIB : WRAPPED_NOT, in, max, out);
}

struct inflater {
	z_stream z;
	bool broken;
};

struct inflater *inflater_new(void)
{
	struct inflater *inflater = own_zalloc(sizeof(*inflater));

	inflater->broken = inflateInit2(&inflater->z, WRAPPED_NOT) != Z_OK;
	return inflater;
}

void inflater_free(struct inflater *inflater)
{
	if (!inflater)
		return;
	inflateEnd(&inflater->z);
	free(inflater);
}

void inflater_reset(struct inflater *inflater)
{
	inflater->broken = inflateReset(&inflater->z) != Z_OK;
}

bool inflater_feed(struct inflater *inflater, struct span in, size_t max, struct buf *out,
		   uint64_t *ret_len)
{
	z_stream *z = &inflater->z;
	Bytef piece[4096];
	int result = Z_OK;

	set_input(z, in);
	do {
		size_t made, kept;

		z->next_out = piece;
		z->avail_out = sizeof(piece);
		result = inflater->broken ? Z_DATA_ERROR : inflate(z, Z_SYNC_FLUSH);
		if (*ret_len / CODING_RATIO > in.len + CODING_GRACE / CODING_RATIO)
			result = Z_DATA_ERROR;
		if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
			inflater->broken = true;
			return false;
		}
		made = sizeof(piece) - z->avail_out;
		kept = out->len < max ? max - out->len : 0;
		buf_add(out, piece, made < kept ? made : kept);
		*ret_len += made;
		/* A final block ends a message that was not flushed (RFC 7692, 7.2.3.5). */
		if (result == Z_STREAM_END && inflateReset(z) != Z_OK)
			inflater->broken = true;
	} while ((z->avail_in || !z->avail_out) && result != Z_BUF_ERROR);
	return true;
}
