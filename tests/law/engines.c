/*
 * The same bytes on every run, and as much trouble as can be had meanwhile: signals at 10 kHz to all
 * threads, children that come and go, some killed and some ended in the middle of their calls. Arguments:
 * a seed, and the file in which the received streams are left.
 *
 * Stream n is the 12-byte blocks "%04d%08x" of n and 0, 1, 2, ... Children write some, the parent reads.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILDREN    6
#define STREAMS     (2 * CHILDREN + 2) /* two of each child, and two of the parent's own */
#define BLOCK       12
#define STREAM_SIZE (BLOCK * 100000U)
#define THREADS_MAX 64

#define check(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%d: %s: %m\n", __LINE__, #condition); \
			abort();                                               \
		}                                                              \
	} while (0)

enum fate { ENDS, IS_KILLED, EXITS, FATES };

static int ends[STREAMS][2];
static unsigned int seed;
static const char *left;
static atomic_int targets[THREADS_MAX], target_count;
static atomic_bool over;
static atomic_uint handled;

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void handle(int sig)
{
	(void)sig;
	atomic_fetch_add(&handled, 1);
}

static void prepare_signals(void)
{
	static const int signals[] = { SIGUSR1, SIGURG, SIGCHLD };

	for (size_t i = 0; i < 3; i++) {
		struct sigaction action = { .sa_handler = handle };

		/* Go's own and the children's must not be noticed; of the other, half the runs. */
		action.sa_flags = i || seed % 2 ? SA_RESTART : 0;
		check(!sigaction(signals[i], &action, NULL));
	}
}

static void be_target(void)
{
	atomic_store(&targets[atomic_fetch_add(&target_count, 1) % THREADS_MAX],
		     (int)syscall(SYS_gettid));
}

/* One signal each 100 microseconds, to whoever is there; and a child now and then. */
static void *storm(void *arg)
{
	struct timespec at;
	uint32_t state = seed;

	clock_gettime(CLOCK_MONOTONIC, &at);
	for (unsigned int i = 0; !atomic_load(&over); i++) {
		int count = atomic_load(&target_count);
		int tid = count ? atomic_load(&targets[next_random(&state) % (unsigned int)count %
						       THREADS_MAX])
				: 0;

		if (tid)
			syscall(SYS_tgkill, getpid(), tid, i % 3 ? SIGUSR1 : SIGURG);
		if (arg && i % 200 == 100) {
			pid_t pid = fork();

			check(pid >= 0);
			if (!pid)
				_exit(0);
			while (waitpid(pid, NULL, 0) < 0)
				check(errno == EINTR);
		}
		at.tv_nsec += 100000;
		at.tv_sec += at.tv_nsec / 1000000000;
		at.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	}
	return arg;
}

static void make_stream(int number, char *data)
{
	char block[BLOCK + 1];

	for (unsigned int i = 0; i < STREAM_SIZE / BLOCK; i++) {
		snprintf(block, sizeof(block), "%04d%08x", number, i);
		memcpy(data + i * BLOCK, block, BLOCK);
	}
}

static ssize_t send_some(int fd, char *data, size_t len, uint32_t how)
{
	struct iovec pieces[3] = { { data, len / 3 }, { data + len / 3, 0 } };
	struct msghdr msg = { .msg_iov = pieces, .msg_iovlen = 3 };

	pieces[2] = (struct iovec){ data + len / 3, len - len / 3 };
	switch (how % 4) {
	case 0:
		return send(fd, data, len, MSG_NOSIGNAL);
	case 1:
		return writev(fd, pieces, 3);
	case 2:
		return sendmsg(fd, &msg, 0);
	default:
		return write(fd, data, len);
	}
}

static ssize_t receive_some(int fd, char *data, size_t len, uint32_t how)
{
	struct iovec pieces[2] = { { data, len / 2 }, { data + len / 2, len - len / 2 } };
	struct msghdr msg = { .msg_iov = pieces, .msg_iovlen = 2 };

	switch (how % 4) {
	case 0:
		return recv(fd, data, len, how % 3 ? 0 : MSG_WAITALL);
	case 1:
		return readv(fd, pieces, 2);
	case 2:
		return recvmsg(fd, &msg, 0);
	default:
		return read(fd, data, len);
	}
}

static atomic_size_t received[STREAMS], sent[STREAMS];

static void *writer(void *arg)
{
	int number = (int)(intptr_t)arg;
	uint32_t state = seed * 1000 + (unsigned int)number;
	char *data = malloc(STREAM_SIZE);
	size_t at = 0;

	check(data);
	be_target();
	make_stream(number, data);
	while (at < STREAM_SIZE) {
		size_t len = next_random(&state) % (next_random(&state) % 8 ? 3000 : 60000) + 1;
		ssize_t n = send_some(ends[number][0], data + at,
				      len < STREAM_SIZE - at ? len : STREAM_SIZE - at,
				      next_random(&state));

		check(n > 0 || errno == EINTR);
		at += n > 0 ? (size_t)n : 0;
		atomic_store(&sent[number], at);
	}
	/* The other children have it as well. */
	shutdown(ends[number][0], SHUT_WR);
	close(ends[number][0]);
	free(data);
	return NULL;
}

static void *reader(void *arg)
{
	int number = (int)(intptr_t)arg;
	uint32_t state = seed * 2000 + (unsigned int)number;
	char *data = malloc(STREAM_SIZE + 100000), *wanted = malloc(STREAM_SIZE);
	ssize_t n = 1;

	check(data && wanted);
	be_target();
	make_stream(number, wanted);
	while (n) {
		n = receive_some(ends[number][1], data + received[number],
				 next_random(&state) % 20000 + 1, next_random(&state));
		check(n >= 0 || errno == EINTR);
		received[number] += n > 0 ? (size_t)n : 0;
		check(received[number] <= STREAM_SIZE);
	}
	check(!memcmp(data, wanted, received[number]));
	close(ends[number][1]);
	free(data);
	free(wanted);
	return NULL;
}

static pthread_t begin(void *(*run)(void *), int number)
{
	pthread_t thread;

	check(!pthread_create(&thread, NULL, run, (void *)(intptr_t)number));
	return thread;
}

/* Until so much has been moved; some of it, at random. */
static void await_some(atomic_size_t *moved, uint32_t *state)
{
	size_t wanted = next_random(state) % STREAM_SIZE;

	while (atomic_load(moved) < wanted)
		sched_yield();
}

static void child(int number, enum fate fate)
{
	uint32_t state = seed * 3000 + (unsigned int)number;
	pthread_t threads[2];

	for (int i = 0; i < STREAMS; i++) {
		close(ends[i][1]);
		if (i / 2 != number)
			close(ends[i][0]);
	}
	begin(storm, 0);
	threads[0] = begin(writer, 2 * number);
	threads[1] = begin(writer, 2 * number + 1);
	if (fate == EXITS) {
		await_some(&sent[2 * number], &state);
		_exit(3);
	}
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	_exit(0);
}

static void connect_all(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* Little, so that writers have to wait. */
	const int room = 20000;
	socklen_t len = sizeof(address);

	check(!setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)));
	check(!bind(listener, (struct sockaddr *)&address, len) && !listen(listener, STREAMS));
	check(!getsockname(listener, (struct sockaddr *)&address, &len));
	for (int i = 0; i < STREAMS; i++) {
		ends[i][0] = socket(AF_INET, SOCK_STREAM, 0);
		check(!setsockopt(ends[i][0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
		check(!connect(ends[i][0], (struct sockaddr *)&address, len));
		ends[i][1] = accept(listener, NULL, NULL);
		check(ends[i][1] >= 0);
	}
	close(listener);
}

/* Who is to be killed, each at its own random time; the others end. */
static void end_all(const pid_t pids[CHILDREN])
{
	uint32_t state = seed * 4000;

	for (int i = 0; i < CHILDREN; i++)
		if ((enum fate)(i % FATES) == IS_KILLED) {
			await_some(&received[2 * i], &state);
			check(!kill(pids[i], SIGKILL));
		}
	for (int i = 0; i < CHILDREN; i++)
		while (waitpid(pids[i], NULL, 0) < 0)
			check(errno == EINTR);
}

static void leave_sizes(void)
{
	FILE *file = fopen(left, "w");

	check(file);
	for (int i = 0; i < STREAMS; i++)
		fprintf(file, "%zu\n", received[i]);
	check(!fclose(file));
}

int main(int argc, char **argv)
{
	pthread_t threads[STREAMS + 2], stormer;
	pid_t pids[CHILDREN];

	check(argc == 3);
	seed = (unsigned int)atoi(argv[1]);
	left = argv[2];
	prepare_signals();
	connect_all();
	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		check(pids[i] >= 0);
		if (!pids[i])
			child(i, (enum fate)(i % FATES));
		close(ends[2 * i][0]);
		close(ends[2 * i + 1][0]);
	}
	be_target();
	for (int i = 0; i < STREAMS; i++)
		threads[i] = begin(reader, i);
	threads[STREAMS] = begin(writer, STREAMS - 2);
	threads[STREAMS + 1] = begin(writer, STREAMS - 1);
	check(!pthread_create(&stormer, NULL, storm, &over));
	end_all(pids);
	for (int i = 0; i < STREAMS + 2; i++)
		check(!pthread_join(threads[i], NULL));
	atomic_store(&over, true);
	check(!pthread_join(stormer, NULL));
	leave_sizes();
	return 0;
}
