/*
 * A run on its way into a model: a sink for its events. It has them decoded by connection, keeps the
 * messages, and makes units of them when all have been seen. With the end of the program that was started
 * first the run is over.
 */
#ifndef GOLDEN_GATHER_H
#define GOLDEN_GATHER_H

#include "event/sink.h"
#include "golden/model.h"
#include "golden/rules.h"

struct gather;

/* Messages beyond that are not kept, and the run is incomplete. */
#define GATHER_MAX (768U << 20)

struct gather_options {
	struct rules *rules; /* borrowed; not shared between threads */
	enum golden_level level;
	char *const *environment; /* its secrets are masked; NULL: none */
	bool explain;             /* lines keep where they come from, see learn.h */
};

struct gather *gather_new(const struct gather_options *options);
void gather_free(struct gather *gather);

/* Takes the events; finishing it is not needed and releases nothing. */
struct sink *gather_sink(struct gather *gather);

/* After the last event. The caller's. */
struct model *gather_model(struct gather *gather);

/* Why the run cannot vouch for what is in it, by number from 0; NULL: no more. */
const char *gather_incomplete(const struct gather *gather, size_t number);

/* One more reason, for who knows of it; only the first few are kept. */
void gather_doubt(struct gather *gather, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
