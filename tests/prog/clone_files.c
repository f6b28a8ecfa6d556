/*
 * Processes that share descriptors: one opens a socket, the other one, that never did, uses it.
 * Argument: files (a table in common), memory (that, too), exec (and the child executes a program,
 * which gives it a table of its own), none (each its own).
 */
#include "expect.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct shared {
	int fds[2];
	struct conn conns[2];
};

static struct shared *shared;
static int pipes[2][2];
static char got[100];
static bool own_tables;

static void tell(int way)
{
	check(write(pipes[way][1], "", 1) == 1);
}

static void await(int way)
{
	check(read(pipes[way][0], got, 1) == 1);
}

static void exchange(int from, const char *text)
{
	int *fds = shared->fds;

	check(write(fds[from], text, strlen(text)) == (ssize_t)strlen(text));
	want_data(&shared->conns[from], fds[from], "write", text, strlen(text), "");
	check(read(fds[!from], got, sizeof(got)) == (ssize_t)strlen(text));
	want_data(&shared->conns[!from], fds[!from], "read", text, strlen(text), "");
}

static void open_pair(const char *first, const char *second)
{
	udp_pair(AF_INET, shared->fds);
	shared->conns[0] = conn_of(first, shared->fds[0]);
	shared->conns[1] = conn_of(second, shared->fds[1]);
	for (int i = 0; i < 2; i++) {
		want("'type':'socket','event':'open','conn':'%s'", shared->conns[i].name);
		want("'type':'socket','event':'bind','conn':'%s'", shared->conns[i].name);
	}
	for (int i = 0; i < 2; i++)
		want("'type':'socket','event':'connect','conn':'%s'", shared->conns[i].name);
}

/* The new program: what it closes the parent has still. */
static int after_exec(char **argv)
{
	struct conn conn;
	int fds[2] = { atoi(argv[2]), atoi(argv[3]) };

	conn = conn_of("0", fds[0]);
	check(write(fds[0], "executed", 8) == 8);
	want_data(&conn, fds[0], "write", "executed", 8, "");
	check(!close(fds[0]) && !close(fds[1]));
	return 0;
}

static int execute(void)
{
	char numbers[2][16], self[] = "clone_files", how[] = "exec";
	char *argv[] = { self, how, numbers[0], numbers[1], NULL };

	for (int i = 0; i < 2; i++)
		snprintf(numbers[i], sizeof(numbers[i]), "%d", shared->fds[i]);
	execv("/proc/self/exe", argv);
	return 98;
}

static int child(void *arg)
{
	open_pair("0", "1");
	exchange(0, "child");
	if (own_tables) {
		for (int i = 0; i < 2; i++)
			want_socket(&shared->conns[i], shared->fds[i], "close", "");
		return 0;
	}
	tell(0);
	await(1);
	exchange(1, "child again");
	if (arg)
		return execute();
	/* From here on it has copies. */
	check(!unshare(CLONE_FILES));
	exchange(0, "unshared");
	check(!close(shared->fds[0]) && !close(shared->fds[1]));
	return 0;
}

static void parent(void)
{
	await(0);
	exchange(0, "parent");
	tell(1);
}

int main(int argc, char **argv)
{
	const size_t size = 64U << 10;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int flags = SIGCHLD;
	pid_t pid;

	if (argc == 4)
		return after_exec(argv);
	check(argc == 2);
	settings("'types':['data','socket']");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	check(shared != MAP_FAILED && stack != MAP_FAILED);
	check(!pipe(pipes[0]) && !pipe(pipes[1]));
	own_tables = !strcmp(argv[1], "none");
	if (!own_tables)
		flags |= CLONE_FILES;
	if (!strcmp(argv[1], "memory"))
		flags |= CLONE_VM;
	pid = clone(child, stack + size, flags, strcmp(argv[1], "exec") ? NULL : argv);
	check(pid > 0);
	if (!own_tables)
		parent();
	check(!await_end(pid));
	/* The parent's are those that were there, or are new. */
	if (own_tables)
		open_pair("2", "3");
	if (!strcmp(argv[1], "exec")) {
		check(read(shared->fds[1], got, sizeof(got)) == 8);
		want_data(&shared->conns[1], shared->fds[1], "read", "executed", 8, "");
	}
	exchange(0, "parent again");
	for (int i = 0; i < 2; i++) {
		check(!close(shared->fds[i]));
		want_socket(&shared->conns[i], shared->fds[i], "close", "");
	}
	return 0;
}
