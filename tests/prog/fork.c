/* A forked child has the parent's sockets, and from then on a table of its own. */
#include "expect.h"

#include <string.h>
#include <unistd.h>

static char got[100];

static void says(const struct conn *conn, int fd, const char *text)
{
	check(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	want_data(conn, fd, "write", text, strlen(text), "");
}

static void hears(const struct conn *conn, int fd, const char *text)
{
	check(read(fd, got, sizeof(got)) == (ssize_t)strlen(text));
	want_data(conn, fd, "read", text, strlen(text), "");
}

static void want_event(const char *event, int fd, const char *name)
{
	want("'type':'socket','pid':%d,'event':'%s','fd':%d,'conn':'%s'", getpid(), event, fd,
	     name);
}

/* Its own socket has the number that the parent gives to another one. */
static void grandchild(const struct conn *conn, int fd)
{
	int own;

	says(conn, fd, "grandchild");
	own = udp_bound(AF_INET);
	want_event("open", own, "grandchild");
	want_event("bind", own, "grandchild");
	check(write(own, "nobody", 6) == -1);
	want("'type':'data','fd':%d,'conn':'grandchild','error':'EDESTADDRREQ'", own);
	/* By its end. */
	want_event("close", own, "grandchild");
	_exit(0);
}

static void child(const struct conn conns[2], int fds[2])
{
	pid_t pid;

	says(&conns[0], fds[0], "child");
	/* The parent has it still. */
	check(!close(fds[0]));
	pid = fork();
	check(pid >= 0);
	if (!pid)
		grandchild(&conns[1], fds[1]);
	check(!await_end(pid));
	_exit(0);
}

int main(void)
{
	struct conn conns[2], own;
	int fds[2], fd;
	pid_t pid;

	settings("'types':['data','socket']");
	udp_pair(AF_INET, fds);
	conns[0] = conn_of("0", fds[0]);
	conns[1] = conn_of("1", fds[1]);
	for (int i = 0; i < 2; i++) {
		want_event("open", fds[i], conns[i].name);
		want_event("bind", fds[i], conns[i].name);
	}
	want_event("connect", fds[0], "0");
	want_event("connect", fds[1], "1");
	says(&conns[0], fds[0], "parent");
	hears(&conns[1], fds[1], "parent");
	pid = fork();
	check(pid >= 0);
	if (!pid)
		child(conns, fds);
	check(!await_end(pid));
	hears(&conns[1], fds[1], "child");
	hears(&conns[0], fds[0], "grandchild");
	fd = udp_bound(AF_INET);
	own = conn_of("parent", fd);
	want_event("open", fd, own.name);
	want_event("bind", fd, own.name);
	says(&conns[0], fds[0], "parent again");
	hears(&conns[1], fds[1], "parent again");
	for (int i = 0; i < 2; i++) {
		check(!close(fds[i]));
		want_event("close", fds[i], conns[i].name);
	}
	want_event("close", fd, own.name);
	return 0;
}
