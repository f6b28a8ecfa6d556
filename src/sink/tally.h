/* Numbers the events that are kept and sums up what the last one tells of them. */
#ifndef SINK_TALLY_H
#define SINK_TALLY_H

#include "event/sink.h"

/* Owns the next sink. Gives each event its seq; completes the totals of the end event. */
struct sink *tally_new(struct sink *next);

#endif
