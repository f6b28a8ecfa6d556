/* An event as an item of a native capture (iotrace/capture.h). */
#ifndef STORE_ENCODE_H
#define STORE_ENCODE_H

#include "base/buf.h"
#include "event/field.h"

struct encode_options {
	bool tagged;   /* the first of a file */
	uint64_t part; /* of an EVENT_IOTRACE: begins that part; 0: it is the first */
};

/*
 * Adds the event without its payload's bytes, which have to follow: encode_payload_len of them, 0
 * where it has none.
 */
void encode_event(struct buf *buf, const struct event *event, const struct encode_options *options);
size_t encode_payload_len(const struct event *event);

/* An event's bytes without the values that vary from call to call, and without its payload's length. */
struct encode_gap {
	size_t at; /* in bytes */
	const struct field *field;
};

#define ENCODE_GAPS 8

struct encode_form {
	struct buf bytes;
	struct encode_gap gaps[ENCODE_GAPS];
	size_t count;
};

/* Fills a form, zeroed or used before; the caller releases its bytes. */
void encode_form(struct encode_form *form, const struct event *event);

/* Adds the value that belongs into a gap. */
void encode_value(struct buf *buf, const struct field *field, const struct event *event);

/* Adds what ends a part: the name of the file that goes on. */
void encode_next(struct buf *buf, const char *file);

#endif
