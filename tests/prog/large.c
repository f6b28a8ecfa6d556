/* Blocking calls that move megabytes, against a thread that reads in pieces of its own. */
#include "expect.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SIZE (3U << 20)

static int fds[2];
static struct conn conns[2];
static char *data, *got;

static void *reader(void *arg)
{
	ssize_t n;

	(void)arg;
	while ((n = read(fds[1], got, 100000)) > 0)
		want_data(&conns[1], fds[1], "read", got, (size_t)n, "");
	check(!n);
	want_data(&conns[1], fds[1], "read", "", 0, "'flags':['eof']");
	return NULL;
}

static void moved(const char *call, long ret)
{
	check(ret == SIZE);
	want_data(&conns[0], fds[0], call, data, SIZE, "");
}

int main(void)
{
	struct iovec iov[64];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 64 };
	pthread_t thread;

	settings("'per':'tid'");
	data = malloc(SIZE);
	got = malloc(SIZE);
	check(data && got);
	fill(data, SIZE, 2);
	for (size_t i = 0; i < 64; i++)
		iov[i] = (struct iovec){ data + i * (SIZE / 64), SIZE / 64 };
	tcp_pair(AF_INET6, fds);
	conns[0] = conn_of("out", fds[0]);
	conns[1] = conn_of("in", fds[1]);
	check(!pthread_create(&thread, NULL, reader, NULL));
	moved("write", write(fds[0], data, SIZE));
	moved("sendto", send(fds[0], data, SIZE, 0));
	moved("writev", writev(fds[0], iov, 64));
	moved("sendmsg", sendmsg(fds[0], &msg, 0));
	check(!shutdown(fds[0], SHUT_WR));
	check(!pthread_join(thread, NULL));

	/* And received at once: all of it has to be there first. */
	check(!pthread_create(&thread, NULL, reader, NULL));
	check(!pthread_join(thread, NULL));
	return 0;
}
