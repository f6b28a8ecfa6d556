/* What the user must hear of although the events go to a file: loss and notes. */
#ifndef SINK_ALERTS_H
#define SINK_ALERTS_H

#include "event/sink.h"

/* Writes by log_error. */
struct sink *alerts_new(void);

#endif
