/*
 * A program that gets its connection from who starts it: on descriptors 0 and 1, as under inetd, or
 * on 7. run.py is the other end. Argument: inetd, number, connected (its end has connected), before
 * (bytes were moved on it already), or child (the child is the first to use it).
 */
#include "expect.h"

#include <string.h>
#include <unistd.h>

static char got[100];

static void want_found(const struct conn *conn, int fd)
{
	want_socket(conn, fd, "found", "");
}

/* What was moved before cannot be shown: it is said. */
static void want_loss(const struct conn *conn, int fd)
{
	want("'type':'loss','reason':'before-attach','conn':'%s','fd':%d,'bytes':1234", conn->name,
	     fd);
}

static void hear(const struct conn *conn, int fd)
{
	size_t at = 0;
	ssize_t n;

	while (!memchr(got, '\n', at)) {
		n = read(fd, got + at, sizeof(got) - at);
		check(n > 0);
		want_data(conn, fd, "read", got + at, (size_t)n, "");
		at += (size_t)n;
	}
	check(at == 19 && !memcmp(got, "hello from outside\n", at));
}

static void answer(const struct conn *conn, int fd, const char *text)
{
	check(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	want_data(conn, fd, "write", text, strlen(text), "");
}

static void by_child(const struct conn *conn, int fd)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid) {
		want_found(conn, fd);
		hear(conn, fd);
		answer(conn, fd, "child\n");
		_exit(0);
	}
	check(!await_end(pid));
	answer(conn, fd, "parent\n");
}

int main(int argc, char **argv)
{
	int in = 7, out = 7;
	struct conn conn;

	check(argc == 2);
	settings("'types':['data','socket'],'stderr':'%s'",
		 strcmp(argv[1], "before") ? "^$" : "before-attach");
	if (!strcmp(argv[1], "inetd")) {
		in = 0;
		out = 1;
	}
	conn = conn_of("inherited", in);
	check(!strcmp(conn_of("inherited", out).remote, conn.remote));
	if (!strcmp(argv[1], "child")) {
		by_child(&conn, in);
	} else {
		want_found(&conn, in);
		if (!strcmp(argv[1], "before"))
			want_loss(&conn, in);
		hear(&conn, in);
		answer(&conn, out, "hello from inside\n");
	}
	if (out != in)
		check(!close(in));
	check(!close(out));
	want_socket(&conn, out, "close", "");
	return 0;
}
