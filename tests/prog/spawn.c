/*
 * Sockets that another program inherits: by vfork and exec, posix_spawn, fork and exec. The program
 * itself plays the other one: with the descriptor and the socket's name as arguments.
 */
#include "expect.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static char got[100];
static char number[16];

static int other_program(int fd, const char *name)
{
	struct conn conn = conn_of(name, fd);

	check(read(fd, got, sizeof(got)) == 3);
	want_data(&conn, fd, "read", got, 3, "");
	check(write(fd, "well", 4) == 4);
	want_data(&conn, fd, "write", "well", 4, "");
	return 5;
}

static void exec_on(char *self, int fd, char *name)
{
	char *argv[] = { self, number, name, NULL };

	snprintf(number, sizeof(number), "%d", fd);
	execve("/proc/self/exe", argv, environ);
	_exit(98);
}

static pid_t by_vfork(char *self, int fd, int other)
{
	pid_t pid = vfork();

	if (!pid) {
		/* Its table is its own, though its memory is not. */
		close(other);
		exec_on(self, fd, "vfork");
	}
	return pid;
}

static pid_t by_fork(char *self, int fd, int other)
{
	pid_t pid = fork();

	if (!pid) {
		close(other);
		dup2(fd, 40);
		close(fd);
		exec_on(self, 40, "fork");
	}
	return pid;
}

static pid_t by_spawn(char *self, int fd, int other)
{
	static char zero[] = "0", name[] = "spawn";
	char *argv[] = { self, zero, name, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	/* As servers do it: the connection is standard input. */
	check(!posix_spawn_file_actions_init(&actions));
	check(!posix_spawn_file_actions_adddup2(&actions, fd, 0));
	check(!posix_spawn_file_actions_addclose(&actions, fd));
	check(!posix_spawn_file_actions_addclose(&actions, other));
	check(!posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ));
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static void converse(char *self, const char *const names[2], pid_t (*start)(char *, int, int))
{
	struct conn conn;
	int fds[2];
	pid_t pid;

	tcp_pair(AF_INET, fds);
	conn = conn_of(names[0], fds[0]);
	check(write(fds[0], "go!", 3) == 3);
	want_data(&conn, fds[0], "write", "go!", 3, "");
	pid = start(self, fds[1], fds[0]);
	check(pid > 0);
	check(await_end(pid) == 5 << 8);
	check(read(fds[0], got, sizeof(got)) == 4);
	want_data(&conn, fds[0], "read", "well", 4, "");
	/* The other program was not the last to have it. */
	conn = conn_of(names[1], fds[1]);
	check(write(fds[1], "still", 5) == 5);
	want_data(&conn, fds[1], "write", "still", 5, "");
	check(!close(fds[0]) && !close(fds[1]));
}

int main(int argc, char **argv)
{
	static const char *const by[][2] = { { "for vfork", "vfork" },
					     { "for fork", "fork" },
					     { "for spawn", "spawn" } };

	if (argc == 3)
		return other_program(atoi(argv[1]), argv[2]);
	converse(argv[0], by[0], by_vfork);
	converse(argv[0], by[1], by_fork);
	converse(argv[0], by[2], by_spawn);
	return 0;
}
