/* close_range closes many, marks them, or leaves those of others alone. */
#include "expect.h"

#include <errno.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct conn conns[6];
static int fds[6];
static char got[100];

static int range(unsigned int first, unsigned int last, unsigned int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

static void works(int i)
{
	struct sockaddr_storage ss;
	socklen_t len = local_address(fds[i], &ss);

	check(sendto(fds[i], "works", 5, 0, (struct sockaddr *)&ss, len) == 5);
	want("'type':'data','pid':%d,'call':'sendto','fd':%d,'conn':'%s','text':'works'", getpid(),
	     fds[i], conns[i].name);
	check(read(fds[i], got, sizeof(got)) == 5);
	want("'type':'data','pid':%d,'call':'read','fd':%d,'conn':'%s','text':'works'", getpid(),
	     fds[i], conns[i].name);
}

static void is_closed(int i)
{
	check(write(fds[i], "none", 4) == -1 && errno == EBADF);
	want_socket(&conns[i], fds[i], "close", "");
}

/* The child shares the table, gets its own by the call, and closes there. */
static void of_its_own(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	check(pid >= 0);
	if (!pid) {
		works(4);
		check(!range(3, ~0U, CLOSE_RANGE_UNSHARE));
		check(write(fds[4], "none", 4) == -1 && errno == EBADF);
		_exit(0);
	}
	check(!await_end(pid));
}

int main(void)
{
	static const char *const names[] = { "0", "1", "2", "3", "4", "5" };

	settings("'types':['data','socket']");
	for (int i = 0; i < 6; i++) {
		fds[i] = udp_bound(AF_INET);
		conns[i] = conn_of(names[i], fds[i]);
		want("'type':'socket','event':'open','conn':'%s'", names[i]);
		want("'type':'socket','event':'bind','conn':'%s'", names[i]);
	}
	check(fds[5] == fds[0] + 5);
	check(range(10, 9, 0) == -1 && errno == EINVAL);
	check(range((unsigned int)fds[0], (unsigned int)fds[5], CLOSE_RANGE_CLOEXEC) == 0);
	for (int i = 0; i < 6; i++)
		works(i);
	check(range((unsigned int)fds[1], (unsigned int)fds[2], 0) == 0);
	is_closed(1);
	is_closed(2);
	works(0);
	works(3);
	of_its_own();
	for (int i = 3; i < 6; i++)
		works(i);
	check(range((unsigned int)fds[3], (unsigned int)fds[3], CLOSE_RANGE_UNSHARE) == 0);
	is_closed(3);
	check(range((unsigned int)fds[4], ~0U, 0) == 0);
	is_closed(4);
	is_closed(5);
	works(0);
	want_socket(&conns[0], fds[0], "close", "");
	return 0;
}
