/*
 * Root that becomes an ordinary user, or gives up the capability that filters need, before it
 * opens its first socket. Argument: the call.
 */
#include "expect.h"

#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

static char got[10];

static void no_admin(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	check(!syscall(SYS_capget, &head, data));
	data[0].effective &= ~(1U << CAP_SYS_ADMIN);
	data[0].permitted &= ~(1U << CAP_SYS_ADMIN);
	data[0].inheritable &= ~(1U << CAP_SYS_ADMIN);
	check(!syscall(SYS_capset, &head, data));
}

static void exchange(void)
{
	struct conn conn;
	int fds[2];

	tcp_pair(AF_INET, fds);
	conn = conn_of("0", fds[0]);
	check(write(fds[0], "without", 7) == 7);
	want_data(&conn, fds[0], "write", "without", 7, "");
	conn = conn_of("1", fds[1]);
	check(read(fds[1], got, 10) == 7);
	want_data(&conn, fds[1], "read", "without", 7, "");
}

static void *waits(void *arg)
{
	pthread_barrier_wait(arg);
	pthread_barrier_wait(arg);
	exchange();
	return NULL;
}

/* glibc lets every thread make the call. */
static void with_thread(void)
{
	pthread_barrier_t barrier;
	pthread_t thread;

	check(!pthread_barrier_init(&barrier, NULL, 2));
	check(!pthread_create(&thread, NULL, waits, &barrier));
	pthread_barrier_wait(&barrier);
	check(!setuid(NOBODY));
	pthread_barrier_wait(&barrier);
	check(!pthread_join(thread, NULL));
}

int main(int argc, char **argv)
{
	pid_t pid;

	check(argc == 2);
	if (getuid())
		skip("only root has something to drop");
	if (!strcmp(argv[1], "setuid")) {
		check(!setgroups(0, NULL) && !setgid(NOBODY) && !setuid(NOBODY));
	} else if (!strcmp(argv[1], "setreuid")) {
		check(!setreuid(NOBODY, NOBODY));
	} else if (!strcmp(argv[1], "setresuid")) {
		check(!setresuid(NOBODY, NOBODY, NOBODY));
	} else if (!strcmp(argv[1], "capset")) {
		no_admin();
	} else if (!strcmp(argv[1], "thread")) {
		with_thread();
		return 0;
	} else {
		/* Servers do it in a child. */
		pid = fork();
		check(pid >= 0);
		if (pid)
			return await_end(pid);
		check(!setuid(NOBODY));
	}
	check(strcmp(argv[1], "capset") || getuid() == 0);
	exchange();
	return 0;
}
