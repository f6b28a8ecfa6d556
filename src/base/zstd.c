/* The only file that knows libzstd. */
#include "base/zstd.h"

#include "base/own.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>

/* The fastest of the regular ones: events must not wait. */
#define LEVEL 1

#define WINDOW_LOG_MAX 23

struct zstd_writer {
	ZSTD_CCtx *ctx;
};

struct zstd_reader {
	ZSTD_DCtx *ctx;
};

struct zstd_writer *zstd_writer_new(void)
{
	struct zstd_writer *writer = own_zalloc(sizeof(*writer));

	writer->ctx = ZSTD_createCCtx();
	ZSTD_CCtx_setParameter(writer->ctx, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(writer->ctx, ZSTD_c_checksumFlag, 1);
	return writer;
}

void zstd_writer_free(struct zstd_writer *writer)
{
	if (!writer)
		return;
	ZSTD_freeCCtx(writer->ctx);
	free(writer);
}

static const ZSTD_EndDirective directives[] = {
	[ZSTD_MORE] = ZSTD_e_continue,
	[ZSTD_FLUSHED] = ZSTD_e_flush,
	[ZSTD_ENDED] = ZSTD_e_end,
};

void zstd_write(struct zstd_writer *writer, struct buf *out, const void *data, size_t len,
		enum zstd_end end)
{
	ZSTD_inBuffer in = { data, len, 0 };
	size_t room = ZSTD_CStreamOutSize(), left;

	do {
		ZSTD_outBuffer to = { buf_reserve(out, room), room, 0 };

		left = ZSTD_compressStream2(writer->ctx, &to, &in, directives[end]);
		/* Only memory can fail, and that is our end. */
		if (ZSTD_isError(left))
			abort();
		out->len += to.pos;
	} while (end == ZSTD_MORE ? in.pos < in.size : left != 0);
}

bool zstd_is_frame(const void *data, size_t len)
{
	static const unsigned char magic[] = { 0x28, 0xb5, 0x2f, 0xfd };

	return len >= sizeof(magic) && !memcmp(data, magic, sizeof(magic));
}

struct zstd_reader *zstd_reader_new(void)
{
	struct zstd_reader *reader = own_zalloc(sizeof(*reader));

	reader->ctx = ZSTD_createDCtx();
	ZSTD_DCtx_setParameter(reader->ctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
	return reader;
}

void zstd_reader_free(struct zstd_reader *reader)
{
	if (!reader)
		return;
	ZSTD_freeDCtx(reader->ctx);
	free(reader);
}

void zstd_reader_reset(struct zstd_reader *reader)
{
	ZSTD_DCtx_reset(reader->ctx, ZSTD_reset_session_only);
}

int zstd_read(struct zstd_reader *reader, struct zstd_step *step)
{
	ZSTD_inBuffer in = { step->in, step->in_len, 0 };
	ZSTD_outBuffer out = { step->out, step->out_len, 0 };
	size_t left = ZSTD_decompressStream(reader->ctx, &out, &in);

	step->in_used = in.pos;
	step->out_made = out.pos;
	if (ZSTD_isError(left))
		return -EBADMSG;
	return left == 0;
}
