#include "tap/tap.h"

#include "base/clock.h"
#include "base/own.h"
#include "base/proc.h"
#include "tap/agent_blob.h"
#include "tap/known.h"
#include "tap/state.h"
#include "tracer/space_io.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

/* asm/hwcap2.h: user code may read its fs base. */
#define HWCAP2_FSGSBASE (1UL << 1)

/*
 * How often the rings are looked at. A look disturbs: three threads take turns on processors that the
 * program wants. So the pause becomes longer where little came, and shorter before a ring is full.
 */
#define PAUSE_MIN  1000000L
#define PAUSE_MAX  10000000L
#define PAUSE_IDLE 40000000L
#define LITTLE     (RING_SIZE / 16)
#define MUCH       (RING_SIZE / 4)

uint64_t tap_ticks(void)
{
	return __builtin_ia32_rdtsc();
}

static bool clock_is_tsc(void)
{
	char name[32];

	return proc_read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource",
			      name, sizeof(name)) > 0 &&
	       !strncmp(name, "tsc", 3);
}

static const char *why_not(void)
{
	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		return "the processor or the kernel (5.9) lacks FSGSBASE";
	if (!clock_is_tsc())
		return "the clock source is not the processor's time stamp counter";
	return NULL;
}

/* Good to a few parts in 10 000 at first, and better with every look at the clock. */
static void calibrate(struct tap *tap)
{
	const struct timespec nap = { .tv_nsec = 2000000 };

	tap->base_tsc = tap_ticks();
	tap->base_ns = clock_read(CLOCK_MONOTONIC_RAW);
	nanosleep(&nap, NULL);
	tap->ns_per_tick = (double)(clock_read(CLOCK_MONOTONIC_RAW) - tap->base_ns) /
			   (double)(tap_ticks() - tap->base_tsc);
}

static uint64_t held_bytes(const struct ring *ring)
{
	return atomic_load_explicit(&ring->header->head, memory_order_relaxed) -
	       atomic_load_explicit(&ring->header->tail, memory_order_relaxed);
}

/* Of the ring that holds most. */
static uint64_t most_held(struct tap *tap)
{
	uint64_t most = 0, held;

	pthread_mutex_lock(&tap->lock);
	for (const struct ring *ring = tap->rings; ring; ring = ring->next) {
		held = held_bytes(ring);
		most = held > most ? held : most;
	}
	pthread_mutex_unlock(&tap->lock);
	return most;
}

static long next_pause(long pause, uint64_t held)
{
	long most = held ? PAUSE_MAX : PAUSE_IDLE;

	if (held > MUCH)
		pause = held > 2 * MUCH ? PAUSE_MIN : pause / 2;
	else if (held < LITTLE)
		pause *= 2;
	if (pause < PAUSE_MIN)
		return PAUSE_MIN;
	return pause < most ? pause : most;
}

/* The tracer waits for stops, and the agents make none: somebody has to tell it of their records. */
static void *ticker_main(void *ctx)
{
	struct timespec nap = { .tv_nsec = PAUSE_MAX };
	struct tap *tap = ctx;
	uint64_t held;

	while (!atomic_load(&tap->ended)) {
		nanosleep(&nap, NULL);
		held = most_held(tap);
		nap.tv_nsec = next_pause(nap.tv_nsec, held);
		if (held)
			tracer_kick(tap->tracer);
	}
	return NULL;
}

void tap_start_ticker(struct tap *tap)
{
	sigset_t all, before;

	if (tap->ticker)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_create(&tap->ticker, NULL, ticker_main, tap);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct tap *tap_new(struct tracer *tracer, const struct tap_ops *ops, void *ctx,
		    const struct tap_options *options, const char **ret_why)
{
	struct tap *tap;

	*ret_why = why_not();
	if (*ret_why)
		return NULL;
	tap = own_zalloc(sizeof(*tap));
	tap->tracer = tracer;
	tap->ops = ops;
	tap->ctx = ctx;
	tap->options = *options;
	tap->next_number = 1;
	for (tap->abi = abi_native; strcmp(tap->abi->name, "x86_64") != 0;)
		tap->abi++;
	pthread_mutex_init(&tap->lock, NULL);
	calibrate(tap);
	return tap;
}

static void tapped_free(struct tap *tap, struct tapped *tapped)
{
	if (tapped->ring)
		setup_ring_put(tap, tapped->ring);
	map_take(&tap->numbers, tapped->number);
	MAP_FOR_EACH(child, &tap->vforked)
		if (map_value(child) == tapped)
			map_take(&tap->vforked, map_key(child));
	record_done(tapped);
	map_done(&tapped->threads);
	map_done(&tapped->keys);
	map_done(&tapped->fds);
	map_done(&tapped->gens);
	map_done(&tapped->sites);
	map_done(&tapped->stubs);
	map_done(&tapped->holes);
	map_free(&tapped->pages);
	hooks_done(tapped);
	attach_done(tapped);
	free(tapped);
}

void tap_free(struct tap *tap)
{
	if (!tap)
		return;
	atomic_store(&tap->ended, true);
	if (tap->ticker)
		pthread_join(tap->ticker, NULL);
	MAP_FOR_EACH(node, &tap->procs)
		tapped_free(tap, map_value(node));
	map_done(&tap->procs);
	map_done(&tap->numbers);
	map_done(&tap->vforked);
	pthread_mutex_destroy(&tap->lock);
	hooks_free(tap);
	known_free(tap);
	caves_free(&tap->caves);
	free(tap);
}

struct tapped *tapped_of(struct tap *tap, const struct proc *proc)
{
	return map_get(&tap->procs, (uint64_t)proc->pid);
}

struct tapped *tapped_new(struct tap *tap, struct proc *proc)
{
	struct tapped *tapped = own_zalloc(sizeof(*tapped));

	tapped->proc = proc;
	tapped->number = tap->next_number++;
	map_put(&tap->procs, (uint64_t)proc->pid, tapped);
	map_put(&tap->numbers, tapped->number, tapped);
	return tapped;
}

/* Of a process that the stop engine has by its filter alone, in 64-bit code. */
static bool may_be_tapped(const struct task *task)
{
	return task->proc->told_inside == task->proc->attached && !task->proc->follow_all &&
	       task->proc->wide && !strcmp(task->call.abi->name, "x86_64") &&
	       !space_is_shared(task->proc);
}

bool tap_site(struct tap *tap, struct task *task, bool begin)
{
	struct tapped *tapped = tapped_of(tap, task->proc);
	uint64_t site = task->call.ip - 2;

	if (task->at != TASK_AT_ENTRY || !may_be_tapped(task))
		return false;
	if (!tapped && begin)
		tapped = tapped_new(tap, task->proc);
	if (!tapped || tapped->refused || (!tapped->ready && !begin))
		return false;
	if (!tapped->ready)
		tapped->error = setup_process(tap, tapped, task);
	if (tapped->error) {
		tapped->refused = true;
		return task->retry;
	}
	tap_start_ticker(tap);
	thread_register(tapped, task);
	/* A call that the agent has left to us comes from its site's stub. */
	if (!map_get(&tapped->sites, site) && !map_get(&tapped->stubs, site - STUB_SYSCALL)) {
		bool good = !patch_site(tap, tapped, task, site);

		map_put(&tapped->sites, site, tapped);
		tap->stats.sites += good;
		tap->stats.refused += !good;
	}
	return task->retry;
}

static void write_state(struct tapped *tapped, int fd, uint8_t state)
{
	space_poke(tapped->proc, RING_FD_STATES + (uint64_t)fd, &state, sizeof(state));
}

/* The next number that stands for a socket at this descriptor. */
static uint8_t next_gen(struct tapped *tapped, int fd)
{
	uintptr_t gen = (uintptr_t)map_get(&tapped->gens, (uint32_t)fd);

	gen = gen < RING_FD_SOCKET || gen == UINT8_MAX ? RING_FD_SOCKET : gen + 1;
	map_put(&tapped->gens, (uint32_t)fd, (void *)gen);
	return (uint8_t)gen;
}

void tap_fd(struct tap *tap, struct proc *proc, int fd, int state)
{
	struct tapped *tapped = tapped_of(tap, proc);
	uint8_t byte = (uint8_t)state;
	uintptr_t old;

	if (!tapped || !tapped->ready || fd < 0 || fd >= RING_FDS)
		return;
	old = (uintptr_t)map_get(&tapped->fds, (uint32_t)fd);
	if (state != RING_FD_SOCKET && old == (uintptr_t)state)
		return;
	if (state == RING_FD_SOCKET)
		byte = next_gen(tapped, fd);
	if (byte)
		map_put(&tapped->fds, (uint32_t)fd, (void *)(uintptr_t)byte);
	else
		map_take(&tapped->fds, (uint32_t)fd);
	write_state(tapped, fd, byte);
}

uint8_t tap_fd_state(const struct tap *tap, const struct proc *proc, int fd)
{
	const struct tapped *tapped = map_get(&tap->procs, (uint64_t)proc->pid);

	return tapped ? (uint8_t)(uintptr_t)map_get(&tapped->fds, (uint32_t)fd) : RING_FD_UNKNOWN;
}

const char *tap_why(const struct tap *tap, const struct proc *proc)
{
	const struct tapped *tapped = map_get(&tap->procs, (uint64_t)proc->pid);

	if (!tapped || !tapped->error || tapped->error == -ESRCH)
		return NULL;
	if (tapped->error == -EEXIST)
		return "it has mapped something where the agent would be";
	if (tapped->error == -EOPNOTSUPP)
		return "it has a shadow stack";
	return "the agent cannot be mapped into it";
}

bool tap_is_ready(const struct tap *tap, const struct proc *proc)
{
	const struct tapped *tapped = map_get(&tap->procs, (uint64_t)proc->pid);

	return tapped && tapped->ready && !tapped->refused;
}

/* Tells the agent whether it is to leave all calls to us. */
void tapped_write_disabled(struct tapped *tapped)
{
	const uint32_t disabled = tapped->refused || tapped->vforks || tapped->recalled;

	if (tapped->ready)
		space_poke(tapped->proc, RING_CONTROL + RING_DISABLED, &disabled, sizeof(disabled));
}

void tapped_refuse(struct tapped *tapped)
{
	tapped->refused = true;
	tapped_write_disabled(tapped);
}

void tap_refuse(struct tap *tap, struct proc *proc)
{
	struct tapped *tapped = tapped_of(tap, proc);

	tapped_refuse(tapped ? tapped : tapped_new(tap, proc));
}

void tap_recall(struct tap *tap, struct proc *proc, bool recalled)
{
	struct tapped *tapped = tapped_of(tap, proc);

	if (!tapped || tapped->recalled == recalled)
		return;
	tapped->recalled = recalled;
	tapped_write_disabled(tapped);
}

static void forget(struct tap *tap, struct proc *proc)
{
	struct tapped *tapped = map_take(&tap->procs, (uint64_t)proc->pid);

	tapped_vfork_end(tap, proc);
	if (tapped)
		tapped_free(tap, tapped);
}

void tap_exec(struct tap *tap, struct proc *proc)
{
	tap_drain(tap);
	forget(tap, proc);
}

void tap_gone(struct tap *tap, struct task *task, bool last)
{
	struct tapped *tapped = tapped_of(tap, task->proc);

	tap_drain(tap);
	if (tapped && tapped->ready)
		drain_process(tap, tapped);
	if (tapped)
		thread_forget(tapped, task->tid, !last);
	if (last)
		forget(tap, task->proc);
}

void tap_drain(struct tap *tap)
{
	drain_all(tap);
}

void tap_tick(struct tap *tap)
{
	tap->unhurried = true;
	tap_drain(tap);
	tap->unhurried = false;
}

/* For whatever an agent can ask for at once. */
static bool has_room(const struct ring *ring)
{
	int64_t most = sizeof(struct ring_record) + RING_PIECE;

	return atomic_load_explicit(&ring->header->credit, memory_order_relaxed) >= most;
}

bool tap_waits(struct tap *tap, struct task *task)
{
	const struct stop stop = { .kind = STOP_SECCOMP };
	struct tapped *tapped = tapped_of(tap, task->proc);

	if (task->call.ip != TAP_WAITED_AT || !tapped || !tapped->ready)
		return false;
	if ((int32_t)task->call.args[0] == WAIT_TELL) {
		pull_tell(tap, tapped, task);
		return true;
	}
	tracer_skip_call(tap->tracer, task, 0);
	/* Threads that are blocked in calls have the rest, and may wait for what this one does next. */
	if (!has_room(tapped->ring))
		pull_out(tap, tapped, task, stop);
	return true;
}

bool tap_before(struct tap *tap, struct task *task, struct stop stop)
{
	struct tapped *tapped = tapped_of(tap, task->proc);
	bool ours = false;

	tap_drain(tap);
	if (!tapped || !tapped->ready)
		return false;
	drain_process(tap, tapped);
	if (stop.kind == STOP_SIGNAL || stop.kind == STOP_EVENT || stop.kind == STOP_GROUP ||
	    stop.kind == STOP_EXIT)
		ours = pull_out(tap, tapped, task, stop);
	/* Another thread can get its fs base as soon as it is gone. */
	if (stop.kind == STOP_EXIT)
		thread_forget(tapped, task->tid, true);
	return ours;
}

void tap_get_stats(const struct tap *tap, struct tap_stats *ret_stats)
{
	*ret_stats = tap->stats;
}
