/*
 * An echo server over UDP and TCP on one port: datagrams by recvmmsg and sendmmsg, up to BATCH at once. It
 * takes the address, prints the port and ends on SIGTERM. Also built as a 32-bit program.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 32
#define SIZE  65536
#define CONNS 64

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void end(int sig)
{
	(void)sig;
	_exit(0);
}

static void echo_datagrams(int fd)
{
	static char data[BATCH][SIZE];
	struct sockaddr_storage peers[BATCH];
	struct mmsghdr messages[BATCH] = { 0 };
	struct iovec iovs[BATCH];
	int count, sent = 0;

	for (int i = 0; i < BATCH; i++) {
		iovs[i] = (struct iovec){ data[i], SIZE };
		messages[i].msg_hdr = (struct msghdr){ .msg_name = &peers[i],
						       .msg_namelen = sizeof(peers[i]),
						       .msg_iov = &iovs[i],
						       .msg_iovlen = 1 };
	}
	count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
	if (count < 0)
		fail("recvmmsg");
	for (int i = 0; i < count; i++)
		iovs[i].iov_len = messages[i].msg_len;
	while (sent < count) {
		int n = sendmmsg(fd, messages + sent, (unsigned int)(count - sent), 0);

		if (n < 0)
			fail("sendmmsg");
		sent += n;
	}
}

/* False at the connection's end. */
static int echo_stream(int fd)
{
	static char data[SIZE];
	ssize_t n = recv(fd, data, sizeof(data), 0), sent = 0;

	while (sent < n) {
		ssize_t m = send(fd, data + sent, (size_t)(n - sent), MSG_NOSIGNAL);

		if (m < 0)
			return 0;
		sent += m;
	}
	return n > 0;
}

static int open_on(const struct sockaddr_in *address, int type)
{
	int fd = socket(AF_INET, type, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		fail("bind");
	return fd;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	struct pollfd fds[2 + CONNS];
	int count = 2;

	if (argc != 2 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1)
		return 2;
	signal(SIGTERM, end);
	fds[0] = (struct pollfd){ .fd = open_on(&address, SOCK_STREAM), .events = POLLIN };
	getsockname(fds[0].fd, (struct sockaddr *)&address, &len);
	fds[1] = (struct pollfd){ .fd = open_on(&address, SOCK_DGRAM), .events = POLLIN };
	if (listen(fds[0].fd, CONNS))
		fail("listen");
	printf("listening on %d\n", ntohs(address.sin_port));
	fflush(stdout);
	for (;;) {
		if (poll(fds, (nfds_t)count, -1) < 0)
			fail("poll");
		for (int i = count - 1; i >= 2; i--) {
			if (!fds[i].revents || echo_stream(fds[i].fd))
				continue;
			close(fds[i].fd);
			fds[i] = fds[--count];
		}
		if (fds[1].revents)
			echo_datagrams(fds[1].fd);
		if (fds[0].revents && count < 2 + CONNS)
			fds[count++] = (struct pollfd){ .fd = accept(fds[0].fd, NULL, NULL),
							.events = POLLIN };
	}
}
