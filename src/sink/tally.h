/* Numbers the events that are kept and sums up what the last one tells of them. */
#ifndef SINK_TALLY_H
#define SINK_TALLY_H

#include "event/sink.h"

struct tally_limit {
	uint64_t count; /* data events that are let through; 0: all */
	void (*reached)(void *ctx);
	void *ctx;
};

/* Owns the next sink. Gives each event its seq; completes the totals of the end event. */
struct sink *tally_new(const struct tally_limit *limit, struct sink *next);

#endif
