/* Events out of a source: bounded, whatever is in it. */
#ifndef STORE_DECODE_H
#define STORE_DECODE_H

#include "iotrace/event.h"
#include "store/source.h"

struct decoder;

/* payload_max: bytes that are kept of each payload. */
struct decoder *decoder_new(uint64_t payload_max);
void decoder_free(struct decoder *decoder);

enum decoded {
	DECODED_EVENT,
	DECODED_NEXT,    /* the capture goes on in another file: decoder_next_file */
	DECODED_UNKNOWN, /* of a type that is not known; it was gone past */
};

/*
 * The next one: an enum decoded, or -EBADMSG, -ENODATA as the source's functions. The event is the
 * caller's.
 */
int decoder_read(struct decoder *decoder, struct source *source, struct event **ret_event);

/* Of the last DECODED_NEXT; valid until the next read. */
const char *decoder_next_file(const struct decoder *decoder);

/* Of the last event: the number of the part that it begins, 0: none. */
uint64_t decoder_part(const struct decoder *decoder);

/* True if of the last event's payload more is there than was kept. */
bool decoder_was_cut(const struct decoder *decoder);

#endif
