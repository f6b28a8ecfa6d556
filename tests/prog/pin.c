/*
 * --pin: on one processor, and the program does not see it: what it asks for and sets is what it
 * would be alone.
 */
#include "expect.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

static cpu_set_t first;

/* The mask as the kernel gives it, and the length of its answer. */
static void show(const char *whose, pid_t tid)
{
	unsigned char mask[sizeof(cpu_set_t)];
	char text[2 * 16 + 1] = "";
	long len;

	memset(mask, 0xee, sizeof(mask));
	errno = 0;
	len = syscall(SYS_sched_getaffinity, tid, sizeof(mask), mask);
	for (int i = 0; i < 16; i++)
		sprintf(text + 2 * i, "%02x", mask[i]);
	same("%s: %ld %s %d, next %02x", whose, len, text, errno, len > 0 ? mask[len] : 0);
}

static void set(const char *whose, pid_t tid, const cpu_set_t *mask, size_t len)
{
	long ret;

	errno = 0;
	ret = syscall(SYS_sched_setaffinity, tid, len, mask);
	same("set %s: %ld %d", whose, ret, errno);
}

/* Under iotrace (who traces is told here), and only there, it is on one processor. */
static void check_pinned(void)
{
	char line[4096];
	bool traced = false, pinned = false;
	FILE *status = fopen("/proc/self/status", "r");
	int cpus;

	check(status);
	while (fgets(line, sizeof(line), status)) {
		if (sscanf(line, "TracerPid: %d", &cpus) == 1)
			traced = cpus != 0;
		if (!strncmp(line, "Cpus_allowed_list:", 18))
			pinned = !strpbrk(line + 18, ",-");
	}
	fclose(status);
	check(!traced || pinned);
}

static void *thread_main(void *arg)
{
	show("thread", 0);
	set("thread", 0, &first, sizeof(first));
	show("thread, set", 0);
	return arg;
}

static void children(void)
{
	int pipes[2];
	pid_t pid;
	char byte;

	check(!pipe(pipes));
	pid = fork();
	check(pid >= 0);
	if (!pid) {
		close(pipes[1]);
		check(!read(pipes[0], &byte, 1));
		show("child", 0);
		_exit(0);
	}
	show("child from outside", pid);
	set("child from outside", pid, &first, sizeof(first));
	show("child from outside, set", pid);
	close(pipes[1]);
	check(!await_end(pid));
	show("nobody", pid);
	set("nobody", pid, &first, sizeof(first));
}

/* Another program inherits it. */
static void ask_nproc(void)
{
	FILE *nproc = popen("nproc", "r");
	int count = -1;

	check(nproc);
	if (fscanf(nproc, "%d", &count) != 1)
		count = -1;
	same("nproc: %d, status %d", count, pclose(nproc));
}

static void errors(const cpu_set_t *all)
{
	cpu_set_t none;
	long ret;
	unsigned char byte;

	CPU_ZERO(&none);
	set("none", 0, &none, sizeof(none));
	set("bad pointer", 0, (const cpu_set_t *)((const char *)page_end(1) + 1), 128);
	set("short", 0, all, 1);
	show("after short", 0);
	set("all", 0, all, sizeof(*all));
	check_pinned();
	errno = 0;
	ret = syscall(SYS_sched_getaffinity, 0, (size_t)1, &byte);
	same("one byte: %ld %d", ret, errno);
	ret = syscall(SYS_sched_getaffinity, 0, (size_t)128, (char *)page_end(1) + 1);
	same("bad pointer: %ld %d", ret, errno);
}

int main(void)
{
	cpu_set_t all;
	pthread_t thread;
	struct conn conn;
	int fds[2];

	settings("'options':['--pin']");
	check(!sched_getaffinity(0, sizeof(all), &all));
	CPU_ZERO(&first);
	for (size_t i = 0; i < CPU_SETSIZE && !CPU_COUNT(&first); i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &first);
	udp_pair(AF_INET, fds);
	conn = conn_of("0", fds[0]);
	check(write(fds[0], "pinned", 6) == 6);
	want_data(&conn, fds[0], "write", "pinned", 6, "");
	check_pinned();
	same("%d of %d processors, %ld online", CPU_COUNT(&all), get_nprocs(),
	     sysconf(_SC_NPROCESSORS_ONLN));
	show("main", 0);
	show("main by number", getpid());
	check(!pthread_create(&thread, NULL, thread_main, NULL));
	check(!pthread_join(thread, NULL));
	show("main, after thread", 0);
	ask_nproc();
	children();
	errors(&all);
	set("main", 0, &first, sizeof(first));
	show("main, set", 0);
	ask_nproc();
	check_pinned();
	return 0;
}
