/*
 * A load for benchmarks: two processes on loopback.
 *   pingpong echo SECONDS   64-byte round trips; prints how many a second
 *   pingpong bulk SECONDS   one way, 64 KiB a call; prints bytes a second
 * The parent is the one that is measured; a child is its peer.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void pair(int *ret_a, int *ret_b)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(listener, (struct sockaddr *)&addr, len) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&addr, &len))
		exit(1);
	*ret_a = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(*ret_a, (struct sockaddr *)&addr, len))
		exit(1);
	*ret_b = accept(listener, NULL, NULL);
	close(listener);
	setsockopt(*ret_a, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(*ret_b, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void echo_peer(int fd)
{
	char buf[64];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) < 0)
			break;
	_exit(0);
}

static double echo(int fd, double seconds)
{
	char buf[64] = "sixty-four bytes";
	double start = now(), end;
	long count = 0;

	do {
		for (int i = 0; i < 32; i++, count++)
			if (write(fd, buf, sizeof(buf)) < 0 || read(fd, buf, sizeof(buf)) <= 0)
				exit(1);
		end = now();
	} while (end - start < seconds);
	return (double)count / (end - start);
}

static void bulk_peer(int fd)
{
	static char buf[1 << 18];

	while (read(fd, buf, sizeof(buf)) > 0)
		continue;
	_exit(0);
}

static double bulk(int fd, double seconds)
{
	static char buf[1 << 16];
	double start = now(), end, bytes = 0;
	ssize_t n;

	memset(buf, 'x', sizeof(buf));
	do {
		n = write(fd, buf, sizeof(buf));
		if (n < 0)
			exit(1);
		bytes += (double)n;
		end = now();
	} while (end - start < seconds);
	return bytes / (end - start);
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? atof(argv[2]) : 1;
	int is_bulk = argc > 1 && !strcmp(argv[1], "bulk");
	int ours, theirs;

	pair(&ours, &theirs);
	if (!fork()) {
		close(ours);
		if (is_bulk)
			bulk_peer(theirs);
		echo_peer(theirs);
	}
	close(theirs);
	printf("%.0f\n", is_bulk ? bulk(ours, seconds) : echo(ours, seconds));
	fflush(stdout);
	close(ours);
	wait(NULL);
	return 0;
}
