/* An event as an item of a native capture (iotrace/capture.h). */
#ifndef STORE_ENCODE_H
#define STORE_ENCODE_H

#include "base/buf.h"
#include "iotrace/event.h"

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

/* Adds what ends a part: the name of the file that goes on. */
void encode_next(struct buf *buf, const char *file);

#endif
