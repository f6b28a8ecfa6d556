/* A stream with what only this folder knows of it. */
#ifndef STREAM_END_H
#define STREAM_END_H

#include "base/map.h"
#include "stream/stream.h"

#include <sys/queue.h>

struct sock_ends; /* what belongs to one socket, in stream.c */

struct end {
	struct stream stream; /* the first */
	struct sock_ends *socket;
	uint64_t key;               /* in streams.ends */
	bool told_end[DIRS];        /* ended was called */
	bool met;                   /* its other end was found */
	TAILQ_ENTRY(end) age;       /* streams.ends_by_age, or streams.ghosts once it is closed */
	TAILQ_ENTRY(end) of_socket; /* sock_ends.ends */
	bool waits;                 /* for its other end, in a bucket of pairs */
	uint64_t bucket;
	TAILQ_ENTRY(end) in_bucket;
	int32_t partner; /* unix: the process that connects */
};

/* pair.c: ends that wait for their other ends. */
struct pairs {
	struct map buckets;
};

void pairs_done(struct pairs *pairs);

/*
 * The end's addresses are known (or, on a local socket, the process that connects): returns the other
 * end if that waits, which then waits no more; else NULL, and this one waits.
 */
struct end *pairs_meet(struct pairs *pairs, struct end *end);
void pairs_leave(struct pairs *pairs, struct end *end);

#endif
