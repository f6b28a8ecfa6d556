/*
 * A load for benchmarks: two processes on loopback.
 *   pingpong echo SECONDS   64-byte round trips; prints how many a second
 *   pingpong bulk SECONDS   one way, 64 KiB a call; prints bytes a second
 *   pingpong count BURSTS [filtered]   64 bytes a call, in bursts that a tracer has time to digest;
 *                           prints nanoseconds a call, of the fastest quarter of the bursts. filtered:
 *                           under a seccomp filter that looks and lets all pass
 * The parent is the one that is measured; a child is its peer.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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

static void filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, instruction_pointer)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfffff000),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x7a700000, 0, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		exit(1);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* What is peeked at stays: no peer has to keep up. */
static double count(int fd, int peer, int bursts)
{
	enum { CALLS = 10000 };
	const struct timespec pause = { .tv_nsec = 40000000 };
	double *took = calloc((size_t)bursts, sizeof(*took)), sum = 0;
	char buf[64] = "sixty-four bytes";
	int best = bursts / 4 ? bursts / 4 : 1;

	if (!took || write(peer, buf, sizeof(buf)) != sizeof(buf))
		exit(1);
	for (int i = 0; i < bursts; i++) {
		nanosleep(&pause, NULL);
		took[i] = now();
		for (int j = 0; j < CALLS; j++)
			if (recv(fd, buf, sizeof(buf), MSG_PEEK) != sizeof(buf))
				exit(1);
		took[i] = (now() - took[i]) / CALLS * 1e9;
	}
	qsort(took, (size_t)bursts, sizeof(*took), by_size);
	for (int i = 0; i < best; i++)
		sum += took[i];
	return sum / best;
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? atof(argv[2]) : 1;
	int is_bulk = argc > 1 && !strcmp(argv[1], "bulk");
	int ours, theirs;

	pair(&ours, &theirs);
	if (argc > 1 && !strcmp(argv[1], "count")) {
		if (argc > 3)
			filter();
		printf("%.1f\n", count(ours, theirs, (int)seconds));
		return 0;
	}
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
