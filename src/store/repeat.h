/*
 * Encodes events of which most are alike: calls on the same socket by the same thread differ in
 * number, time, length and payload alone, so the rest is encoded once and copied.
 */
#ifndef STORE_REPEAT_H
#define STORE_REPEAT_H

#include "store/encode.h"

struct repeat;

struct repeat *repeat_new(void);
void repeat_free(struct repeat *repeat);

/* As encode_event, and with the same bytes. */
void repeat_event(struct repeat *repeat, struct buf *buf, const struct event *event,
		  const struct encode_options *options);

#endif
