/* What an event's flags say: peeked, out of band, the end of a stream, cut, from the error queue. */
#include "expect.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static char got[100];

static void peek(void)
{
	struct iovec iov = { got, 3 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct conn conn;
	int fds[2];

	tcp_pair(AF_INET, fds);
	conn = conn_of("sends", fds[0]);
	check(write(fds[0], "abcdef", 6) == 6);
	want_data(&conn, fds[0], "write", "abcdef", 6, "");
	conn = conn_of("peeks", fds[1]);
	check(recv(fds[1], got, 10, MSG_PEEK) == 6);
	want_data(&conn, fds[1], "recvfrom", "abcdef", 6, "'flags':['peek']");
	check(recvmsg(fds[1], &msg, MSG_PEEK) == 3);
	want_data(&conn, fds[1], "recvmsg", "abc", 3, "'flags':['peek']");
	check(recv(fds[1], got, 10, MSG_WAITALL | MSG_DONTWAIT) == 6);
	want_data(&conn, fds[1], "recvfrom", "abcdef", 6, "");
	check(!shutdown(fds[0], SHUT_WR));
	check(!recv(fds[1], got, 10, MSG_PEEK));
	want_data(&conn, fds[1], "recvfrom", "", 0, "'flags':['peek','eof']");
}

static void urgent(void)
{
	struct conn from, to;
	int fds[2];

	tcp_pair(AF_INET, fds);
	from = conn_of("urgent out", fds[0]);
	to = conn_of("urgent in", fds[1]);
	check(send(fds[0], "abc", 3, MSG_OOB) == 3);
	want_data(&from, fds[0], "sendto", "abc", 3, "'flags':['oob']");
	check(recv(fds[1], got, 10, 0) == 2);
	want_data(&to, fds[1], "recvfrom", "ab", 2, "");
	check(recv(fds[1], got, 10, MSG_OOB) == 1);
	want_data(&to, fds[1], "recvfrom", "c", 1, "'flags':['oob']");
	check(recv(fds[1], got, 10, MSG_OOB) == -1);
	want_error(&to, fds[1], "recvfrom", "EINVAL", "'flags':['oob']");
}

/* What a program has not read when it closes is no loss, urgent or behind that. */
static void left_urgent(void)
{
	static const struct {
		int len;
		bool urgent;
		const char *behind, *from, *to;
	} reads[] = { { 0, false, "", "left all, out", "left all, in" },
		      { 2, false, "", "left one, out", "left one, in" },
		      { 2, false, "de", "left three, out", "left three, in" },
		      { 2, true, "de", "left two, out", "left two, in" } };
	struct conn from, to;
	int fds[2];

	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		tcp_pair(AF_INET, fds);
		from = conn_of(reads[i].from, fds[0]);
		to = conn_of(reads[i].to, fds[1]);
		check(send(fds[0], &"abc"[2 - reads[i].len], 1 + (size_t)reads[i].len, MSG_OOB) ==
		      1 + reads[i].len);
		want_data(&from, fds[0], "sendto", &"abc"[2 - reads[i].len],
			  1 + (size_t)reads[i].len, "'flags':['oob']");
		if (*reads[i].behind) {
			check(send(fds[0], reads[i].behind, 2, 0) == 2);
			want_data(&from, fds[0], "sendto", reads[i].behind, 2, "");
		}
		if (reads[i].len) {
			check(recv(fds[1], got, 10, 0) == 2);
			want_data(&to, fds[1], "recvfrom", "ab", 2, "");
		}
		if (reads[i].urgent) {
			check(recv(fds[1], got, 10, MSG_OOB) == 1);
			want_data(&to, fds[1], "recvfrom", "c", 1, "'flags':['oob']");
		}
		close(fds[1]);
		close(fds[0]);
	}
}

static void left_in_front(void)
{
	struct conn from;
	int fds[2];

	tcp_pair(AF_INET, fds);
	from = conn_of("left in front", fds[0]);
	check(send(fds[0], "abc", 3, MSG_OOB) == 3);
	want_data(&from, fds[0], "sendto", "abc", 3, "'flags':['oob']");
	close(fds[1]);
	close(fds[0]);
}

/* 0 bytes are an end only where some were asked for. */
static void end_of_stream(void)
{
	struct iovec none = { got, 0 }, some = { got, 10 };
	struct msghdr msg = { .msg_iov = &some, .msg_iovlen = 1 };
	struct conn conn;
	int fds[2];

	tcp_pair(AF_INET, fds);
	conn = conn_of("end", fds[1]);
	check(write(fds[0], "", 0) == 0);
	want("'type':'data','fd':%d,'call':'write','len':0,'text':''", fds[0]);
	close(fds[0]);
	await_readable(fds[1]);
	check(read(fds[1], got, 0) == 0);
	want_data(&conn, fds[1], "read", "", 0, "");
	check(readv(fds[1], &none, 1) == 0);
	want_data(&conn, fds[1], "readv", "", 0, "");
	check(read(fds[1], got, 10) == 0);
	want_data(&conn, fds[1], "read", "", 0, "'flags':['eof']");
	check(readv(fds[1], &some, 1) == 0);
	want_data(&conn, fds[1], "readv", "", 0, "'flags':['eof']");
	check(recv(fds[1], got, 10, 0) == 0);
	want_data(&conn, fds[1], "recvfrom", "", 0, "'flags':['eof']");
	check(recvmsg(fds[1], &msg, 0) == 0);
	want_data(&conn, fds[1], "recvmsg", "", 0, "'flags':['eof']");
}

/* A datagram that is larger than the buffer. */
static void cut(void)
{
	struct iovec iov = { got, 4 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct conn conn;
	int fds[2];

	udp_pair(AF_INET, fds);
	conn = conn_of("cut out", fds[0]);
	for (int i = 0; i < 5; i++) {
		check(write(fds[0], "0123456789", 10) == 10);
		want_data(&conn, fds[0], "write", "0123456789", 10, "");
	}
	conn = conn_of("cut in", fds[1]);
	check(recv(fds[1], NULL, 0, MSG_PEEK | MSG_TRUNC) == 10);
	want_data(&conn, fds[1], "recvfrom", "", 0, "'full':10,'flags':['peek','trunc']");
	check(recv(fds[1], got, 4, MSG_TRUNC) == 10);
	want_data(&conn, fds[1], "recvfrom", "0123", 4, "'full':10,'flags':['trunc']");
	/* Nothing tells that the rest is gone. */
	check(recv(fds[1], got, 4, 0) == 4);
	want_data(&conn, fds[1], "recvfrom", "0123", 4, "");
	check(recvmsg(fds[1], &msg, 0) == 4 && msg.msg_flags & MSG_TRUNC);
	want_data(&conn, fds[1], "recvmsg", "0123", 4, "'flags':['trunc']");
	check(recvmsg(fds[1], &msg, MSG_TRUNC) == 10);
	want_data(&conn, fds[1], "recvmsg", "0123", 4, "'full':10,'flags':['trunc']");
	iov.iov_len = 10;
	check(recvmsg(fds[1], &msg, MSG_TRUNC) == 10);
	want_data(&conn, fds[1], "recvmsg", "0123456789", 10, "");
}

/* TCP throws away what is received with MSG_TRUNC: nobody can show it. */
static void discarded(void)
{
	struct conn from, to;
	int fds[2];

	tcp_pair(AF_INET, fds);
	from = conn_of("discarded out", fds[0]);
	to = conn_of("discarded in", fds[1]);
	check(write(fds[0], "thrown away, kept", 17) == 17);
	want_data(&from, fds[0], "write", "thrown away, kept", 17, "");
	memset(got, '-', sizeof(got));
	check(recv(fds[1], got, 13, MSG_TRUNC) == 13 && got[0] == '-');
	want("'type':'data','fd':%d,'conn':'%s','call':'recvfrom','dir':'in','len':13,"
	     "'captured':0,'text':''",
	     fds[1], to.name);
	want("'type':'loss','pid':%d,'reason':'discarded','conn':'%s','fd':%d,'bytes':13,"
	     "'calls':1",
	     getpid(), to.name, fds[1]);
	check(recv(fds[1], got, 10, 0) == 4);
	want_data(&to, fds[1], "recvfrom", "kept", 4, "");
}

/* What the kernel says about an earlier datagram; those bytes were sent, not received. */
static void error_queue(void)
{
	struct iovec iov = { got, sizeof(got) };
	char control[512];
	struct sockaddr_storage ss;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	int fds[2], on = 1;
	struct conn conn;

	udp_pair(AF_INET, fds);
	conn = conn_of("error queue", fds[0]);
	local_address(fds[1], &ss);
	check(!setsockopt(fds[0], IPPROTO_IP, IP_RECVERR, &on, sizeof(on)));
	close(fds[1]);
	check(write(fds[0], "anybody?", 8) == 8);
	want_data(&conn, fds[0], "write", "anybody?", 8, "");
	await_readable(fds[0]);
	check(recvmsg(fds[0], &msg, MSG_ERRQUEUE) == 8);
	want_data(&conn, fds[0], "recvmsg", "anybody?", 8, "'flags':['errqueue']");
}

int main(void)
{
	settings("'stderr':'discarded'");
	peek();
	urgent();
	left_urgent();
	left_in_front();
	end_of_stream();
	cut();
	discarded();
	error_queue();
	return 0;
}
