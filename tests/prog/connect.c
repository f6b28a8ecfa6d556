/* How a connect ends: at once or later, well or refused. */
#include "expect.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static struct conn conn;

static int opened(const char *name, int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

	check(fd >= 0);
	conn = conn_of(name, fd);
	want_socket(&conn, fd, "open", "");
	return fd;
}

static void closed(int fd)
{
	want("'type':'socket','event':'close','fd':%d,'conn':'%s'", fd, conn.name);
	close(fd);
}

/* Where it was bound to on the way is not said here: it depends on when one asks. */
static void want_connect(int fd, const struct sockaddr_storage *to, const char *error)
{
	char remote[ADDRESS_MAX];

	address_text((const struct sockaddr *)to, sizeof(*to), remote);
	want("'type':'socket','event':'connect','fd':%d,'conn':'%s','proto':'tcp','remote':'%s',"
	     "'error':'%s'",
	     fd, conn.name, remote, error);
}

static int result_of(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	int error = -1;
	socklen_t len = sizeof(error);

	check(poll(&pfd, 1, -1) == 1);
	check(!getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len));
	return error;
}

static void well(const struct sockaddr_storage *to, socklen_t len)
{
	int fd = opened("later", SOCK_NONBLOCK);

	check(connect(fd, (const struct sockaddr *)to, len) == -1 && errno == EINPROGRESS);
	want_connect(fd, to, "EINPROGRESS");
	check(result_of(fd) == 0);
	conn = conn_of("later", fd);
	want_socket(&conn, fd, "connect", "");
	/* It is no news the second time, and no result where nothing was under way. */
	check(result_of(fd) == 0);
	check(write(fd, "up", 2) == 2);
	want_data(&conn, fd, "write", "up", 2, "");
	closed(fd);
}

/* Those who do not ask for SO_ERROR call connect again. */
static void by_second_call(const struct sockaddr_storage *to, socklen_t len)
{
	int fd = opened("second call", SOCK_NONBLOCK);
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	check(connect(fd, (const struct sockaddr *)to, len) == -1 && errno == EINPROGRESS);
	want_connect(fd, to, "EINPROGRESS");
	check(poll(&pfd, 1, -1) == 1);
	check(!connect(fd, (const struct sockaddr *)to, len));
	conn = conn_of("second call", fd);
	want_socket(&conn, fd, "connect", "");
	closed(fd);
}

static void refused_later(const struct sockaddr_storage *to, socklen_t len)
{
	int fd = opened("refused later", SOCK_NONBLOCK);

	check(connect(fd, (const struct sockaddr *)to, len) == -1 && errno == EINPROGRESS);
	want_connect(fd, to, "EINPROGRESS");
	check(result_of(fd) == ECONNREFUSED);
	want_connect(fd, to, "ECONNREFUSED");
	closed(fd);
}

/* The second call, which tells it, resets the kernel's counts: nothing is missing for that. */
static void refused_second_call(const struct sockaddr_storage *to, socklen_t len)
{
	int fd = opened("refused second call", SOCK_NONBLOCK);
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	check(connect(fd, (const struct sockaddr *)to, len) == -1 && errno == EINPROGRESS);
	want_connect(fd, to, "EINPROGRESS");
	check(poll(&pfd, 1, -1) == 1);
	check(connect(fd, (const struct sockaddr *)to, len) == -1 && errno == ECONNREFUSED);
	want_connect(fd, to, "ECONNREFUSED");
	closed(fd);
}

static void refused(const struct sockaddr_storage *to, socklen_t len)
{
	int fd = opened("refused", 0);

	check(connect(fd, (const struct sockaddr *)to, len) == -1 && errno == ECONNREFUSED);
	want_connect(fd, to, "ECONNREFUSED");
	/* The same socket can try again. */
	check(connect(fd, (const struct sockaddr *)to, len) == -1 && errno == ECONNREFUSED);
	want_connect(fd, to, "ECONNREFUSED");
	closed(fd);
}

/* Data on a connection whose result nobody asked for has both its ends. */
static void unasked(const struct sockaddr_storage *to, socklen_t len)
{
	int fd = opened("unasked", SOCK_NONBLOCK);
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	check(connect(fd, (const struct sockaddr *)to, len) == -1 && errno == EINPROGRESS);
	want_connect(fd, to, "EINPROGRESS");
	check(poll(&pfd, 1, -1) == 1);
	conn = conn_of("unasked", fd);
	check(*conn.local && *conn.remote);
	check(write(fd, "data", 4) == 4);
	want_data(&conn, fd, "write", "data", 4, "");
	closed(fd);
}

int main(void)
{
	struct sockaddr_storage open_at, closed_at;
	int listener, holder;
	socklen_t len;

	settings("'types':['data','socket','loss']");
	for (int i = 0; i < 2; i++) {
		want("'type':'socket','event':'open'");
		want("'type':'socket','event':'bind'");
		if (!i)
			want("'type':'socket','event':'listen'");
	}
	listener = tcp_listener(AF_INET);
	len = local_address(listener, &open_at);
	closed_port(&closed_at, &holder);
	well(&open_at, len);
	by_second_call(&open_at, len);
	unasked(&open_at, len);
	refused_later(&closed_at, len);
	refused_second_call(&closed_at, len);
	refused(&closed_at, len);
	want("'type':'socket','event':'close','fd':%d", listener);
	want("'type':'socket','event':'close','fd':%d", holder);
	return 0;
}
