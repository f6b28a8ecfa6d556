/* A thousand threads at once, each with its own connection. */
#include "expect.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define THREADS 1000

static struct sockaddr_storage ss;
static socklen_t len;
static pthread_barrier_t barrier;
static char names[THREADS][16];

static void *one(void *arg)
{
	const char *name = arg;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct conn conn;
	char text[32];
	int n;

	check(fd >= 0 && !connect(fd, (struct sockaddr *)&ss, len));
	conn = conn_of(name, fd);
	/* All have theirs before anybody writes. */
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 2; i++) {
		n = snprintf(text, sizeof(text), "%s, %d\n", name, i);
		check(write(fd, text, (size_t)n) == n);
		want_data(&conn, fd, "write", text, (size_t)n, "");
	}
	check(!close(fd));
	return NULL;
}

static void read_all(int listener, const char *name)
{
	int fd = accept(listener, NULL, NULL);
	struct conn conn;
	char got[100];
	ssize_t n;

	check(fd >= 0);
	conn = conn_of(name, fd);
	while ((n = read(fd, got, sizeof(got))) > 0)
		want_data(&conn, fd, "read", got, (size_t)n, "");
	check(!n);
	want_data(&conn, fd, "read", "", 0, "'flags':['eof']");
	check(!close(fd));
}

int main(void)
{
	static pthread_t threads[THREADS];
	static char accepted[THREADS][16];
	struct rlimit limit;
	pthread_attr_t attr;
	int listener;

	settings("'per':'tid'");
	check(!getrlimit(RLIMIT_NOFILE, &limit));
	if (limit.rlim_cur < THREADS + 100) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur < THREADS + 100)
			skip("not enough descriptors allowed");
	}
	listener = tcp_listener(AF_INET);
	check(!listen(listener, THREADS));
	len = local_address(listener, &ss);
	check(!pthread_barrier_init(&barrier, NULL, THREADS));
	check(!pthread_attr_init(&attr));
	check(!pthread_attr_setstacksize(&attr, 128U << 10));
	for (int i = 0; i < THREADS; i++) {
		snprintf(names[i], sizeof(names[i]), "thread %d", i);
		if (pthread_create(&threads[i], &attr, one, names[i]))
			skip("not enough threads allowed");
	}
	for (int i = 0; i < THREADS; i++) {
		snprintf(accepted[i], sizeof(accepted[i]), "accepted %d", i);
		read_all(listener, accepted[i]);
	}
	for (int i = 0; i < THREADS; i++)
		check(!pthread_join(threads[i], NULL));
	want("'type':'end','connections':%d", 2 * THREADS);
	return 0;
}
