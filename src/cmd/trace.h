/* Tracing a program, for the commands that do so: what is traced, and what comes of it. */
#ifndef CMD_TRACE_H
#define CMD_TRACE_H

#include "cmd/opt.h"
#include "cmd/pipeline.h"
#include "cmd/selection.h"
#include "cmd/targets.h"

struct trace_settings {
	bool help, version;
	bool unix_sockets, all_fds, errors;
	bool lsan_off, no_io_uring;
	bool pin, background, stack;
	bool no_follow, no_tls;
	struct opt_list probes;
	const char *user;
	const char *engine;
	uint64_t max_bytes;
	uint64_t for_ns, count;
	struct target_settings targets;
	struct output_settings output;
	struct selection_settings selection;
};

/* Rows for struct trace_settings. */
extern const struct opt_row trace_capture_options[];
extern const struct opt_row trace_program_options[];

/*
 * What another command does during the trace; each may be NULL. The events themselves go to
 * settings->output.into.
 */
struct trace_hooks {
	/* Just before the program starts; the tracer is there until `over` has returned. */
	void (*begin)(void *ctx, struct tracer *tracer);
	/* In the tracer's thread, when it was kicked. */
	void (*kicked)(void *ctx, struct tracer *tracer);
	/* Nothing is traced any more. */
	void (*over)(void *ctx);
	void *ctx;
};

/* How a trace went. */
struct trace_outcome {
	bool started;     /* the program was executed */
	bool refused;     /* the kernel does not let us trace */
	bool failed;      /* iotrace itself did; it has been said */
	bool interrupted; /* by a signal, as Ctrl-C sends it */
};

/* Runs and traces argv[at...]; the rest of argv is for the first event. The exit status of a trace. */
int trace_program(struct trace_settings *settings, const struct trace_hooks *hooks, int argc,
		  char **argv, int at, struct trace_outcome *ret_outcome);

void trace_settings_done(struct trace_settings *settings);

#endif
