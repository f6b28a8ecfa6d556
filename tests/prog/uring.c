/*
 * Bytes that io_uring moves: a note, and a loss of just so many. Argument: ring; fallback, where iotrace
 * makes io_uring_setup fail and the program does what it can without: nothing is missing then. accepted,
 * left, renumbered: sockets that a ring has made, which are closed, left open, or closed by the ring,
 * too. passed, before: the ring was made elsewhere, or before iotrace came (run.py --late).
 */
#include "expect.h"

#include <errno.h>
#include <liburing.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIZE  5000
#define TIMES 4

static struct io_uring ring;
static char data[SIZE], got[SIZE];

static void await_done(void)
{
	struct io_uring_cqe *cqe;

	check(io_uring_submit(&ring) == 1);
	check(!io_uring_wait_cqe(&ring, &cqe) && cqe->res == SIZE);
	io_uring_cqe_seen(&ring, cqe);
}

static void by_ring(int fds[2])
{
	io_uring_prep_send(io_uring_get_sqe(&ring), fds[0], data, SIZE, 0);
	await_done();
	io_uring_prep_recv(io_uring_get_sqe(&ring), fds[1], got, SIZE, MSG_WAITALL);
	await_done();
}

static void by_calls(const struct conn *conns, int fds[2])
{
	check(send(fds[0], data, SIZE, 0) == SIZE);
	want_data(&conns[0], fds[0], "sendto", data, SIZE, "");
	check(recv(fds[1], got, SIZE, MSG_WAITALL) == SIZE);
	want_data(&conns[1], fds[1], "recvfrom", data, SIZE, "");
}

static int ring_result(void)
{
	struct io_uring_cqe *cqe;
	int result;

	check(io_uring_submit(&ring) == 1);
	check(!io_uring_wait_cqe(&ring, &cqe));
	result = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return result;
}

static int connected(int listener)
{
	struct sockaddr_storage ss;
	socklen_t len = local_address(listener, &ss);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	check(fd >= 0 && !connect(fd, (struct sockaddr *)&ss, len));
	return fd;
}

static int ring_accept(int listener)
{
	int fd;

	io_uring_prep_accept(io_uring_get_sqe(&ring), listener, NULL, NULL, 0);
	fd = ring_result();
	check(fd >= 0);
	return fd;
}

static void accepted(bool left)
{
	int listener = tcp_listener(AF_INET);
	int fds[2] = { connected(listener), ring_accept(listener) };
	struct conn conn;

	conn = conn_of("calls", fds[0]);
	check(send(fds[0], data, SIZE, 0) == SIZE);
	want_data(&conn, fds[0], "sendto", data, SIZE, "");
	io_uring_prep_recv(io_uring_get_sqe(&ring), fds[1], got, SIZE, MSG_WAITALL);
	await_done();
	io_uring_prep_send(io_uring_get_sqe(&ring), fds[1], data, SIZE, 0);
	await_done();
	check(recv(fds[0], got, SIZE, MSG_WAITALL) == SIZE);
	want_data(&conn, fds[0], "recvfrom", data, SIZE, "");
	close(fds[0]);
	if (!left)
		close(fds[1]);
	/* Attached, it is not known which was there first. */
	want("'type':'loss','reason~':'^unseen$|^before-attach$','conn':'ring','fd':%d,'bytes':%d,'"
	     "calls':0",
	     fds[1], 2 * SIZE);
}

static void receive(const char *text, int from, int to)
{
	const bool first = text[0] == '1';
	struct conn out = conn_of(first ? "1 out" : "2 out", from);
	struct conn in = conn_of(first ? "1 in" : "2 in", to);

	check(send(from, text, 1, 0) == 1);
	want_data(&out, from, "sendto", text, 1, "");
	check(recv(to, got, SIZE, 0) == 1);
	want_data(&in, to, "recvfrom", text, 1, "");
}

/* Of the first one's end no call tells. */
static void renumbered(void)
{
	int listener = tcp_listener(AF_INET), a = connected(listener), b = connected(listener);
	int fd = ring_accept(listener);

	receive("1", a, fd);
	io_uring_prep_close(io_uring_get_sqe(&ring), fd);
	check(!ring_result());
	check(ring_accept(listener) == fd);
	receive("2", b, fd);
}

/* By pidfd_getfd, as rings cannot be sent by messages any more (6.7). */
static void passed(void)
{
	int fds[2], number, pidfd;
	pid_t child;

	check(!pipe(fds));
	child = fork();
	check(child >= 0);
	if (!child) {
		if (io_uring_queue_init(8, &ring, 0))
			skip("there is no io_uring here");
		want("'type':'note','text~':'^io_uring is in use .a new ring.'");
		check(write(fds[1], &ring.ring_fd, sizeof(int)) == sizeof(int));
		pause();
	}
	close(fds[1]);
	if (read(fds[0], &number, sizeof(number)) != sizeof(number))
		skip("there is no io_uring here");
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	check(pidfd >= 0 && syscall(SYS_pidfd_getfd, pidfd, number, 0) >= 0);
	want("'type':'note','pid':%d,'text~':'^io_uring is in use .passed by another process.'",
	     getpid());
	check(!kill(child, SIGKILL));
	await_end(child);
}

/* Alone there is a ring in any case. */
static bool ring_is_there(bool wanted)
{
	int result = io_uring_queue_init(8, &ring, 0);

	if (result == -EPERM)
		skip("io_uring is switched off here");
	if (!wanted)
		return !result;
	check(!result);
	want("'type':'note','text~':'^io_uring is in use .a new ring.: '");
	return true;
}

/* Sockets and rings in other ways; false: which is none of them. */
static bool other_way(const char *which)
{
	if (!strcmp(which, "passed")) {
		settings("'stderr':'io_uring is in use'");
		passed();
	} else if (!strcmp(which, "before")) {
		settings("'stderr':'io_uring is in use'");
		if (io_uring_queue_init(8, &ring, 0))
			skip("there is no io_uring here");
		check(!raise(SIGSTOP));
		want("'type':'note','text~':'^io_uring is in use .a ring that was there before.'");
	} else if (!strcmp(which, "renumbered")) {
		settings("'stderr':'io_uring is in use'");
		ring_is_there(true);
		renumbered();
	} else if (!strcmp(which, "accepted") || !strcmp(which, "left")) {
		settings("'stderr':'io_uring is in use.*lost 10000 bytes'");
		ring_is_there(true);
		accepted(!strcmp(which, "left"));
	} else {
		return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct conn conns[2];
	bool wanted, there;
	int fds[2];

	check(argc == 2);
	fill(data, SIZE, 1);
	if (other_way(argv[1]))
		return 0;
	wanted = !strcmp(argv[1], "ring");
	settings(wanted ? "'stderr':'io_uring is in use.*lost 20000 bytes.*lost 20000 bytes'"
			: "'options':['--no-io-uring']");
	tcp_pair(AF_INET, fds);
	conns[0] = conn_of("sends", fds[0]);
	conns[1] = conn_of("receives", fds[1]);
	there = ring_is_there(wanted);
	for (int turn = 0; turn < TIMES; turn++) {
		if (there)
			by_ring(fds);
		else
			by_calls(conns, fds);
		check(!memcmp(data, got, SIZE));
	}
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		if (there)
			want("'type':'loss','reason':'unseen','conn':'%s','fd':%d,'bytes':%d,'"
			     "calls':0",
			     conns[i].name, fds[i], TIMES * SIZE);
	}
	same("said");
	return 0;
}
