/* One event of each kind, for the formats to write. */
#ifndef UNIT_SAMPLES_H
#define UNIT_SAMPLES_H

#include "iotrace/event.h"

/* 2023-11-14T22:13:20.123456789Z */
#define SAMPLE_TIME 1700000000123456789ULL

/* The event of that name, with one reference; NULL where there is none. */
struct event *sample_make(const char *name);

/* The number-th name, NULL behind the last. */
const char *sample_name(size_t number);

#endif
