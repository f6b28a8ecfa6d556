/*
 * Content-codings (gzip, deflate, br, zstd), undone with bounds. Each library is known to one file:
 * zlib.c, brotli.c, zstd.c.
 */
#ifndef DECODE_CODING_H
#define DECODE_CODING_H

#include "base/buf.h"
#include "base/span.h"

/*
 * Undoes the codings of a list such as "gzip, br", the last one first. Adds what it makes of `in` to
 * out, at most `max` bytes. NULL, or why that is not all of it: a constant text. Where the list has a
 * coding that we do not know, out stays empty.
 */
const char *coding_undo(struct span list, struct span in, size_t max, struct buf *out);

/* True where the list has a coding that changes anything. */
bool coding_is_any(struct span list);

/* For the files of the libraries: adds to out, never beyond max bytes of it. As coding_undo. */
const char *coding_gzip(struct span in, size_t max, struct buf *out);
const char *coding_deflate(struct span in, size_t max, struct buf *out);
const char *coding_brotli(struct span in, size_t max, struct buf *out);
const char *coding_zstd(struct span in, size_t max, struct buf *out);

/* The reasons, one set for all. */
extern const char coding_corrupt[];    /* "the encoded content is damaged" */
extern const char coding_too_long[];   /* "the content is longer than what is kept" */
extern const char coding_bomb[];       /* "the content grows suspiciously; stopped" */
extern const char coding_unfinished[]; /* "the encoded content is not complete" */

/* Bytes that may be added to out for so many of input; 0: the bound is reached, *ret_why says which. */
size_t coding_room(const struct buf *out, size_t in_len, size_t max, const char **ret_why);

/* A raw deflate stream whose window lives across messages, for WebSocket. */
struct inflater;

struct inflater *inflater_new(void);
void inflater_free(struct inflater *inflater);
/*
 * Adds what `in` makes to out until out is `max` long; bytes beyond are decoded for the window's sake
 * and dropped, *ret_len counts them. False where the stream is damaged; then it stays so.
 */
bool inflater_feed(struct inflater *inflater, struct span in, size_t max, struct buf *out,
		   uint64_t *ret_len);
/* Forgets the window. */
void inflater_reset(struct inflater *inflater);

#endif
