/* A program that dies of SIGPIPE: its last call is an event, too. */
#include "expect.h"

#include <string.h>
#include <unistd.h>

int main(void)
{
	struct conn conn;
	int fds[2];

	settings("'types':['data','process']");
	want("'type':'process','event':'start'");
	tcp_pair(AF_INET, fds);
	conn = conn_of("pipe", fds[0]);
	check(write(fds[0], "last words", 10) == 10);
	want_data(&conn, fds[0], "write", "last words", 10, "");
	check(!shutdown(fds[0], SHUT_WR));
	want_error(&conn, fds[0], "write", "EPIPE", "");
	want("'type':'process','pid':%d,'event':'exit','signal':13", getpid());
	check(write(fds[0], "no more", 7) != 7);
	return 3;
}
