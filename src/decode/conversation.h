/* What conversations share, for the files that make them. */
#ifndef DECODE_CONVERSATION_H
#define DECODE_CONVERSATION_H

#include "decode/channel.h"

struct decode {
	struct decode_options options;
	struct message_sink *sink;
	uint64_t messages, exchanges;
};

struct conversation {
	struct decode *decode;
	struct conversation_facts facts;
	struct channel wire;
	struct channel *plain; /* NULL: no plaintext was seen */
	struct origin *origin; /* of the last event */
	bool closed;
};

#endif
