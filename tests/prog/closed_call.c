/*
 * A descriptor that is closed while another thread is blocked in a receive on it, and its number
 * given to a new socket: what the call then receives is the old socket's.
 */
#include "expect.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fds[2];
static struct conn conns[2];
static atomic_int receiver;

static void *receives(void *arg)
{
	char got[100];

	atomic_store(&receiver, (int)syscall(SYS_gettid));
	check(read(fds[1], got, sizeof(got)) == 4);
	want_data(&conns[1], fds[1], "read", "late", 4, "");
	return arg;
}

int main(void)
{
	struct conn conn;
	pthread_t thread;
	int fd;

	settings("'per':'tid'");
	tcp_pair(AF_INET, fds);
	conns[0] = conn_of("0", fds[0]);
	conns[1] = conn_of("1", fds[1]);
	check(write(fds[1], "first", 5) == 5);
	want_data(&conns[1], fds[1], "write", "first", 5, "");
	check(!pthread_create(&thread, NULL, receives, NULL));
	while (!atomic_load(&receiver))
		continue;
	await_blocked(atomic_load(&receiver));
	check(!close(fds[1]));
	fd = dup2(udp_bound(AF_INET), fds[1]);
	check(fd == fds[1]);
	conn = conn_of("new", fd);
	check(write(fds[0], "late", 4) == 4);
	want_data(&conns[0], fds[0], "write", "late", 4, "");
	check(!pthread_join(thread, NULL));
	check(write(fd, "x", 1) == -1);
	want_error(&conn, fd, "write", "EDESTADDRREQ", "");
	return 0;
}
