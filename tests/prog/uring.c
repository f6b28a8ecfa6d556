/*
 * Bytes that io_uring moves: a note, and a loss of just so many. Argument: ring; fallback, where iotrace
 * makes io_uring_setup fail and the program does what it can without: nothing is missing then.
 */
#include "expect.h"

#include <errno.h>
#include <liburing.h>
#include <string.h>
#include <unistd.h>

#define SIZE  5000
#define TIMES 4

static struct io_uring ring;

static void await_done(void)
{
	struct io_uring_cqe *cqe;

	check(io_uring_submit(&ring) == 1);
	check(!io_uring_wait_cqe(&ring, &cqe) && cqe->res == SIZE);
	io_uring_cqe_seen(&ring, cqe);
}

static void by_ring(int fds[2], const char *data, char *got)
{
	io_uring_prep_send(io_uring_get_sqe(&ring), fds[0], data, SIZE, 0);
	await_done();
	io_uring_prep_recv(io_uring_get_sqe(&ring), fds[1], got, SIZE, MSG_WAITALL);
	await_done();
}

static void by_calls(const struct conn *conns, int fds[2], const char *data, char *got)
{
	check(send(fds[0], data, SIZE, 0) == SIZE);
	want_data(&conns[0], fds[0], "sendto", data, SIZE, "");
	check(recv(fds[1], got, SIZE, MSG_WAITALL) == SIZE);
	want_data(&conns[1], fds[1], "recvfrom", data, SIZE, "");
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

int main(int argc, char **argv)
{
	static char data[SIZE], got[SIZE];
	struct conn conns[2];
	bool wanted, there;
	int fds[2];

	check(argc == 2);
	wanted = !strcmp(argv[1], "ring");
	settings(wanted ? "'stderr':'io_uring is in use.*lost 20000 bytes.*lost 20000 bytes'"
			: "'options':['--no-io-uring']");
	fill(data, SIZE, 1);
	tcp_pair(AF_INET, fds);
	conns[0] = conn_of("sends", fds[0]);
	conns[1] = conn_of("receives", fds[1]);
	there = ring_is_there(wanted);
	for (int turn = 0; turn < TIMES; turn++) {
		if (there)
			by_ring(fds, data, got);
		else
			by_calls(conns, fds, data, got);
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
