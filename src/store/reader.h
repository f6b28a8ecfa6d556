/*
 * Reads a capture: native or JSON Lines, compressed or not, from a file, a pipe or standard input, by
 * whatever its name is; the parts of a rotated one behind each other. What is read may be damaged or
 * hostile: all that is whole is given, memory is bounded, and reader_damage says what was lost.
 */
#ifndef STORE_READER_H
#define STORE_READER_H

#include "iotrace/event.h"

#include <stdbool.h>
#include <stdint.h>

struct reader;

struct reader_options {
	uint64_t payload_max; /* bytes to keep of one payload, see READER_PAYLOAD */
	bool follow;          /* wait for more until the last event was read */
	/*
	 * Called before waiting for bytes that are not there yet; NULL: not. True: again in some milliseconds,
	 * where there are still none.
	 */
	bool (*idle)(void *ctx);
	void *ctx;
};

/* With this, reading needs no more than about 36 MiB. */
#define READER_PAYLOAD (16U << 20)

/* "-" is standard input. NULL and -errno in *ret_error. */
struct reader *reader_open(const char *name, const struct reader_options *options, int *ret_error);

/* Reads from a descriptor, which it owns; parts are looked for beside the file `name`. */
struct reader *reader_from_fd(int fd, const char *name, const struct reader_options *options);

/* 1 and an event, which is the caller's; 0 at the end; -errno where reading fails. */
int reader_next(struct reader *reader, struct event **ret_event);

/* What is wrong with a capture. All zero: nothing. */
struct reader_damage {
	bool empty;   /* no byte */
	bool foreign; /* no capture at all */
	uint64_t places;
	uint64_t offset;     /* of the first place, in bytes */
	bool in_compressed;  /* offset and bytes are of compressed data */
	uint64_t bytes;      /* that could not be read, in all places */
	uint64_t events;     /* that are missing there, by their numbers */
	bool truncated;      /* it ends in the middle of an event */
	bool no_end;         /* the last event, `end`, is not there */
	uint64_t backwards;  /* events whose number is not above the one before */
	const char *missing; /* the next part's name, where that cannot be read; or NULL */
	uint64_t last_seq;   /* the last event that was read */
};

const struct reader_damage *reader_damage(const struct reader *reader);
bool reader_is_damaged(const struct reader *reader);

/* Events that are whole, but of which more payload is there than payload_max. */
uint64_t reader_cut(const struct reader *reader);

/* Events of types that a newer version knows. */
uint64_t reader_unknown(const struct reader *reader);

/* For a progress bar: bytes read of how many; total 0: not known. */
void reader_progress(const struct reader *reader, uint64_t *ret_done, uint64_t *ret_total);

void reader_free(struct reader *reader);

#endif
