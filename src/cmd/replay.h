/* A capture from a file through a pipeline: what show, export and summary have in common. */
#ifndef CMD_REPLAY_H
#define CMD_REPLAY_H

#include "cmd/pipeline.h"
#include "cmd/selection.h"

struct replay_settings {
	struct output_settings output;
	struct selection_settings selection;
	uint64_t max_bytes; /* of a payload; 0: as many as there should be */
	bool follow;
};

struct replay {
	const struct replay_settings *settings;
	const char *file;
	uint64_t payload_max; /* where the user has not said */
	struct pipeline_default fallback;
	bool progress;     /* a bar, if it takes long */
	bool needs_whole;  /* payload that is cut short is a failure */
	bool cuts_payload; /* … is meant to be */
};

/* Exit status of show, export and summary where the file is damaged. */
#define EXIT_DAMAGED 4

/* The exit status, after messages. */
int replay_run(const struct replay *replay);

/* A command that reads a capture: its options go into `settings`, which has `replay` and `help`. */
struct replay_command {
	const char *name;
	const struct opt_group *groups;
	void *settings;
	struct replay_settings *replay;
	const bool *help;
	int (*print_help)(void);
	int (*run)(void *settings, const char *file);
};

/* The command line from its first word to the exit status. */
int replay_command(const struct replay_command *command, int argc, char **argv);

#endif
