/* Protocol Buffers without their schema: numbers for names, guesses for types. */
#ifndef DECODE_PROTOBUF_H
#define DECODE_PROTOBUF_H

#include "base/buf.h"
#include "base/span.h"

/*
 * Adds the message as text, in the form of `protoc --decode_raw`, at most about `max` bytes. False where
 * the bytes are no message; then nothing is added.
 */
bool protobuf_add_text(struct buf *out, struct span bytes, size_t max);

#endif
