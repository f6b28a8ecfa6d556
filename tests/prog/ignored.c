/*
 * Signals that the program ignores, or that are ignored by default, while it sleeps in calls which any other
 * signal ends: it is not to know of them. Argument: the call.
 */
#include "expect.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES 20

static int event, poller, semaphore;
static sigset_t waited;
static pid_t sleeper;

static long sleep_epoll(void)
{
	struct epoll_event got;

	return epoll_wait(poller, &got, 1, -1);
}

static long sleep_pwait(void)
{
	struct epoll_event got;
	sigset_t none;

	sigemptyset(&none);
	return epoll_pwait(poller, &got, 1, -1, &none);
}

static void wake_poller(void)
{
	check(!eventfd_write(event, 1));
}

static long sleep_sigwait(void)
{
	return sigwaitinfo(&waited, NULL) == SIGUSR2 ? 1 : -1;
}

static void wake_sigwait(void)
{
	check(!kill(sleeper, SIGUSR2));
}

static long sleep_semaphore(void)
{
	struct sembuf down = { .sem_op = -1 };

	return semop(semaphore, &down, 1) ? -1 : 1;
}

static void wake_semaphore(void)
{
	struct sembuf up = { .sem_op = 1 };

	check(!semop(semaphore, &up, 1));
}

static const struct way {
	const char *name;
	long (*sleep)(void);
	void (*wake)(void);
} ways[] = {
	{ "epoll", sleep_epoll, wake_poller },
	{ "pwait", sleep_pwait, wake_poller },
	{ "sigwait", sleep_sigwait, wake_sigwait },
	{ "semaphore", sleep_semaphore, wake_semaphore },
};

static void disturb_by(int sig)
{
	await_blocked(sleeper);
	check(!kill(sleeper, sig));
}

/* A child of the sleeper's that ends. */
static void end_child(void)
{
	long pid;

	await_blocked(sleeper);
	pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	if (!pid)
		_exit(0);
	check(pid > 0);
}

static void disturb(const struct way *way)
{
	for (int i = 0; i < TIMES; i++) {
		disturb_by(SIGWINCH);
		disturb_by(SIGUSR1);
		end_child();
	}
	await_blocked(sleeper);
	way->wake();
}

/* Then it does fail. */
static void interrupt(const struct way *way)
{
	(void)way;
	disturb_by(SIGWINCH);
	check(!kill(sleeper, SIGALRM));
}

static void handle(int sig)
{
	(void)sig;
}

static void await_children(void)
{
	while (wait(NULL) > 0)
		;
	check(errno == ECHILD);
}

/* Another process does it, as in one with several threads any of them can take the signals. */
static long sleep_under(const struct way *way, void (*do_it)(const struct way *way))
{
	pid_t pid = fork();
	int error;
	long result;

	if (!pid) {
		do_it(way);
		_exit(0);
	}
	check(pid > 0);
	result = way->sleep();
	error = errno;
	await_children();
	errno = error;
	return result;
}

static void try(const struct way *way)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };

	check(!sigaction(SIGALRM, &action, NULL));
	check(sleep_under(way, disturb) == 1);
	if (way->wake == wake_poller)
		check(!eventfd_read(event, &(eventfd_t){ 0 }));
	check(sleep_under(way, interrupt) == -1 && errno == EINTR);
}

int main(int argc, char **argv)
{
	struct epoll_event in = { .events = EPOLLIN };
	struct conn conn;
	int pair[2];

	check(argc == 2);
	sleeper = getpid();
	tcp_pair(AF_INET, pair);
	conn = conn_of("0", pair[0]);
	event = eventfd(0, 0);
	poller = epoll_create1(0);
	semaphore = semget(IPC_PRIVATE, 1, 0600);
	check(event >= 0 && poller >= 0 && semaphore >= 0);
	check(!epoll_ctl(poller, EPOLL_CTL_ADD, event, &in));
	sigemptyset(&waited);
	sigaddset(&waited, SIGUSR2);
	check(!sigprocmask(SIG_BLOCK, &waited, NULL));
	check(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(ways[i].name, argv[1]))
			try(&ways[i]);
	check(!semctl(semaphore, 0, IPC_RMID));
	check(write(pair[0], "undisturbed", 11) == 11);
	want_data(&conn, pair[0], "write", "undisturbed", 11, "");
	return 0;
}
