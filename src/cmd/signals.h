/*
 * Signals that reach iotrace, and its alarm clock. They are taken by a thread of their own, as the
 * tracer's waits; what is to be done is done in the tracer's thread.
 */
#ifndef CMD_SIGNALS_H
#define CMD_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct signals;
struct tracer;

/* The mask and disposition that a started program must get back. */
struct signals_before {
	sigset_t mask;
	struct sigaction pipe;
};

/* What has come since it was asked last. */
struct signals_due {
	bool by_kill[NSIG];     /* sent by kill(2) */
	bool by_terminal[NSIG]; /* by the terminal, which sends to its whole foreground group */
	bool any;               /* one of these */
	bool twice;             /* a second SIGINT within a second */
	bool time_up;           /* the time is over, or signals_stop was called */
};

/* Blocks what the thread will take, and SIGXFSZ, ignores SIGPIPE. To be called before any thread is started. */
void signals_block(struct signals_before *ret_before);

/* Starts the thread; the tracer is kicked when something is due. for_ns: time until that; 0: none. */
struct signals *signals_new(struct tracer *tracer, uint64_t for_ns);
void signals_take(struct signals *signals, struct signals_due *ret_due);

/* One has come since the start, taken by now or not. */
bool signals_came(const struct signals *signals);

/* From any thread: time is up. */
void signals_stop(struct signals *signals);

void signals_free(struct signals *signals);

#endif
