/*
 * What functions that are recorded inside the process find in registers, and what signal handlers find
 * that interrupt them.
 */
#include "hooked.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <ucontext.h>

#define ROW_REGS "'--probe','hooked_regs return out c[0] ret'"
#define SETTINGS settings("'per':'tid','tap':5,'options':[" ROWS "," ROW_REGS "]")

/* All registers, but for the stack pointer; offsets are hooked_regs.S's. */
struct all {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp;
	uint64_t r8_to_15[8];
	uint64_t xmm[32];
};

_Static_assert(offsetof(struct all, xmm) == 120, "hooked_regs.S says so");

struct all entered;
void call_all(const struct all *in, struct all *out);
long hooked_regs(const void *data, long len, ...);

static void call_regs(const char *text, unsigned int seed)
{
	struct all in, out;

	fill(&in, sizeof(in), seed);
	in.rdi = (uint64_t)(uintptr_t)text;
	in.rsi = strlen(text);
	memset(&entered, 0, sizeof(entered));
	call_all(&in, &out);
	check(!memcmp(&entered, &in, sizeof(in)));
	check(out.rax == in.rsi && out.rdx == 2);
	/* All others are as they were, even those that it might change. */
	out.rax = in.rax;
	out.rdx = in.rdx;
	check(!memcmp(&out, &in, sizeof(in)));
}

static void regs_wanted(const char *text, unsigned int seed)
{
	call_regs(text, seed);
	want_plain("out", "hooked_regs", text, strlen(text), "");
}

static void begin_regs(void)
{
	struct code code;

	code_note(&code, (const void *)(uintptr_t)hooked_regs);
	begin_hooked();
	for (unsigned int i = 0; i < 10; i++)
		regs_wanted("often", i);
	pair_say(&hooked_pair, "now there are jumps");
	code_check(&code);
}

static void registers(void)
{
	char text[32];

	SETTINGS;
	begin_regs();
	for (unsigned int i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "call %u", i);
		regs_wanted(text, i);
	}
}

/* -- a storm of signals */

static atomic_int handled, strayed;
static atomic_uintptr_t astray;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *user = context;
	uintptr_t ip = (uintptr_t)user->uc_mcontext.gregs[REG_RIP];

	(void)sig;
	(void)info;
	atomic_fetch_add(&handled, 1);
	if (is_own_code(ip))
		return;
	atomic_fetch_add(&strayed, 1);
	atomic_store(&astray, ip);
}

static timer_t begin_storm(void)
{
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	const struct itimerspec often = { { 0, 100000 }, { 0, 100000 } };
	timer_t timer;

	check(!sigaction(SIGUSR1, &action, NULL));
	check(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	check(!timer_settime(timer, 0, &often, NULL));
	return timer;
}

#define ROUNDS 40
#define CALLS  150

static void call_many(int round, bool wanted)
{
	char text[32];

	for (int i = 0; i < CALLS; i++) {
		snprintf(text, sizeof(text), "round %d call %d", round, i);
		if (wanted) {
			want_three(text);
			want_plain("out", "hooked_regs", text, strlen(text), "");
			continue;
		}
		call_three(text);
		call_regs(text, (unsigned int)i);
	}
}

static void storm(void)
{
	timer_t timer;

	SETTINGS;
	begin_regs();
	own_code_note();
	timer = begin_storm();
	/* Nothing but these between the signals. */
	for (int i = 0; i < ROUNDS; i++)
		call_many(i, false);
	while (atomic_load(&handled) < 1000)
		continue;
	check(!timer_delete(timer));
	/* Who is stopped at breakpoints carries out copies of some instructions elsewhere. */
	if (is_tapped() && atomic_load(&strayed)) {
		dprintf(STDERR_FILENO, "%d of %d astray, at %lx\n", atomic_load(&strayed),
			atomic_load(&handled), atomic_load(&astray));
		check(!"astray");
	}
	for (int i = 0; i < ROUNDS; i++)
		call_many(i, true);
}

static const struct tapped_case cases[] = {
	{ "registers", registers },
	{ "storm", storm },
};

int main(int argc, char **argv)
{
	check(argc == 2);
	return run_case(cases, sizeof(cases) / sizeof(cases[0]), argv[1]);
}
