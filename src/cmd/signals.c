#include "cmd/signals.h"

#include "base/clock.h"
#include "base/own.h"
#include "tracer/tracer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const int passed_on[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
#define PASSED_ON (sizeof(passed_on) / sizeof(passed_on[0]))

/* Ends the thread; is never sent by anybody else, as it comes with our own value. */
#define STOP_SIGNAL (SIGRTMAX - 1)

struct signals {
	struct tracer *tracer;
	pthread_t thread;
	atomic_uint by_kill[PASSED_ON];     /* that came by kill(2) */
	atomic_uint by_terminal[PASSED_ON]; /* … and from the terminal, which sends to all */
	atomic_bool kill_all;
	uint64_t last_interrupt;
};

static void watched(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < PASSED_ON; i++)
		sigaddset(set, passed_on[i]);
	sigaddset(set, STOP_SIGNAL);
}

void signals_block(struct signals_before *ret_before)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	watched(&set);
	pthread_sigmask(SIG_BLOCK, &set, &ret_before->mask);
	sigaction(SIGPIPE, &ignore, &ret_before->pipe);
}

static void note_signal(struct signals *signals, const siginfo_t *info)
{
	uint64_t now = clock_monotonic();

	for (size_t i = 0; i < PASSED_ON; i++)
		if (passed_on[i] == info->si_signo)
			atomic_fetch_add(info->si_code == SI_KERNEL ? &signals->by_terminal[i]
								    : &signals->by_kill[i],
					 1);
	if (info->si_signo != SIGINT)
		return;
	if (signals->last_interrupt && now - signals->last_interrupt < 1000000000ULL)
		atomic_store(&signals->kill_all, true);
	signals->last_interrupt = now;
}

static void *signals_thread(void *ctx)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	struct signals *signals = ctx;
	siginfo_t info;
	sigset_t set;

	watched(&set);
	for (;;) {
		if (sigwaitinfo(&set, &info) < 0)
			continue;
		if (info.si_signo == STOP_SIGNAL)
			return NULL;
		note_signal(signals, &info);
		do {
			tracer_kick(signals->tracer);
			nanosleep(&nap, NULL);
		} while (tracer_kick_pending(signals->tracer));
	}
}

struct signals *signals_new(struct tracer *tracer)
{
	struct signals *signals = own_zalloc(sizeof(*signals));

	signals->tracer = tracer;
	pthread_create(&signals->thread, NULL, signals_thread, signals);
	return signals;
}

void signals_handle(void *ctx)
{
	struct signals *signals = ctx;

	for (size_t i = 0; i < PASSED_ON; i++) {
		if (atomic_exchange(&signals->by_kill[i], 0))
			tracer_signal(signals->tracer, passed_on[i], false);
		if (atomic_exchange(&signals->by_terminal[i], 0))
			tracer_signal(signals->tracer, passed_on[i], true);
	}
	if (atomic_load(&signals->kill_all))
		tracer_kill_all(signals->tracer);
}

bool signals_killed(const struct signals *signals)
{
	return atomic_load(&signals->kill_all);
}

void signals_free(struct signals *signals)
{
	pthread_kill(signals->thread, STOP_SIGNAL);
	pthread_join(signals->thread, NULL);
	free(signals);
}
