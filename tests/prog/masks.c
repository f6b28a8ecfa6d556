/*
 * rt_sigprocmask, which the agent makes with another mask in attached processes: what comes back, what a signal's
 * handler finds, and what the call leaves in registers is as without it. Alone but for SIGTRAP, which is not blocked.
 */
#include "expect.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define TRAP   (1UL << (SIGTRAP - 1))
#define USER   (1UL << (SIGUSR1 - 1))
#define TIMES  300
#define ABSENT 16 /* an address */

static const uint64_t full = ~0UL, none;
static volatile int count;
static const uint64_t *given;
static greg_t behind; /* the system call instruction below */

/* The call with all that it leaves. */
static long change(long how, const uint64_t *set, uint64_t *old, long size)
{
	register long rdi __asm__("rdi") = how;
	register const uint64_t *rsi __asm__("rsi") = set;
	register uint64_t *rdx __asm__("rdx") = old;
	register long r10 __asm__("r10") = size;
	long ret;

	given = set;
	__asm__ volatile("lea 1f(%%rip), %%rax\n"
			 "mov %%rax, %1\n"
			 "mov $14, %%eax\n"
			 "syscall\n"
			 "1:\n"
			 : "=&a"(ret), "=m"(behind), "+r"(rdi), "+r"(rsi), "+r"(rdx), "+r"(r10)
			 :
			 : "rcx", "r11", "memory");
	check(rdi == how && rsi == set && rdx == old && r10 == size);
	return ret;
}

static void handle(int sig, siginfo_t *info, void *context)
{
	const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig;
	(void)info;
	/* The signal comes when the call has unblocked it, before the program goes on. */
	check(regs[REG_RIP] == behind);
	check(regs[REG_RSI] == (greg_t)(uintptr_t)given && regs[REG_RAX] == 0);
	count++;
}

static void unblocked(void)
{
	struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO };
	const uint64_t others = ~USER;
	uint64_t old;

	check(!sigaction(SIGUSR1, &action, NULL));
	for (int i = 0; i < TIMES; i++) {
		check(!change(SIG_SETMASK, &full, NULL, 8));
		check(!raise(SIGUSR1) && count == i);
		old = 0;
		/* Others stay blocked: this mask is changed, too. */
		check(!change(SIG_SETMASK, i % 2 ? &others : &none, &old, 8) && count == i + 1);
		check(old & USER);
	}
	check(!change(SIG_SETMASK, &none, &old, 8));
	same("old mask %lx", (unsigned long)(old & ~TRAP));
}

static void one_by_one(void)
{
	const uint64_t some = TRAP | USER;
	uint64_t old = 0, both = full;

	check(!change(SIG_BLOCK, &some, NULL, 8));
	check(!change(SIG_BLOCK, NULL, &old, 8));
	same("blocked %lx", (unsigned long)(old & ~TRAP));
	check(!change(SIG_UNBLOCK, &some, &old, 8));
	/* One place for both. */
	check(!change(SIG_SETMASK, &both, &both, 8));
	same("before %lx", (unsigned long)both);
	check(!change(SIG_SETMASK, &none, &old, 8));
	same("all %lx", (unsigned long)(old & ~TRAP));
}

static void refused(void)
{
	same("no memory %ld", change(SIG_SETMASK, (const uint64_t *)ABSENT, NULL, 8));
	same("no memory for the old one %ld", change(SIG_SETMASK, &none, (uint64_t *)ABSENT, 8));
	same("size %ld", change(SIG_SETMASK, &full, NULL, 16));
	same("how %ld", change(7, &full, NULL, 8));
	same("nothing %ld", change(7, NULL, NULL, 8));
}

int main(void)
{
	struct conn conn;
	int fds[2];

	udp_pair(AF_INET, fds);
	conn = conn_of("0", fds[0]);
	check(write(fds[0], "x", 1) == 1);
	want_data(&conn, fds[0], "write", "x", 1, "");
	unblocked();
	one_by_one();
	refused();
	return 0;
}
