/* A place that bytes are written to: a file, a descriptor, a command's standard input. Buffered. */
#ifndef SINK_OUT_H
#define SINK_OUT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct out;

/*
 * Creates (mode 0600) or truncates a file; "-" is descriptor out_fd, which stays open; "|COMMAND"
 * is run by sh -c, in a session that our signals do not reach. NULL and -errno in *ret_error.
 */
struct out *out_open(const char *name, int out_fd, int *ret_error);

/* Writes to a descriptor that stays the caller's. */
struct out *out_from_fd(int fd, const char *name);

/* From the beginning on: what is written is compressed (zstd). */
void out_compress(struct out *out);

/*
 * The buffer to append to; out_commit writes it when there is enough, out_end_record also ends a
 * frame where it is compressed: to be called where a reader could begin.
 */
struct buf *out_buf(struct out *out);
void out_commit(struct out *out);
void out_end_record(struct out *out);

/* Appends more than a buffer should hold, without copying it where that pays. */
void out_write(struct out *out, const void *data, size_t len);

void out_flush(struct out *out);
const char *out_name(const struct out *out);
bool out_is_terminal(const struct out *out);

/* True for a file that was opened by its name, which out_next can end, to go on in another. */
bool out_is_file(const struct out *out);
void out_next(struct out *out, const char *name);

/* Bytes given to the operating system so far, since the last out_next. */
uint64_t out_written(const struct out *out);

/* The first failure: -errno, 0 if there was none. After it nothing more is written. */
int out_error(const struct out *out);

/* Flushes, closes, waits for a command, releases. out_error's value. */
int out_close(struct out *out);

#endif
