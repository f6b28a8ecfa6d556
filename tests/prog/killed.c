/*
 * SIGKILL in the middle of calls: what was before is there, and the status is the right one.
 * Argument: child (its parent goes on) or main.
 */
#include "expect.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The threads that are about to block, for who kills them. */
struct shared {
	atomic_int tids[2];
};

static struct shared *shared;
static int full[2], empty[2];

/* Something waits, and nothing is on its way that could make room for more. */
static bool is_stuck(void)
{
	int queued, unsent;

	check(!ioctl(full[0], SIOCOUTQ, &queued) && !ioctl(full[0], SIOCOUTQNSD, &unsent));
	return unsent && queued == unsent;
}

/* Until nothing more can be taken, so that the call that blocks moves nothing. */
static void fill_up(const struct conn *conn)
{
	static char data[200000];
	bool stuck;
	ssize_t n;

	fill(data, sizeof(data), 8);
	do {
		stuck = is_stuck();
		n = send(full[0], data, sizeof(data), MSG_DONTWAIT);
		if (n > 0)
			want_data(conn, full[0], "sendto", data, (size_t)n, "");
		check(n > 0 || errno == EAGAIN);
		if (n < 0 && !stuck)
			poll(NULL, 0, 1);
	} while (n > 0 || !stuck);
}

static void *sends(void *arg)
{
	char data[100] = "";

	fill_up(arg);
	atomic_store(&shared->tids[1], (int)syscall(SYS_gettid));
	check(write(full[0], data, sizeof(data)) == -2);
	return NULL;
}

static void victim(void)
{
	struct conn conns[2];
	pthread_t thread;
	char got[100];

	tcp_pair(AF_INET, full);
	tcp_pair(AF_INET, empty);
	conns[0] = conn_of("full", full[0]);
	conns[1] = conn_of("empty", empty[0]);
	check(write(empty[0], "before", 6) == 6);
	want_data(&conns[1], empty[0], "write", "before", 6, "");
	check(!pthread_create(&thread, NULL, sends, &conns[0]));
	atomic_store(&shared->tids[0], getpid());
	check(read(empty[0], got, sizeof(got)) == -2);
}

static void kill_it(pid_t pid)
{
	for (int i = 0; i < 2; i++) {
		while (!atomic_load(&shared->tids[i]))
			sched_yield();
		await_blocked(atomic_load(&shared->tids[i]));
	}
	want("'type':'process','pid':%d,'event':'exit','signal':9", pid);
	check(!kill(pid, SIGKILL));
}

static void child_is_killed(void)
{
	pid_t pid = fork();
	int status;

	check(pid >= 0);
	if (!pid) {
		want("'type':'process','pid':%d,'event':'fork','ppid':%d", getpid(), getppid());
		victim();
	}
	kill_it(pid);
	status = await_end(pid);
	same("killed %d by %d", WIFSIGNALED(status), WTERMSIG(status));
	want("'type':'process','pid':%d,'event':'exit','status':6", getpid());
}

static void main_is_killed(void)
{
	pid_t pid = getpid(), killer = fork();

	check(killer >= 0);
	if (!killer) {
		/* It may not see its parent's end before that is an event. */
		want("'type':'process','pid':%d,'event':'fork','ppid':%d", getpid(), pid);
		kill_it(pid);
		while (getppid() == pid)
			sched_yield();
		want("'type':'process','pid':%d,'event':'exit','status':0", getpid());
		_exit(0);
	}
	victim();
}

int main(int argc, char **argv)
{
	check(argc == 2);
	settings("'types':['data','process']%s", strcmp(argv[1], "main") ? "" : ",'per':'pid'");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	check(shared != MAP_FAILED);
	want("'type':'process','pid':%d,'event':'start'", getpid());
	if (!strcmp(argv[1], "main"))
		main_is_killed();
	else
		child_is_killed();
	return 6;
}
