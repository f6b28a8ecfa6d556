/*
 * Several outputs as one sink. One that fails (a full disk, a reader that went away) is left out
 * from there on, and what it missed is counted; the others and the traced program go on.
 */
#ifndef SINK_TEE_H
#define SINK_TEE_H

#include "event/sink.h"
#include "sink/out.h"

#include <stdbool.h>
#include <stddef.h>

struct tee;

/* What became of one output; name is valid during the call. */
struct tee_report {
	const char *name;
	int error;       /* -errno */
	uint64_t missed; /* events that it has not got */
};

/* report is called by finish, once for each output that failed. */
struct tee *tee_new(void (*report)(void *ctx, const struct tee_report *report), void *ctx);
struct sink *tee_sink(struct tee *tee);

/* Owns the sink from here on; out is the one that the sink writes to and owns, NULL: none. */
void tee_add(struct tee *tee, struct sink *sink, struct out *out);

/* True when no output is left that has not failed. */
bool tee_is_dead(const struct tee *tee);

/*
 * Nothing has come for a while: hands all that is buffered to the operating system, and has the sinks let go
 * what they can. True where one of them is to be called again.
 */
bool tee_idle(struct tee *tee);

#endif
