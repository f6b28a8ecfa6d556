/* Signals arrive with all they carry, and in their order, as they do without a tracer. */
#include "expect.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int count;
static pid_t own, last_child;
static char *forbidden;

/* The sender as a word, as numbers differ from run to run. */
static const char *sender(const siginfo_t *info)
{
	if (info->si_pid == own)
		return "self";
	return info->si_pid == last_child ? "child" : "other";
}

static void handle(int sig, siginfo_t *info, void *context)
{
	(void)context;
	count++;
	same("%d code %d from %s uid %d value %d", sig, info->si_code, sender(info),
	     info->si_uid == getuid(), info->si_value.sival_int);
}

static void handle_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	count++;
	same("%d code %d at %d", sig, info->si_code, info->si_addr == forbidden);
	check(!mprotect(forbidden, 4096, PROT_READ | PROT_WRITE));
}

static void handle_trap(int sig, siginfo_t *info, void *context)
{
	(void)context;
	count++;
	same("%d code %d", sig, info->si_code);
}

static void handle_child(int sig, siginfo_t *info, void *context)
{
	(void)context;
	count++;
	same("%d code %d from %s status %d", sig, info->si_code, sender(info), info->si_status);
}

static void on(int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };

	check(!sigaction(sig, &action, NULL));
}

static void queued(void)
{
	sigset_t set, old;
	int first = count;

	on(SIGUSR1, handle);
	on(SIGRTMIN + 1, handle);
	on(SIGRTMAX, handle);
	on(SIGRTMAX - 1, handle);
	check(!sigqueue(own, SIGUSR1, (union sigval){ .sival_int = 4711 }));
	check(!kill(own, SIGUSR1));
	check(!raise(SIGUSR1));
	sigfillset(&set);
	check(!sigprocmask(SIG_SETMASK, &set, &old));
	for (int i = 0; i < 5; i++) {
		check(!sigqueue(own, SIGRTMAX, (union sigval){ .sival_int = i }));
		check(!sigqueue(own, SIGRTMIN + 1, (union sigval){ .sival_int = 100 + i }));
		check(!sigqueue(own, SIGRTMAX - 1, (union sigval){ .sival_int = 200 + i }));
	}
	check(!sigprocmask(SIG_SETMASK, &old, NULL));
	check(count == first + 18);
}

static void waited_for(void)
{
	struct signalfd_siginfo from_fd;
	siginfo_t info;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	check(!sigprocmask(SIG_BLOCK, &set, NULL));
	check(!sigqueue(own, SIGUSR2, (union sigval){ .sival_int = 12 }));
	check(sigwaitinfo(&set, &info) == SIGUSR2);
	same("waited %d value %d", info.si_code, info.si_value.sival_int);
	fd = signalfd(-1, &set, 0);
	check(fd >= 0);
	check(!sigqueue(own, SIGUSR2, (union sigval){ .sival_int = 13 }));
	check(read(fd, &from_fd, sizeof(from_fd)) == sizeof(from_fd));
	same("by descriptor %d value %d", from_fd.ssi_code, from_fd.ssi_int);
	close(fd);
}

static void faults(void)
{
	forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(forbidden != MAP_FAILED);
	on(SIGSEGV, handle_fault);
	*(volatile char *)forbidden = 1;
	on(SIGTRAP, handle_trap);
	raise(SIGTRAP);
#if defined(__x86_64__)
	__asm__ volatile("int3");
#endif
}

static void one_child(int number, int until)
{
	char byte;

	if (number == 1)
		kill(getpid(), SIGKILL);
	if (number == 2) {
		raise(SIGSTOP);
		/* Two signals that are pending at once would be one. */
		check(read(until, &byte, 1) == 1);
	}
	_exit(17);
}

static void children(void)
{
	sigset_t set, old;
	int until[2], before;

	on(SIGCHLD, handle_child);
	check(!pipe(until));
	/* Its number must be known before its signal comes. */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	check(!sigprocmask(SIG_BLOCK, &set, &old));
	for (int i = 0; i < 3; i++) {
		before = count;
		last_child = fork();
		check(last_child >= 0);
		if (!last_child)
			one_child(i, until[0]);
		while (count == before)
			sigsuspend(&old);
		if (i == 2) {
			check(!kill(last_child, SIGCONT));
			while (count == before + 1)
				sigsuspend(&old);
			check(write(until[1], "", 1) == 1);
			while (count == before + 2)
				sigsuspend(&old);
		}
		same("status %d", await_end(last_child));
	}
	check(!sigprocmask(SIG_SETMASK, &old, NULL));
	signal(SIGCHLD, SIG_DFL);
}

static void timers(void)
{
	struct itimerval soon = { .it_value = { .tv_usec = 1000 } };
	struct itimerspec at_once = { .it_value = { .tv_nsec = 1000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGRTMIN + 1,
				  .sigev_value = { .sival_int = 99 } };
	int first = count;
	timer_t timer;
	sigset_t set, old;

	on(SIGALRM, handle_trap);
	on(SIGRTMIN + 1, handle_trap);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigaddset(&set, SIGRTMIN + 1);
	check(!sigprocmask(SIG_BLOCK, &set, &old));
	check(!setitimer(ITIMER_REAL, &soon, NULL));
	while (count == first)
		sigsuspend(&old);
	check(!timer_create(CLOCK_MONOTONIC, &event, &timer));
	check(!timer_settime(timer, 0, &at_once, NULL));
	while (count == first + 1)
		sigsuspend(&old);
	check(!sigprocmask(SIG_SETMASK, &old, NULL));
}

int main(void)
{
	struct conn conn;
	int fds[2];

	own = getpid();
	/* With a socket, so that it is traced in full. */
	udp_pair(AF_INET, fds);
	conn = conn_of("0", fds[0]);
	check(write(fds[0], "x", 1) == 1);
	want_data(&conn, fds[0], "write", "x", 1, "");
	queued();
	waited_for();
	faults();
	children();
	timers();
	/* And what its parent sees of it. */
	raise(SIGTERM);
	return 0;
}
