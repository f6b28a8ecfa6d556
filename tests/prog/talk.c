/*
 * Something to trace for cli.py.
 *
 * talk COUNT STATUS [FILE]   moves COUNT messages each way, prints, makes FILE, ends with STATUS
 * wait [SIGNAL]              says so, then until standard input ends; SIGNAL: ends with 3 by it
 * ignore SIGNAL              as wait, and does not care
 * pause                      prints its number and is there until it is killed
 * discard                    receives bytes that nobody can show, ends with 4
 * fds FILE                   writes there which descriptors are open
 */
#include "expect.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void talk(int count, const char *file)
{
	char text[32], got[32];
	int fds[2], n;

	tcp_pair(AF_INET, fds);
	for (int i = 0; i < count; i++) {
		n = snprintf(text, sizeof(text), "hello %d\n", i);
		check(write(fds[0], text, (size_t)n) == n);
		check(read(fds[1], got, sizeof(got)) == n);
	}
	if (file)
		check(!close(open(file, O_WRONLY | O_CREAT, 0600)));
	printf("said on standard output\n");
	fflush(stdout);
	fprintf(stderr, "said on standard error\n");
}

static void end(int sig)
{
	(void)sig;
	_exit(3);
}

static int wait_for_end(void)
{
	char byte;

	talk(1, NULL);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	return 0;
}

static int discard(void)
{
	int fds[2];
	char byte;

	tcp_pair(AF_INET, fds);
	check(write(fds[0], "gone", 4) == 4);
	check(recv(fds[1], &byte, 4, MSG_TRUNC) == 4);
	return 4;
}

static int list_descriptors(const char *file)
{
	char line[64 * 4] = "";
	int fd;

	for (int i = 0; i < 64; i++)
		if (fcntl(i, F_GETFD) >= 0)
			sprintf(line + strlen(line), "%d ", i);
	fd = open(file, O_WRONLY | O_CREAT, 0600);
	check(fd >= 0);
	check(write(fd, line, strlen(line)) == (ssize_t)strlen(line));
	return 0;
}

int main(int argc, char **argv)
{
	check(argc >= 2);
	if (!strcmp(argv[1], "fds"))
		return list_descriptors(argv[2]);
	if (!strcmp(argv[1], "pause")) {
		printf("%d\n", getpid());
		fflush(stdout);
		return pause();
	}
	if (!strcmp(argv[1], "discard"))
		return discard();
	if (!strcmp(argv[1], "talk")) {
		talk(atoi(argv[2]), argv[4]);
		return atoi(argv[3]);
	}
	if (argc > 2)
		signal(atoi(argv[2]), strcmp(argv[1], "ignore") ? end : SIG_IGN);
	return wait_for_end();
}
