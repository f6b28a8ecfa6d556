/*
 * Signals for the whole process, while other threads run into breakpoints all the time: it is the main
 * thread that they wake, and that must handle them. Argument: who sends them, or why another one does.
 */
#include "expect.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIMES   300
#define THREADS 2
#define BURST   20

static pid_t own, sender;
static int code;
static atomic_int handled, elsewhere, changed;
static atomic_bool over;
static int told[2];
static pthread_barrier_t barrier;

/* The function under probe; it moves nothing, so that nothing is told. */
__attribute__((noinline)) long directed_probed(const void *data, long len)
{
	__asm__ volatile("" ::"r"(data) : "memory");
	return len;
}

static void *call_often(void *arg)
{
	pthread_barrier_wait(&barrier);
	while (!atomic_load(&over))
		directed_probed("", 0);
	return arg;
}

static void handle(int sig, siginfo_t *info, void *context)
{
	int before = errno;

	(void)sig;
	(void)context;
	if (gettid() != own)
		atomic_fetch_add(&elsewhere, 1);
	if (info->si_code != code || info->si_pid != sender || info->si_errno ||
	    (sender && info->si_uid != getuid()))
		atomic_fetch_add(&changed, 1);
	atomic_fetch_add(&handled, 1);
	check(write(told[1], "", 1) == 1);
	errno = before;
}

static void await_handled(int count)
{
	char byte;

	for (int i = 0; i < count; i++)
		check(read(told[0], &byte, 1) == 1);
}

static void on(int sig)
{
	/* Blocked while it is handled, the next one would be another thread's. */
	struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_NODEFER };

	check(!sigaction(sig, &action, NULL));
}

static void start_threads(pthread_t ids[THREADS])
{
	check(!pthread_barrier_init(&barrier, NULL, THREADS + 1));
	for (int i = 0; i < THREADS; i++)
		check(!pthread_create(&ids[i], NULL, call_often, NULL));
	pthread_barrier_wait(&barrier);
}

static void end_threads(const pthread_t ids[THREADS])
{
	atomic_store(&over, true);
	for (int i = 0; i < THREADS; i++)
		check(!pthread_join(ids[i], NULL));
}

/*
 * A child that does this when it is told that all is ready, and ends the wait for a connection when it is
 * done. Returns the listener.
 */
static int start_sender(void (*run)(void), int go[2])
{
	int listener = tcp_listener(AF_INET), fd;
	struct sockaddr_storage address;
	socklen_t len = local_address(listener, &address);
	char byte;

	check(!pipe(go));
	sender = fork();
	check(sender >= 0);
	if (sender)
		return listener;
	check(read(go[0], &byte, 1) == 1);
	run();
	fd = socket(AF_INET, SOCK_STREAM, 0);
	check(!connect(fd, (struct sockaddr *)&address, len));
	_exit(0);
}

static void send_terms(void)
{
	for (int i = 0; i < TIMES; i++) {
		await_blocked(own);
		check(!kill(own, SIGTERM));
		await_handled(1);
	}
}

static void send_to_rest(void)
{
	for (int i = 0; i < TIMES; i++) {
		check(!kill(own, SIGTERM));
		await_handled(1);
	}
}

static void send_bursts(void)
{
	for (int i = 0; i < TIMES / BURST; i++) {
		for (int j = 0; j < BURST; j++)
			check(!kill(own, SIGRTMIN + 2));
		await_handled(BURST);
	}
}

static void await_alarms(void)
{
	await_handled(TIMES);
}

static void accept_one(int listener)
{
	int fd;

	while ((fd = accept(listener, NULL, NULL)) < 0)
		check(errno == EINTR);
	close(fd);
}

static void set_timer(suseconds_t interval)
{
	const struct itimerval timer = { { .tv_usec = interval }, { .tv_usec = interval } };

	check(!setitimer(ITIMER_REAL, &timer, NULL));
}

static void by_kill(void)
{
	pthread_t ids[THREADS];
	int go[2], listener = start_sender(send_terms, go);

	on(SIGTERM);
	start_threads(ids);
	check(write(go[1], "", 1) == 1);
	accept_one(listener);
	end_threads(ids);
	check(await_end(sender) == 0);
	same("%d of %d elsewhere, %d changed", elsewhere, handled, changed);
}

/* That many at once are anybody's; but none is lost. */
static void by_burst(void)
{
	pthread_t ids[THREADS];
	int go[2], listener = start_sender(send_bursts, go);

	on(SIGRTMIN + 2);
	start_threads(ids);
	check(write(go[1], "", 1) == 1);
	accept_one(listener);
	end_threads(ids);
	check(await_end(sender) == 0);
	same("%d handled, %d changed", handled, changed);
}

static void by_alarm(void)
{
	pthread_t ids[THREADS];
	int go[2], listener = start_sender(await_alarms, go);
	pid_t child = sender;

	sender = 0;
	code = SI_KERNEL;
	on(SIGALRM);
	start_threads(ids);
	check(write(go[1], "", 1) == 1);
	set_timer(3000);
	accept_one(listener);
	set_timer(0);
	end_threads(ids);
	check(await_end(child) == 0);
	same("%d elsewhere, %d changed", elsewhere, changed);
}

static void by_end_of_child(void)
{
	pthread_t ids[THREADS];
	sigset_t set, old;

	code = CLD_EXITED;
	on(SIGCHLD);
	start_threads(ids);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (int i = 0; i < TIMES / 3; i++) {
		/* Its number must be known before its signal comes. */
		check(!sigprocmask(SIG_BLOCK, &set, &old));
		sender = fork();
		check(sender >= 0);
		if (!sender) {
			await_blocked(own);
			_exit(0);
		}
		check(!sigprocmask(SIG_SETMASK, &old, NULL));
		check(poll(NULL, 0, 10000) == -1 && errno == EINTR);
		check(await_end(sender) == 0);
	}
	end_threads(ids);
	same("%d of %d elsewhere, %d changed", elsewhere, handled, changed);
}

/* The main thread does not want them. */
static void when_blocked(void)
{
	pthread_t ids[THREADS];
	sigset_t set;
	int go[2], listener = start_sender(send_terms, go);

	on(SIGTERM);
	start_threads(ids);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	check(!sigprocmask(SIG_BLOCK, &set, NULL));
	check(write(go[1], "", 1) == 1);
	accept_one(listener);
	end_threads(ids);
	check(await_end(sender) == 0);
	same("%d of %d elsewhere, %d changed", elsewhere, handled, changed);
}

static void *go_on(void *listener)
{
	accept_one(*(int *)listener);
	check(await_end(sender) == 0);
	same("%d handled, %d changed", handled, changed);
	_exit(0);
}

/* It is not there any more, from some time on. */
static void when_ended(void)
{
	pthread_t ids[THREADS], rest;
	int go[2], listener = start_sender(send_to_rest, go);

	on(SIGTERM);
	start_threads(ids);
	check(!pthread_create(&rest, NULL, go_on, &listener));
	check(write(go[1], "", 1) == 1);
	while (handled < TIMES / 3)
		;
	pthread_exit(NULL);
}

static _Thread_local volatile int pipes;

static void on_pipe(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	/* As if it came by kill(2). */
	check(info->si_code == SI_USER && info->si_pid == own);
	pipes++;
}

static void *break_pipes(void *broken)
{
	for (int i = 1; i <= TIMES; i++) {
		check(write(*(int *)broken, "", 1) == -1 && errno == EPIPE);
		check(pipes == i);
		directed_probed("", 0);
	}
	return broken;
}

/* What a thread gets for what it has done is its own. */
static void by_itself(void)
{
	struct sigaction action = { .sa_sigaction = on_pipe, .sa_flags = SA_SIGINFO };
	pthread_t ids[THREADS], breaker;
	int ends[2];

	check(!sigaction(SIGPIPE, &action, NULL));
	check(!pipe(ends) && !close(ends[0]));
	start_threads(ids);
	check(!pthread_create(&breaker, NULL, break_pipes, &ends[1]));
	check(!pthread_join(breaker, NULL));
	end_threads(ids);
	same("%d here", pipes);
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "kill", by_kill },          { "burst", by_burst },       { "alarm", by_alarm },
	{ "child", by_end_of_child }, { "blocked", when_blocked }, { "ended", when_ended },
	{ "itself", by_itself },
};

int main(int argc, char **argv)
{
	check(argc == 2);
	own = getpid();
	check(!pipe(told));
	settings("'types':[],'options':['--probe','directed_probed return out c[0] c[1]']");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!strcmp(argv[1], cases[i].name))
			cases[i].run();
	return 0;
}
