#include "cmd/signals.h"

#include "base/clock.h"
#include "base/own.h"
#include "tracer/tracer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const int taken[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

/* Wakes the thread: to look at the flags, or to end. */
#define WAKE_SIGNAL (SIGRTMAX - 1)

struct signals {
	struct tracer *tracer;
	pthread_t thread;
	pthread_mutex_t lock;
	struct signals_due due;
	uint64_t deadline; /* CLOCK_MONOTONIC; 0: none */
	uint64_t last_interrupt;
	atomic_bool stop, end, came;
};

static void watched(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(set, taken[i]);
	sigaddset(set, WAKE_SIGNAL);
}

void signals_block(struct signals_before *ret_before)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	watched(&set);
	/* A file that is larger than the limit (RLIMIT_FSIZE) is an error then, told as any other. */
	sigaddset(&set, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &set, &ret_before->mask);
	sigaction(SIGPIPE, &ignore, &ret_before->pipe);
}

static void note_signal(struct signals *signals, const siginfo_t *info)
{
	uint64_t now = clock_monotonic();
	struct signals_due *due = &signals->due;

	due->any = true;
	atomic_store(&signals->came, true);
	*(info->si_code == SI_KERNEL ? &due->by_terminal[info->si_signo]
				     : &due->by_kill[info->si_signo]) = true;
	if (info->si_signo != SIGINT)
		return;
	if (signals->last_interrupt && now - signals->last_interrupt < 1000000000ULL)
		due->twice = true;
	signals->last_interrupt = now;
}

/* The next signal, 0 for the alarm. */
static int wait_signal(const struct signals *signals, siginfo_t *info)
{
	struct timespec left;
	uint64_t now;
	sigset_t set;
	int sig;

	watched(&set);
	for (;;) {
		now = clock_monotonic();
		if (signals->deadline && now >= signals->deadline)
			return 0;
		left.tv_sec = (time_t)((signals->deadline - now) / 1000000000ULL);
		left.tv_nsec = (long)((signals->deadline - now) % 1000000000ULL);
		sig = signals->deadline ? sigtimedwait(&set, info, &left) : sigwaitinfo(&set, info);
		if (sig > 0)
			return sig;
	}
}

/* The tracer may be just about to wait when it is kicked, hence again until it has answered. */
static void kick(const struct signals *signals)
{
	const struct timespec nap = { .tv_nsec = 1000000 };

	do {
		tracer_kick(signals->tracer);
		nanosleep(&nap, NULL);
	} while (tracer_kick_pending(signals->tracer) && !atomic_load(&signals->end));
}

static void *signals_thread(void *ctx)
{
	struct signals *signals = ctx;
	siginfo_t info;
	int sig;

	for (;;) {
		sig = wait_signal(signals, &info);
		if (atomic_load(&signals->end))
			return NULL;
		pthread_mutex_lock(&signals->lock);
		if (!sig || atomic_exchange(&signals->stop, false)) {
			signals->due.time_up = true;
			signals->deadline = 0;
		} else if (sig != WAKE_SIGNAL) {
			note_signal(signals, &info);
		}
		pthread_mutex_unlock(&signals->lock);
		kick(signals);
	}
}

struct signals *signals_new(struct tracer *tracer, uint64_t for_ns)
{
	struct signals *signals = own_zalloc(sizeof(*signals));

	signals->tracer = tracer;
	signals->deadline = for_ns ? clock_monotonic() + for_ns : 0;
	pthread_mutex_init(&signals->lock, NULL);
	pthread_create(&signals->thread, NULL, signals_thread, signals);
	return signals;
}

void signals_take(struct signals *signals, struct signals_due *ret_due)
{
	pthread_mutex_lock(&signals->lock);
	*ret_due = signals->due;
	signals->due = (struct signals_due){ 0 };
	pthread_mutex_unlock(&signals->lock);
}

bool signals_came(const struct signals *signals)
{
	sigset_t pending;
	bool waits = false;

	sigpending(&pending);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		waits |= sigismember(&pending, taken[i]);
	return waits || atomic_load(&signals->came);
}

void signals_stop(struct signals *signals)
{
	atomic_store(&signals->stop, true);
	pthread_kill(signals->thread, WAKE_SIGNAL);
}

void signals_free(struct signals *signals)
{
	if (!signals)
		return;
	atomic_store(&signals->end, true);
	pthread_kill(signals->thread, WAKE_SIGNAL);
	pthread_join(signals->thread, NULL);
	pthread_mutex_destroy(&signals->lock);
	free(signals);
}
