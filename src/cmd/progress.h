/* A bar on a terminal for what takes more than a second. */
#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool wanted, shown;
	uint64_t started, last; /* CLOCK_MONOTONIC */
};

/* On standard error, if that is a terminal. */
void progress_begin(struct progress *progress);

/* To be called often; total 0: not known. */
void progress_update(struct progress *progress, uint64_t done, uint64_t total);
void progress_end(struct progress *progress);

#endif
