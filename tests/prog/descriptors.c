/*
 * Descriptors come and go, sockets stay: a socket is closed with its last descriptor, and a number
 * that is used again is another thing.
 */
#include "expect.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char message[] = "through it";
static char got[100];

static int opened(const char *name, struct conn *conn)
{
	int fd = udp_bound(AF_INET);

	*conn = conn_of(name, fd);
	want("'type':'socket','event':'open','fd':%d,'conn':'%s'", fd, name);
	want("'type':'socket','event':'bind','fd':%d,'conn':'%s'", fd, name);
	return fd;
}

/* To itself, by fd: it is this socket. */
static void works(const struct conn *conn, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = local_address(fd, &ss);

	check(sendto(fd, message, 10, 0, (struct sockaddr *)&ss, len) == 10);
	want("'type':'data','call':'sendto','fd':%d,'conn':'%s','local':'%s','remote':'%s',"
	     "'text':'%s'",
	     fd, conn->name, conn->local, conn->local, message);
	check(read(fd, got, sizeof(got)) == 10);
	want("'type':'data','call':'read','fd':%d,'conn':'%s','local':'%s','text':'%s'", fd,
	     conn->name, conn->local, message);
}

static void closed(const struct conn *conn, int fd)
{
	check(!close(fd));
	want_socket(conn, fd, "close", "");
}

static void copies(void)
{
	struct conn conn;
	int fd = opened("copied", &conn), copy[5];

	copy[0] = dup(fd);
	copy[1] = dup2(fd, 50);
	copy[2] = dup3(fd, 60, O_CLOEXEC);
	copy[3] = fcntl(fd, F_DUPFD, 70);
	copy[4] = fcntl(fd, F_DUPFD_CLOEXEC, 80);
	for (int i = 0; i < 5; i++) {
		check(copy[i] > fd);
		works(&conn, copy[i]);
	}
	check(dup2(fd, fd) == fd);
	check(dup3(fd, fd, 0) == -1 && errno == EINVAL);
	check(dup2(fd, -1) == -1 && errno == EBADF);
	works(&conn, fd);
	check(!close(fd));
	check(close(fd) == -1 && errno == EBADF);
	for (int i = 0; i < 4; i++) {
		check(!close(copy[i]));
		works(&conn, copy[4]);
	}
	closed(&conn, copy[4]);
}

static int copy_by(int way, int fd)
{
	switch (way) {
	case 0:
		return dup(fd);
	case 1:
		return dup2(fd, 50);
	case 2:
		return dup3(fd, 50, O_CLOEXEC);
	case 3:
		return fcntl(fd, F_DUPFD, 50);
	default:
		return fcntl(fd, F_DUPFD_CLOEXEC, 50);
	}
}

/* The copy is used for the first time when the original is gone. */
static void outlived(void)
{
	static const char *const names[] = { "dup", "dup2", "dup3", "F_DUPFD", "F_DUPFD_CLOEXEC" };

	for (int way = 0; way < 5; way++) {
		struct conn conn;
		int fd = opened(names[way], &conn), copy = copy_by(way, fd);

		check(copy >= 0 && !close(fd));
		works(&conn, copy);
		closed(&conn, copy);
	}
}

/* dup2 closes what was there. */
static void onto_others(void)
{
	struct conn first, second, third;
	int fd = opened("onto", &first), other = opened("under", &second), file, copy;

	/* Of a socket with another descriptor: it lives on. */
	copy = dup(other);
	check(dup2(fd, other) == other);
	works(&first, other);
	works(&second, copy);
	/* Of the last one. */
	check(dup2(fd, copy) == copy);
	want_socket(&second, copy, "close", "");
	works(&first, copy);
	check(!close(copy) && !close(other));

	/* A file onto a socket, by both calls. */
	file = open("/dev/null", O_RDWR);
	check(dup3(file, fd, O_CLOEXEC) == fd);
	want_socket(&first, fd, "close", "");
	check(write(fd, message, 10) == 10 && !read(fd, got, sizeof(got)));
	other = opened("under a file", &third);
	check(dup2(file, other) == other);
	want_socket(&third, other, "close", "");
	check(write(other, message, 10) == 10);
	/* A socket onto a file. */
	copy = opened("onto a file", &second);
	check(dup2(copy, other) == other);
	works(&second, other);
	check(!close(copy));
	/* What fails closes nothing. */
	check(dup2(99, other) == -1 && errno == EBADF);
	works(&second, other);
	closed(&second, other);
	check(!close(file) && !close(fd));
}

static void used_again(void)
{
	struct conn conn;
	int fd = opened("before", &conn), again;

	works(&conn, fd);
	closed(&conn, fd);
	again = open("/proc/self/status", O_RDONLY);
	check(again == fd && read(again, got, sizeof(got)) == sizeof(got));
	check(!close(again));
	again = open("/dev/null", O_WRONLY);
	check(again == fd && write(again, message, 10) == 10);
	check(!close(again));
	again = opened("after", &conn);
	check(again == fd);
	works(&conn, again);
	closed(&conn, again);
}

int main(void)
{
	settings("'types':['data','socket']");
	copies();
	outlived();
	onto_others();
	used_again();
	return 0;
}
