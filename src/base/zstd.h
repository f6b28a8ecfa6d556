/* Compression by zstd (RFC 8878): streams of frames, each of which can be decoded alone. */
#ifndef BASE_ZSTD_H
#define BASE_ZSTD_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct zstd_writer;

enum zstd_end {
	ZSTD_MORE,    /* may keep what was given to itself */
	ZSTD_FLUSHED, /* a reader can decode all that was given so far */
	ZSTD_ENDED,   /* the frame is complete; the next data begin another */
};

struct zstd_writer *zstd_writer_new(void);
void zstd_writer_free(struct zstd_writer *writer);

/* Adds the compressed form of the data to out. */
void zstd_write(struct zstd_writer *writer, struct buf *out, const void *data, size_t len,
		enum zstd_end end);

/* True where the bytes begin a frame. */
bool zstd_is_frame(const void *data, size_t len);

struct zstd_reader;

/* Memory is bounded: frames that need a window of more than 8 MiB are refused. */
struct zstd_reader *zstd_reader_new(void);
void zstd_reader_free(struct zstd_reader *reader);

/* Forgets the frame that it is in. */
void zstd_reader_reset(struct zstd_reader *reader);

struct zstd_step {
	const void *in;
	size_t in_len, in_used;
	void *out;
	size_t out_len, out_made;
};

/* Decodes what it can. 0, 1 where a frame has just ended, -EBADMSG where the data are no frame's. */
int zstd_read(struct zstd_reader *reader, struct zstd_step *step);

#endif
