/*
 * Calls that the agent takes, seen from the program: threads and signal handlers that are in the kernel
 * while their site is patched, and everything that ends a call otherwise than by its return.
 */
#include "tapped.h"

#include "iotrace/ring.h"

#include <asm/prctl.h>
#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static struct pair pair;
static int pipes[2][2];
static atomic_int blocked, handled;

static void open_all(void)
{
	check(!pipe(pipes[0]) && !pipe(pipes[1]));
	pair_open(&pair, "0", "1");
}

static void on_signal(void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	check(!sigaction(SIGUSR1, &action, NULL));
}

/* Until the thread that has said so is in the kernel. */
static pid_t await_thread(void)
{
	pid_t tid;

	while (!(tid = atomic_exchange(&blocked, 0)))
		sched_yield();
	await_blocked(tid);
	return tid;
}

static void send_signal(pid_t tid)
{
	check(!syscall(SYS_tgkill, getpid(), tid, SIGUSR1));
}

static void about_to_block(void)
{
	atomic_store(&blocked, gettid());
}

/* -- a site that is patched while threads are behind it */

static void *reads_pipe(void *arg)
{
	char got[10];

	about_to_block();
	check(read(pipes[0][0], got, 4) == 4 && !memcmp(got, "wake", 4));
	/* By the same site, and now by the agent: first a file, then a socket. */
	check(read(pipes[0][0], got, sizeof(got)) == 5 && !memcmp(got, "again", 5));
	check(read(pair.fds[1], got, sizeof(got)) == 6);
	want_data(&pair.conns[1], pair.fds[1], "read", got, 6, "");
	return arg;
}

static void blocked_thread(void)
{
	pthread_t thread;

	settings("'per':'tid','tap':100");
	check(!pipe(pipes[0]));
	check(!pthread_create(&thread, NULL, reads_pipe, NULL));
	await_thread();
	pair_open(&pair, "0", "1");
	pair_talk(&pair, 60);
	check(write(pipes[0][1], "wake", 4) == 4);
	check(write(pipes[0][1], "again", 5) == 5);
	check(write(pair.fds[0], "socket", 6) == 6);
	want_data(&pair.conns[0], pair.fds[0], "write", "socket", 6, "");
	check(!pthread_join(thread, NULL));
}

static void reads_in_handler(int sig)
{
	char got[10];

	(void)sig;
	about_to_block();
	check(read(pipes[1][0], got, sizeof(got)) == 5);
	atomic_fetch_add(&handled, 1);
}

static void *interrupted_read(void *restarts)
{
	char got[10];
	ssize_t n;

	about_to_block();
	n = read(pipes[0][0], got, sizeof(got));
	if (restarts)
		check(n == 4 && !memcmp(got, "wake", 4));
	else
		check(n == -1 && errno == EINTR);
	return restarts;
}

/* Its saved frame leads to the site, or behind it, and so does the handler's own call. */
static void blocked_handler(int flags)
{
	pthread_t thread;

	settings("'per':'tid','tap':100");
	check(!pipe(pipes[0]) && !pipe(pipes[1]));
	on_signal(reads_in_handler, flags);
	check(!pthread_create(&thread, NULL, interrupted_read, flags ? &pair : NULL));
	send_signal(await_thread());
	await_thread();
	pair_open(&pair, "0", "1");
	pair_talk(&pair, 60);
	check(write(pipes[1][1], "on it", 5) == 5);
	if (flags)
		check(write(pipes[0][1], "wake", 4) == 4);
	check(!pthread_join(thread, NULL));
	same("%d handled", atomic_load(&handled));
}

static void handler_restart(void)
{
	blocked_handler(SA_RESTART);
}

static void handler_interrupt(void)
{
	blocked_handler(0);
}

/* -- cancellation: the unwinder must find its way from the site, and nothing is lost */

static atomic_int cleaned, destroyed;

static void clean(void *arg)
{
	(void)arg;
	atomic_fetch_add(&cleaned, 1);
}

static void destroy(const int *object)
{
	atomic_fetch_add(&destroyed, *object);
}

__attribute__((noinline)) static void blocks_for_ever(int fd)
{
	const int object __attribute__((cleanup(destroy))) = 1;
	char got[10];

	pthread_cleanup_push(clean, NULL);
	about_to_block();
	check(read(fd, got, sizeof(got)) == -2 || object);
	pthread_cleanup_pop(0);
}

static void *is_cancelled(void *fd)
{
	blocks_for_ever(*(int *)fd);
	return NULL;
}

static void cancel(int fd, int times)
{
	for (int i = 0; i < times; i++) {
		pthread_t thread;
		void *result;

		check(!pthread_create(&thread, NULL, is_cancelled, &fd));
		await_thread();
		check(!pthread_cancel(thread) && !pthread_join(thread, &result));
		check(result == PTHREAD_CANCELED);
		pair_say(&pair, "in between");
	}
}

static void cancelled(void)
{
	settings("'per':'tid','tap':100");
	open_all();
	pair_talk(&pair, 3);
	cancel(pair.fds[1], 30);
	cancel(pipes[0][0], 30);
	pair_say(&pair, "after");
	same("%d cleaned, %d destroyed", atomic_load(&cleaned), atomic_load(&destroyed));
}

/* -- what a handler sees of the call that it interrupts */

static int frames;

static void counts_frames(int sig)
{
	void *stack[100];

	(void)sig;
	frames = backtrace(stack, 100);
	atomic_fetch_add(&handled, 1);
}

__attribute__((noinline)) static int deep(int depth, int fd)
{
	char got[10];

	if (depth)
		return deep(depth - 1, fd) + 1;
	about_to_block();
	return (int)read(fd, got, sizeof(got));
}

static void *signals_once(void *arg)
{
	send_signal(await_thread());
	return arg;
}

static void backtraces(void)
{
	void *stack[2];

	settings("'tap':10");
	open_all();
	pair_talk(&pair, 10);
	/* It loads a library at first. */
	backtrace(stack, 2);
	on_signal(counts_frames, 0);
	for (int i = 0; i < 4; i++) {
		pthread_t thread;
		int result;

		check(!pthread_create(&thread, NULL, signals_once, NULL));
		result = deep(5, i % 2 ? pair.fds[1] : pipes[0][0]);
		check(!pthread_join(thread, NULL));
		if (i % 2)
			want_error(&pair.conns[1], pair.fds[1], "read", "EINTR", "");
		same("%d frames, result %d", frames, result);
	}
}

/* -- a handler that never returns to the call */

static sigjmp_buf back;

static void jumps(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static void *signals_often(void *times)
{
	for (int i = 0; i < *(int *)times; i++)
		send_signal(await_thread());
	return NULL;
}

/* More often than the ring has room for what each call has asked for. */
static void jumped(void)
{
	int times = 1500;
	pthread_t thread;
	volatile int i;
	char got[10];

	settings("'tap':150");
	open_all();
	pair_talk(&pair, 3);
	on_signal(jumps, 0);
	check(!pthread_create(&thread, NULL, signals_often, &times));
	for (i = 0; i < times; i++)
		if (!sigsetjmp(back, 1)) {
			about_to_block();
			check(read(pair.fds[1], got, sizeof(got)) == -2);
		} else {
			want_error(&pair.conns[1], pair.fds[1], "read", "EINTR", "");
		}
	check(!pthread_join(thread, NULL));
	pair_talk(&pair, 80);
	same("%d jumps", i);
}

/* -- stopped and continued, at any moment */

static struct pair other;
static atomic_int *said; /* seen by the parent */

/* Known to the agent, and in it for good. */
static void *reads_on(void *arg)
{
	char got;

	pair_talk(&other, 3);
	about_to_block();
	check(read(other.fds[1], &got, 1) == -2);
	return arg;
}

static void keep_talking(void)
{
	pthread_t thread;

	check(!pthread_create(&thread, NULL, reads_on, NULL));
	await_thread();
	for (int i = 0; i < 3000; i++) {
		pair_say(&pair, "stop me if you can");
		atomic_store(said, i + 1);
	}
	_exit(4);
}

/* Where a stopped thread is, as /proc tells everybody: "running", or "NR ARG0 … ARG5 SP PC". */
static bool is_in_agent(pid_t pid, const char *tid)
{
	char path[300], text[300] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/syscall", pid, tid);
	file = fopen(path, "re");
	if (file) {
		if (!fgets(text, sizeof(text), file))
			text[0] = '\0';
		fclose(file);
	}
	return strrchr(text, ' ') &&
	       strtoull(strrchr(text, ' '), NULL, 16) - RING_TEXT < RING_TEXT_SIZE;
}

/* Stopped for the world, each is at its own code; iotrace may still be at it. */
static void await_own_code(pid_t pid)
{
	char path[40];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	check(dir);
	while ((entry = readdir(dir)))
		while (entry->d_name[0] != '.' && is_in_agent(pid, entry->d_name))
			sched_yield();
	closedir(dir);
}

static void stopped(void)
{
	pid_t pid;
	int status;

	said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(said != MAP_FAILED);
	settings("'per':'tid','tap':200");
	pair_open(&pair, "0", "1");
	pair_open(&other, "other 0", "other 1");
	pair_talk(&pair, 3);
	pair_talk(&other, 3);
	pid = fork();
	check(pid >= 0);
	if (!pid)
		keep_talking();
	/* It may have ended by then. */
	for (int i = 0; i < 100; i++) {
		while (atomic_load(said) <= 10 * i)
			sched_yield();
		check(!kill(pid, SIGSTOP));
		check(waitpid(pid, &status, WUNTRACED) == pid);
		if (!WIFSTOPPED(status))
			break;
		await_own_code(pid);
		check(!kill(pid, SIGCONT));
		check(waitpid(pid, &status, WCONTINUED) == pid);
		if (!WIFCONTINUED(status))
			break;
	}
	if (!WIFEXITED(status))
		status = await_end(pid);
	same("status %d", WEXITSTATUS(status));
}

/* -- a thread that has no base: nobody made it one, as there is no C library */

static __attribute__((noinline)) long call(long nr, long one, const void *two, size_t three)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(nr), "D"(one), "S"(two), "d"(three)
			 : "rcx", "r11", "memory");
	return result;
}

/* Nothing of the C library's may be called in between. */
static __attribute__((noinline, no_stack_protector)) long
call_without_base(long nr, long fd, const void *bytes, size_t len)
{
	unsigned long base = 0;
	long result;

	call(SYS_arch_prctl, ARCH_GET_FS, &base, 0);
	call(SYS_arch_prctl, ARCH_SET_FS, NULL, 0);
	result = call(nr, fd, bytes, len);
	call(SYS_arch_prctl, ARCH_SET_FS, (void *)base, 0);
	return result;
}

static void without_base(void)
{
	char got[10];

	open_all();
	pair_talk(&pair, 3);
	for (int i = 0; i < 20; i++) {
		check(call_without_base(SYS_write, pair.fds[0], "baseless", 8) == 8);
		want_data(&pair.conns[0], pair.fds[0], "write", "baseless", 8, "");
		check(call_without_base(SYS_read, pair.fds[1], got, sizeof(got)) == 8);
		want_data(&pair.conns[1], pair.fds[1], "read", "baseless", 8, "");
	}
	pair_talk(&pair, 3);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct tapped_case cases[] = {
		{ "blocked", blocked_thread },
		{ "handler", handler_restart },
		{ "handler_eintr", handler_interrupt },
		{ "cancelled", cancelled },
		{ "backtrace", backtraces },
		{ "jumped", jumped },
		{ "stopped", stopped },
		{ "without_base", without_base },
	};

	check(argc == 2);
	return run_case(cases, sizeof(cases) / sizeof(cases[0]), argv[1]);
}
