/* From options to the chain of sinks that the events run through. */
#ifndef CMD_PIPELINE_H
#define CMD_PIPELINE_H

#include "cmd/opt.h"
#include "event/sink.h"
#include "sink/select.h"
#include "sink/tally.h"

/* The options that say where events go and what they look like. */
struct output_settings {
	struct opt_list files; /* -o */
	const char *format;    /* -f */
	const char *color;
	bool live;
	bool drop;
	uint64_t queue;
};

extern const struct opt_row output_options[];

/* True if the events go to standard output. */
bool output_uses_stdout(const struct output_settings *settings);

struct pipeline {
	struct tally_limit limit; /* to be set before it is opened */
	struct sink *sink;        /* where the events are to be emitted */
	bool failed;              /* after pipeline_finish: an output is not complete */
};

/*
 * Opens all outputs and starts the output thread; takes the selection. 0, or -1 after a message; then
 * nothing is left open. The pipeline must stay where it is until it is finished.
 */
int pipeline_open(struct pipeline *pipeline, const struct output_settings *settings,
		  struct selection *selection);

/* Writes out everything and says what could not be written. */
void pipeline_finish(struct pipeline *pipeline);

#endif
