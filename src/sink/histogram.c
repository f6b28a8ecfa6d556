#include "sink/histogram.h"

#define PER_DOUBLING 4U

static unsigned int bucket_of(uint64_t ns)
{
	unsigned int doubling, bucket;

	if (ns < PER_DOUBLING)
		return (unsigned int)ns;
	doubling = 63U - (unsigned int)__builtin_clzll(ns);
	bucket = (doubling - 1) * PER_DOUBLING + (unsigned int)(ns >> (doubling - 2) & 3U);
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest duration that falls into it. */
static uint64_t upper_bound(unsigned int bucket)
{
	unsigned int doubling = bucket / PER_DOUBLING + 1;

	if (bucket < PER_DOUBLING)
		return bucket;
	return ((uint64_t)(PER_DOUBLING + bucket % PER_DOUBLING + 1) << (doubling - 2)) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
	histogram->count++;
	if (ns > histogram->max)
		histogram->max = ns;
	histogram->buckets[bucket_of(ns)]++;
}

uint64_t histogram_quantile(const struct histogram *histogram, double part)
{
	uint64_t wanted = (uint64_t)(part * (double)histogram->count + 0.999999), seen = 0, bound;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		seen += histogram->buckets[i];
		if (!seen || seen < wanted)
			continue;
		bound = upper_bound(i);
		return bound < histogram->max ? bound : histogram->max;
	}
	return histogram->max;
}
