/*
 * Signals that reach iotrace while a program runs under it. They are taken by a thread of their
 * own, as the tracer's waits; what is to be done is done in the tracer's thread.
 */
#ifndef CMD_SIGNALS_H
#define CMD_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

struct signals;
struct tracer;

/* The mask and dispositions that a started program must get back. */
struct signals_before {
	sigset_t mask;
	struct sigaction pipe;
};

/* Blocks what the thread will take, ignores SIGPIPE. To be called before any thread is started. */
void signals_block(struct signals_before *ret_before);

/* Starts the thread. */
struct signals *signals_new(struct tracer *tracer);

/* For capture_set_kicked, in the tracer's thread: does what the signals ask for. */
void signals_handle(void *signals);

/* True if the user has killed what was traced. */
bool signals_killed(const struct signals *signals);

void signals_free(struct signals *signals);

#endif
