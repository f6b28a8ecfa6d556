/* Captures in memory: made of samples, and read back. */
#ifndef UNIT_CAPTURES_H
#define UNIT_CAPTURES_H

#include "base/buf.h"
#include "iotrace/event.h"
#include "store/reader.h"

/* What reading a capture has given. */
struct read_back {
	struct buf lines; /* the events as JSON Lines */
	size_t count;
	int result; /* of the last reader_next */
	struct reader_damage damage;
	bool damaged;
	uint64_t cut, unknown;
};

struct capture {
	const char *format; /* iot or jsonl */
	struct buf bytes;
	size_t *ends; /* of its events */
	size_t count;
};

/* Adds an event as the format writes it, or the sample of that name with the next number. */
void capture_add_event(struct capture *capture, struct event *event);
void capture_add(struct capture *capture, const char *sample);

/* All samples in turn until it is `size` bytes long, from the start event to the end event. */
void capture_fill(struct capture *capture, size_t size);
void capture_done(struct capture *capture);

/* Reads the bytes; payload_max 0: the usual one. */
struct read_back capture_read(const void *data, size_t len, uint64_t payload_max);
void read_back_done(struct read_back *back);

/* A file with these bytes, without a name; its offset is 0. */
int capture_file(const void *data, size_t len);

#endif
