// Exceptions that are thrown out of a signal handler, over calls that the agent makes: on a socket and
// on a pipe. Objects on the way are destroyed.
extern "C" {
#include "tapped.h"
}

#include <csignal>
#include <cstdio>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

namespace {

struct pair connection;
volatile sig_atomic_t destroyed;
pid_t blocked;

struct object {
	~object() { destroyed = destroyed + 1; }
};

void throws(int)
{
	throw 42;
}

void *signals(void *)
{
	pid_t tid;

	while (!(tid = __atomic_exchange_n(&blocked, 0, __ATOMIC_SEQ_CST)))
		sched_yield();
	await_blocked(tid);
	check(!syscall(SYS_tgkill, getpid(), tid, SIGUSR1));
	return nullptr;
}

__attribute__((noinline)) ssize_t waits(int fd)
{
	object guard;
	char got[10];

	__atomic_store_n(&blocked, gettid(), __ATOMIC_SEQ_CST);
	return read(fd, got, sizeof(got));
}

int caught(int fd)
{
	pthread_t thread;
	int what = 0;

	check(!pthread_create(&thread, nullptr, signals, nullptr));
	try {
		waits(fd);
	} catch (int thrown) {
		what = thrown;
	}
	check(!pthread_join(thread, nullptr));
	return what;
}

} // namespace

int main()
{
	struct sigaction action = {};
	int pipes[2];

	settings("'tap':30");
	action.sa_handler = throws;
	/* A handler that is left so must not leave its signal blocked. */
	action.sa_flags = SA_NODEFER;
	check(!sigaction(SIGUSR1, &action, nullptr) && !pipe(pipes));
	pair_open(&connection, "0", "1");
	pair_talk(&connection, 3);
	for (int i = 0; i < 20; i++) {
		same("caught %d and %d", caught(connection.fds[1]), caught(pipes[0]));
		want_error(&connection.conns[1], connection.fds[1], "read", "EINTR", "");
		pair_talk(&connection, 1);
	}
	same("%d destroyed", static_cast<int>(destroyed));
	return 0;
}
