/* From options to the chain of sinks that the events run through. */
#ifndef CMD_PIPELINE_H
#define CMD_PIPELINE_H

#include "cmd/opt.h"
#include "cmd/selection.h"
#include "decode/decode.h"
#include "event/sink.h"
#include "sink/select.h"
#include "sink/tally.h"
#include "sink/tee.h"

/* The options that say where events go and what they look like. */
struct output_settings {
	struct opt_list files; /* -o */
	const char *format;    /* -f */
	int verbose;
	bool quiet;
	struct opt_list as;
	bool redact, no_redact;
	const char *color;
	bool relative;
	bool compress;
	uint64_t rotate;
	bool pcap_plain;
	const char *pcap_link;
	/* Of a running trace only. */
	bool live;
	bool summary;
	bool drop;
	uint64_t queue;
	/* Gets every event, in the output's thread; finished with the others. NULL: none. */
	struct sink *into;
};

extern const struct opt_row output_options[];
extern const struct opt_row live_output_options[];

void output_settings_done(struct output_settings *settings);

/* True if the events go to standard output. */
bool output_uses_stdout(const struct output_settings *settings);

struct pipeline {
	struct tally_limit limit; /* to be set before it is opened */
	struct sink *sink;        /* where the events are to be emitted */
	bool failed;              /* after pipeline_finish: an output is not complete */
	struct tee *tee;
	bool quiet;           /* that a reader has gone away is its own affair */
	bool chosen_calls;    /* events are selected by what makes no whole conversations */
	struct decode_as *as; /* of --as, ends with an empty one */
	struct picking *picking;
};

/*
 * Opens all outputs and starts the output thread; takes the selection, which was made of what is wanted. 0, or -1 after a message; then
 * nothing is left open. The pipeline must stay where it is until it is finished.
 */
int pipeline_open(struct pipeline *pipeline, const struct output_settings *settings,
		  const struct selection_settings *wanted, struct selection *selection);

/* Where a capture is shown if no -o says otherwise. */
struct pipeline_default {
	int fd; /* stays the caller's */
	const char *name;
	bool is_terminal; /* at its end, so that colours make sense */
};

/* The same for the events of a capture: they keep their numbers, and there is no thread. */
int pipeline_open_replay(struct pipeline *pipeline, const struct output_settings *settings,
			 const struct selection_settings *wanted, struct selection *selection,
			 const struct pipeline_default *fallback);

/* True when nobody wants more: all outputs have failed. */
bool pipeline_is_dead(const struct pipeline *pipeline);

/*
 * Nothing has come for a while: hands what is buffered to the operating system; also before the pipeline is
 * open. True where it is to be called again (tee_idle).
 */
bool pipeline_idle(void *pipeline);

/* Writes out everything and says what could not be written. */
void pipeline_finish(struct pipeline *pipeline);

#endif
