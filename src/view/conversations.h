/*
 * From events to messages: connections (src/stream) are fed to decoders (src/decode). Where both ends of
 * a connection are traced each exchange is handed on once, with the other end named: as the connecting
 * side saw it, or as the only side saw it whose plaintext is known. Where plaintext is known, what the
 * wire says is left out but for the TLS handshake.
 *
 * Memory: that of struct streams (STREAMS_MAX connections) and, for each, decode/limits.h.
 */
#ifndef VIEW_CONVERSATIONS_H
#define VIEW_CONVERSATIONS_H

#include "decode/decode.h"
#include "event/sink.h"

/* Owns the next one; the options are copied, what they point to is not. */
struct sink *conversations_new(const struct decode_options *options, struct message_sink *next);

#endif
