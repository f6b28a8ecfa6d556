/* How long things took: quantiles of durations, to an eighth, in bounded memory. */
#ifndef SINK_HISTOGRAM_H
#define SINK_HISTOGRAM_H

#include <stdint.h>

/* Four to each doubling, from 1 ns to more than an hour. */
#define HISTOGRAM_BUCKETS 176

struct histogram {
	uint64_t count, max;
	uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t ns);

/* The duration that this part (0 to 1) of all do not exceed; 0 where there are none. */
uint64_t histogram_quantile(const struct histogram *histogram, double part);

#endif
