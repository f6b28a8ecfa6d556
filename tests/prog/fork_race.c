/*
 * A process that forks in one thread while other threads open its first sockets: what the child has
 * got of them, it uses, and all of it is seen. Again and again, in processes that had none before; with
 * the argument `files` in such as had one, and in which the sockets get the numbers of what were files.
 */
#include "expect.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS  80
#define OPENERS 6

static struct sockaddr_storage anywhere;
static socklen_t anywhere_len;
static pthread_barrier_t barrier;
static int first_free;

/* No local port is known, as it is given just now. */
static void use(int round, int fd, const char *text)
{
	check(sendto(fd, text, 5, 0, (struct sockaddr *)&anywhere, anywhere_len) == 5);
	want("'type':'data','pid':%d,'fd':%d,'conn':'%d of %d','call':'sendto','text':'%s'",
	     getpid(), fd, fd, round, text);
}

static void *opens(void *arg)
{
	pthread_barrier_wait(&barrier);
	check(socket(AF_INET, SOCK_DGRAM, 0) >= first_free);
	return arg;
}

static void child(int round)
{
	int type;
	socklen_t len = sizeof(type);

	for (int fd = first_free; fd < first_free + OPENERS; fd++)
		if (!getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len))
			use(round, fd, "child");
	_exit(0);
}

static void *forks(void *arg)
{
	int round = *(int *)arg;
	pid_t pid;

	pthread_barrier_wait(&barrier);
	for (volatile int i = 0; i < round * 1000; i++)
		continue;
	pid = fork();
	check(pid >= 0);
	if (!pid)
		child(round);
	check(!await_end(pid));
	return NULL;
}

/* Behind the first call that moves bytes, so that files are known, and stay known when they are closed. */
static void use_numbers(int round)
{
	char byte;
	int socket_fd = udp_bound(AF_INET);

	use(round, socket_fd, "first");
	first_free = socket_fd + 1;
	for (int fd = first_free; fd < first_free + OPENERS; fd++)
		check(open("/dev/zero", O_RDONLY) == fd && read(fd, &byte, 1) == 1);
	for (int fd = first_free; fd < first_free + OPENERS; fd++)
		check(!close(fd));
}

static void one(int round, bool files)
{
	pthread_t threads[OPENERS + 1];

	if (files)
		use_numbers(round);
	check(!pthread_barrier_init(&barrier, NULL, OPENERS + 1));
	for (int i = 0; i < OPENERS; i++)
		check(!pthread_create(&threads[i], NULL, opens, NULL));
	check(!pthread_create(&threads[OPENERS], NULL, forks, &round));
	for (int i = 0; i <= OPENERS; i++)
		check(!pthread_join(threads[i], NULL));
	for (int i = 0; i < OPENERS; i++)
		use(round, first_free + i, "opens");
	_exit(0);
}

int main(int argc, char **argv)
{
	pid_t pid;

	settings("'per':'pid'");
	anywhere_len = loopback(AF_INET, 9, &anywhere);
	first_free = dup(0);
	close(first_free);
	for (int i = 0; i < ROUNDS; i++) {
		pid = fork();
		check(pid >= 0);
		if (!pid)
			one(i, argc > 1 && !strcmp(argv[1], "files"));
		check(!await_end(pid));
	}
	return 0;
}
