/*
 * Kernel TLS: what the program moves is plaintext, from the moment that the kernel has the keys, for the
 * one direction that they are for. Argument: tls12 or tls13; sealed, where iotrace does not know writev,
 * by which bytes were sent before (run.py --omit); found, where it comes when the kernel has the keys
 * (run.py --late).
 */
#include "expect.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SOL_TLS
#define SOL_TLS 282
#endif

#define LARGE       40000 /* three records */
#define ALERT       21
#define APPLICATION 23

#define PLAIN "'layer':'plain','flags':['ktls']"
#define FILED "'layer':'plain','flags':['file','ktls']"

static struct conn from, to;
static int fds[2];
static char data[LARGE], got[LARGE];

static void give_keys(int fd, int option, uint16_t version)
{
	struct tls12_crypto_info_aes_gcm_128 keys = {
		.info = { .version = version, .cipher_type = TLS_CIPHER_AES_GCM_128 },
		.iv = "nonce...",
		.key = "the secret key.",
		.salt = "sal",
	};

	check(!setsockopt(fd, SOL_TLS, option, &keys, sizeof(keys)));
}

static void with_tls(int fd)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls"))) {
		check(errno == ENOENT || errno == ENOPROTOOPT);
		skip("this kernel has no TLS (CONFIG_TLS)");
	}
}

static void connect_both(void)
{
	tcp_pair(AF_INET, fds);
	with_tls(fds[0]);
	with_tls(fds[1]);
	from = conn_of("from", fds[0]);
	to = conn_of("to", fds[1]);
}

static void begin(uint16_t version)
{
	connect_both();
	check(write(fds[0], "before", 6) == 6);
	want_data(&from, fds[0], "write", "before", 6, "");
	check(read(fds[1], got, 6) == 6);
	want_data(&to, fds[1], "read", "before", 6, "");
	give_keys(fds[0], TLS_TX, version);
	give_keys(fds[1], TLS_RX, version);
}

static void small(void)
{
	struct iovec iov[2] = { { "in two ", 7 }, { "pieces", 6 } };

	check(write(fds[0], "first", 5) == 5);
	want_data(&from, fds[0], "write", "first", 5, PLAIN);
	check(recv(fds[1], got, 3, MSG_PEEK) == 3);
	want_data(&to, fds[1], "recvfrom", "fir", 3, "'layer':'plain','flags':['peek','ktls']");
	check(read(fds[1], got, 100) == 5);
	want_data(&to, fds[1], "read", "first", 5, PLAIN);
	check(writev(fds[0], iov, 2) == 13);
	want_data(&from, fds[0], "writev", "in two pieces", 13, PLAIN);
	check(recv(fds[1], got, 100, 0) == 13);
	want_data(&to, fds[1], "recvfrom", "in two pieces", 13, PLAIN);
	/* Nobody gave keys for the way back. */
	check(send(fds[1], "in clear", 8, 0) == 8);
	want_data(&to, fds[1], "sendto", "in clear", 8, "");
	check(recv(fds[0], got, 100, 0) == 8);
	want_data(&from, fds[0], "recvfrom", "in clear", 8, "");
}

static void receive_large(void)
{
	check(recv(fds[1], got, LARGE, MSG_WAITALL) == LARGE && !memcmp(got, data, LARGE));
	want_data(&to, fds[1], "recvfrom", data, LARGE, PLAIN);
}

static void large(void)
{
	FILE *file = tmpfile();
	off_t at = 0;

	fill(data, LARGE, 1);
	check(send(fds[0], data, LARGE, 0) == LARGE);
	want_data(&from, fds[0], "sendto", data, LARGE, PLAIN);
	receive_large();
	check(file && fwrite(data, LARGE, 1, file) == 1 && !fflush(file));
	check(sendfile(fds[0], fileno(file), &at, LARGE) == LARGE);
	want("'type':'data','fd':%d,'conn':'from','dir':'out','call~':'^sendfile','len':%d,'crc':%"
	     "u," FILED,
	     fds[0], LARGE, checksum(data, LARGE));
	receive_large();
	fclose(file);
}

static void spliced(void)
{
	int ours[2];

	check(!pipe(ours) && write(ours[1], "by a pipe", 9) == 9);
	check(splice(ours[0], NULL, fds[0], NULL, 9, 0) == 9);
	want("'type':'data','fd':%d,'conn':'from','dir':'out','call':'splice','text':'by a "
	     "pipe'," FILED,
	     fds[0]);
	check(splice(fds[1], NULL, ours[1], NULL, 9, 0) == 9);
	want("'type':'data','fd':%d,'conn':'to','dir':'in','call':'splice','text':'by a "
	     "pipe'," FILED,
	     fds[1]);
	close(ours[0]);
	close(ours[1]);
}

/* recvmsg with room for the record's type. */
static void receive_record(uint8_t type, const char *text, const char *more)
{
	union {
		char room[CMSG_SPACE(1)];
		struct cmsghdr head;
	} control;
	struct iovec iov = { got, 100 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };

	check(recvmsg(fds[1], &msg, 0) == (ssize_t)strlen(text));
	check(msg.msg_controllen && control.head.cmsg_level == SOL_TLS &&
	      control.head.cmsg_type == TLS_GET_RECORD_TYPE && *CMSG_DATA(&control.head) == type);
	want_data(&to, fds[1], "recvmsg", text, strlen(text), more);
}

/* What TLS itself says is no plaintext of the program's. */
static void alert(void)
{
	union {
		char room[CMSG_SPACE(1)];
		struct cmsghdr head;
	} control = { .head = { CMSG_LEN(1), SOL_TLS, TLS_SET_RECORD_TYPE } };
	struct iovec iov = { "\x01\x5a", 2 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.room,
			      .msg_controllen = sizeof(control.room) };

	*CMSG_DATA(&control.head) = ALERT;
	check(sendmsg(fds[0], &msg, 0) == 2);
	want_data(&from, fds[0], "sendmsg", "\x01\x5a", 2, "'layer':'wire','flags':['ktls']");
	check(recv(fds[1], got, 100, 0) == -1 && errno == EIO);
	want_error(&to, fds[1], "recvfrom", "EIO", PLAIN);
	receive_record(ALERT, "\x01\x5a", "'layer':'wire','flags':['ktls']");
	check(send(fds[0], "goes on", 7, 0) == 7);
	want_data(&from, fds[0], "sendto", "goes on", 7, PLAIN);
	receive_record(APPLICATION, "goes on", PLAIN);
}

/* The keys are the socket's, whichever descriptor or process uses it. */
static void inherited(void)
{
	int copy = dup(fds[0]);
	pid_t child;

	close(fds[0]);
	child = fork();
	check(child >= 0);
	if (!child) {
		check(write(copy, "child's", 7) == 7);
		want_data(&from, copy, "write", "child's", 7, PLAIN);
		_exit(0);
	}
	check(!await_end(child));
	check(read(fds[1], got, 100) == 7);
	want_data(&to, fds[1], "read", "child's", 7, PLAIN);
	close(copy);
	check(!read(fds[1], got, 100));
	want_data(&to, fds[1], "read", "", 0, "'layer':'plain','flags':['eof','ktls']");
}

static void sealed(void)
{
	struct iovec iov = { "nobody saw it", 13 };

	tcp_pair(AF_INET, fds);
	with_tls(fds[0]);
	from = conn_of("from", fds[0]);
	check(writev(fds[0], &iov, 1) == 13);
	give_keys(fds[0], TLS_TX, TLS_1_3_VERSION);
	check(write(fds[0], "seen", 4) == 4);
	want_data(&from, fds[0], "write", "seen", 4, PLAIN);
	close(fds[0]);
	want("'type':'loss','reason':'unseen','conn':'from','fd':%d,'bytes':13,'calls':0", fds[0]);
}

static void want_before(const struct conn *conn, int fd)
{
	want("'type':'loss','reason':'before-attach','conn':'%s','fd':%d,'bytes':6,'calls':0",
	     conn->name, fd);
}

static void found(void)
{
	connect_both();
	check(write(fds[0], "before", 6) == 6 && read(fds[1], got, 6) == 6);
	give_keys(fds[0], TLS_TX, TLS_1_3_VERSION);
	give_keys(fds[1], TLS_RX, TLS_1_3_VERSION);
	check(!raise(SIGSTOP));
	want_before(&from, fds[0]);
	check(write(fds[0], "after", 5) == 5);
	want_data(&from, fds[0], "write", "after", 5, PLAIN);
	want_before(&to, fds[1]);
	check(read(fds[1], got, 100) == 5);
	want_data(&to, fds[1], "read", "after", 5, PLAIN);
	check(write(fds[1], "in clear", 8) == 8);
	want_data(&to, fds[1], "write", "in clear", 8, "");
	check(read(fds[0], got, 100) == 8);
	want_data(&from, fds[0], "read", "in clear", 8, "");
}

int main(int argc, char **argv)
{
	check(argc == 2);
	if (!strcmp(argv[1], "sealed")) {
		settings("'stderr':'lost 13 bytes'");
		sealed();
		return 0;
	}
	if (!strcmp(argv[1], "found")) {
		settings("'stderr':'6 bytes'");
		found();
		return 0;
	}
	begin(!strcmp(argv[1], "tls12") ? TLS_1_2_VERSION : TLS_1_3_VERSION);
	small();
	large();
	spliced();
	alert();
	inherited();
	return 0;
}
