/*
 * Processes and threads that come and go while the agent takes calls: what it knows of descriptors,
 * threads and processes must be true in all of them.
 */
#include "tapped.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

extern char **environ;

static char *self;
static struct pair pair;
static atomic_bool over;

/* Another thread that is always in the agent. */
static void *talker(void *own)
{
	while (!atomic_load(&over))
		pair_say(own, "never silent");
	return own;
}

static pthread_t start_talker(struct pair *own)
{
	pthread_t thread;

	pair_open(own, "talker 0", "talker 1");
	check(!pthread_create(&thread, NULL, talker, own));
	return thread;
}

static void end_talker(pthread_t thread)
{
	atomic_store(&over, true);
	check(!pthread_join(thread, NULL));
}

/* -- children in the same memory */

/* Its calls are its own, not its parent's, although its thread looks the same to the agent. */
static void vforked(void)
{
	struct pair own;
	pthread_t thread;

	settings("'per':'tid','tap':100");
	pair_open(&pair, "0", "1");
	pair_talk(&pair, 3);
	thread = start_talker(&own);
	for (int i = 0; i < 20; i++) {
		pid_t pid = vfork();

		if (!pid) {
			pair_say(&pair, "of the child");
			_exit(3);
		}
		check(pid > 0 && await_end(pid) == 3 << 8);
		pair_say(&pair, "of the parent");
	}
	end_talker(thread);
	pair_talk(&pair, 60);
}

static int release[2];
static atomic_bool vforks;

/* Suspended as long as its child is there. */
static void *is_in_vfork(void *arg)
{
	static volatile pid_t pid;
	char got;

	pid = vfork();
	if (!pid) {
		atomic_store(&vforks, true);
		_exit(read(release[0], &got, 1) != 1);
	}
	check(pid > 0 && await_end(pid) == 0);
	return arg;
}

/* What is forked meanwhile has nobody else in its memory, and is tapped. */
static void forked_in_vfork(void)
{
	pthread_t thread;
	pid_t pid;

	settings("'per':'pid','tap':100");
	check(!pipe(release));
	pair_open(&pair, "0", "1");
	pair_talk(&pair, 3);
	check(!pthread_create(&thread, NULL, is_in_vfork, NULL));
	while (!atomic_load(&vforks))
		sched_yield();
	/* The child says so, and waits: so does its parent. */
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		pair_talk(&pair, 60);
		_exit(4);
	}
	check(await_end(pid) == 4 << 8);
	check(write(release[1], "x", 1) == 1);
	check(!pthread_join(thread, NULL));
}

/* The program that is executed: it is tapped anew. */
static void other_program(const char *fd0, const char *fd1)
{
	struct pair own = { .fds = { atoi(fd0), atoi(fd1) } };

	own.conns[0] = conn_of("0", own.fds[0]);
	own.conns[1] = conn_of("1", own.fds[1]);
	pair_talk(&own, 20);
}

static char numbers[2][16];

static char **arguments(void)
{
	static char name[] = "other";
	static char *argv[] = { NULL, name, numbers[0], numbers[1], NULL };

	argv[0] = self;
	for (int i = 0; i < 2; i++)
		snprintf(numbers[i], sizeof(numbers[i]), "%d", pair.fds[i]);
	return argv;
}

/*
 * What is to be done in the child (file actions) is done in its parent's memory, on descriptors of its
 * own; of its parent nothing may change, which is what the calls by the tap are counted for.
 */
static void spawned(void)
{
	posix_spawn_file_actions_t actions;
	struct pair own;
	pthread_t thread;

	settings("'per':'tid','tap':1100");
	pair_open(&pair, "0", "1");
	pair_talk(&pair, 3);
	thread = start_talker(&own);
	check(!posix_spawn_file_actions_init(&actions));
	check(!posix_spawn_file_actions_addclose(&actions, own.fds[0]));
	check(!posix_spawn_file_actions_addopen(&actions, own.fds[1], "/dev/null", O_RDWR, 0));
	for (int i = 0; i < 5; i++) {
		pid_t pid;

		check(!posix_spawn(&pid, "/proc/self/exe", &actions, NULL, arguments(), environ));
		check(await_end(pid) == 0);
		pair_talk(&pair, 100);
	}
	end_talker(thread);
}

static void *executes(void *arg)
{
	execve("/proc/self/exe", arguments(), environ);
	return arg;
}

/* A thread that executes a program ends all the others, wherever they are. */
static void executed(void)
{
	pthread_t thread;
	char got;

	settings("'per':'pid','tap':40");
	pair_open(&pair, "0", "1");
	pair_talk(&pair, 20);
	check(!pthread_create(&thread, NULL, executes, NULL));
	check(read(pair.fds[0], &got, 1) == -2);
}

/* -- children with a memory of their own, on inherited sockets */

static void child_talks(const struct pair *own)
{
	static char names[2][20];
	struct pair mine;

	pair_talk(own, 20);
	/* The descriptors become others here, and stay what they are in the parent. */
	pair_close(own);
	snprintf(names[0], sizeof(names[0]), "%d 0", getpid());
	snprintf(names[1], sizeof(names[1]), "%d 1", getpid());
	pair_open(&mine, names[0], names[1]);
	check(mine.fds[0] == own->fds[0] || mine.fds[0] == own->fds[1]);
	pair_talk(&mine, 20);
	_exit(5);
}

static void forked(void)
{
	struct pair inherited[4], own;
	pthread_t thread;
	pid_t pids[4];

	settings("'per':'tid','tap':150");
	for (int i = 0; i < 4; i++) {
		static const char *const names[4][2] = {
			{ "a", "b" }, { "c", "d" }, { "e", "f" }, { "g", "h" }
		};

		pair_open(&inherited[i], names[i][0], names[i][1]);
		pair_talk(&inherited[i], 2);
	}
	thread = start_talker(&own);
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		check(pids[i] >= 0);
		if (!pids[i])
			child_talks(&inherited[i]);
	}
	for (int i = 0; i < 4; i++)
		check(await_end(pids[i]) == 5 << 8);
	end_talker(thread);
	for (int i = 0; i < 4; i++)
		pair_talk(&inherited[i], 2);
}

/* One side of a talk in turns: waits for its own, and passes it on. */
static void take_turns(const char *name0, const char *name1, int from, int to)
{
	char turn;

	check(read(from, &turn, 1) == 1);
	pair_open(&pair, name0, name1);
	check(write(to, &turn, 1) == 1);
	for (int i = 0; i < 40; i++) {
		check(read(from, &turn, 1) == 1);
		pair_say(&pair, "in turns");
		check(write(to, &turn, 1) == 1);
	}
}

/* The agent comes to each by itself, with a ring of its own; what both tell is put into one order. */
static void turns(void)
{
	int here[2], there[2];
	pid_t pid;

	settings("'tap':100");
	check(!pipe(here) && !pipe(there));
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		take_turns("2", "3", there[0], here[1]);
		_exit(6);
	}
	check(write(here[1], "x", 1) == 1);
	take_turns("0", "1", here[0], there[1]);
	check(await_end(pid) == 6 << 8);
}

/* -- a filter of the program's own: everything that it does not need ends it */

#define ALLOW(nr) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void lock_in(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_read),
		ALLOW(SYS_write),
		ALLOW(SYS_getpid),
		ALLOW(SYS_gettid),
		ALLOW(SYS_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	check(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	check(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
}

static void locked_before(void)
{
	pair_open(&pair, "0", "1");
	lock_in();
	pair_talk(&pair, 20);
	want("'type':'end','calls':{'tap':0}");
}

static void locked_after(void)
{
	char got[100];

	settings("'tap':100");
	pair_open(&pair, "0", "1");
	pair_talk(&pair, 20);
	lock_in();
	pair_talk(&pair, 50);
	/* By a site that was not used before: nothing may be mapped for it. */
	check(write(pair.fds[0], "by recv", 7) == 7);
	want_data(&pair.conns[0], pair.fds[0], "write", "by recv", 7, "");
	check(syscall(SYS_read, pair.fds[1], got, sizeof(got)) == 7);
	want_data(&pair.conns[1], pair.fds[1], "read", got, 7, "");
}

int main(int argc, char **argv)
{
	static const struct tapped_case cases[] = {
		{ "vfork", vforked },
		{ "fork_in_vfork", forked_in_vfork },
		{ "spawn", spawned },
		{ "exec", executed },
		{ "fork", forked },
		{ "turns", turns },
		{ "sandbox_before", locked_before },
		{ "sandbox_after", locked_after },
	};

	self = argv[0];
	if (argc == 4) {
		other_program(argv[2], argv[3]);
		return 0;
	}
	check(argc == 2);
	return run_case(cases, sizeof(cases) / sizeof(cases[0]), argv[1]);
}
