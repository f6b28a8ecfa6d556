/* Very many children, each of which sends one datagram and ends. */
#include "expect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE 20

static void one(const struct conn *conn, int fd, int number)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "child %d", number);

	check(write(fd, text, (size_t)n) == n);
	want_data(conn, fd, "write", text, (size_t)n, "");
	_exit(number & 0x7f);
}

int main(void)
{
	const char *scale = getenv("IOTRACE_TEST_SCALE");
	int children = scale && atoi(scale) >= 100 ? 10000 : 300;
	struct conn conns[2];
	pid_t pids[AT_ONCE];
	char got[100];
	int fds[2];
	ssize_t n;

	settings("'per':'pid'");
	udp_pair(AF_INET, fds);
	conns[0] = conn_of("children", fds[0]);
	conns[1] = conn_of("parent", fds[1]);
	for (int i = 0; i < children; i += AT_ONCE) {
		for (int j = 0; j < AT_ONCE; j++) {
			pids[j] = fork();
			check(pids[j] >= 0);
			if (!pids[j])
				one(&conns[0], fds[0], i + j);
		}
		for (int j = 0; j < AT_ONCE; j++) {
			n = read(fds[1], got, sizeof(got));
			check(n > 0);
			want_data(&conns[1], fds[1], "read", got, (size_t)n, "");
		}
		for (int j = 0; j < AT_ONCE; j++)
			check(await_end(pids[j]) == ((i + j) & 0x7f) << 8);
	}
	return 0;
}
