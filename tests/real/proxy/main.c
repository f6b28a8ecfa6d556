/*
 * The oracle: a proxy that records, apart from iotrace and without any of its code, what a traced
 * program sent and received.
 *
 *   proxy tcp|udp [--listen WHERE] TARGET DIR
 *
 * TARGET: ADDR:PORT or unix:PATH; WHERE: the same, or fd:N, a bound socket that was inherited (so
 * that one proxy can follow another on the same port). Without it a free port of 127.0.0.1. The
 * first line on standard output is the port, or the path.
 *
 * Connection number ID is recorded in DIR/ID.c2s and DIR/ID.s2c; for datagrams each one follows its
 * length (32 bits, little-endian). When it ends, a line about it is added to DIR/index.jsonl.
 * SIGTERM: takes what is still waiting, lets the connections end, cuts those that do not, exits.
 *
 * A shutdown is passed on. When one side does not take its bytes any more, the other side is read
 * and recorded to its end all the same: the record has everything that was sent.
 */
#include "proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct proxy proxy;

void die(const char *format, ...)
{
	int error = errno;
	va_list args;

	va_start(args, format);
	fputs("proxy: ", stderr);
	vfprintf(stderr, format, args);
	fprintf(stderr, ": %s\n", error ? strerror(error) : "cannot be used");
	va_end(args);
	_exit(1);
}

static int open_listener(const char *where)
{
	struct address address;
	int type = proxy.datagrams ? SOCK_DGRAM : SOCK_STREAM;
	int one = 1, fd;

	if (!strncmp(where, "fd:", 3)) {
		fd = atoi(where + 3);
	} else {
		address = address_parse(where);
		fd = socket(address.sa.sa_family, type | SOCK_CLOEXEC, 0);
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, &address.sa, address.len))
			die("listening on %s", where);
	}
	if (!proxy.datagrams && (listen(fd, 4096) || fcntl(fd, F_SETFL, O_NONBLOCK)))
		die("listening on %s", where);
	return fd;
}

static void print_port(void)
{
	struct address address;
	char text[ADDRESS_TEXT];

	address_of_socket(proxy.listener, &address);
	address_format(&address, text);
	puts(address.sa.sa_family == AF_UNIX ? text : strrchr(text, ':') + 1);
	fflush(stdout);
}

static void prepare(void)
{
	struct rlimit files;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	proxy.signals = signalfd(-1, &set, SFD_CLOEXEC);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max; /* four a connection */
	setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
	const char *where = "127.0.0.1:0";
	int at = 2;

	if (argc > 3 && !strcmp(argv[2], "--listen")) {
		where = argv[3];
		at = 4;
	}
	if (argc != at + 2 || (strcmp(argv[1], "tcp") && strcmp(argv[1], "udp"))) {
		fprintf(stderr, "Usage: proxy tcp|udp [--listen ADDR:PORT|unix:PATH|fd:N] "
				"ADDR:PORT|unix:PATH DIR\n");
		return 2;
	}
	proxy.datagrams = !strcmp(argv[1], "udp");
	proxy.target = address_parse(argv[at]);
	proxy.directory = argv[at + 1];
	prepare();
	record_open();
	proxy.listener = open_listener(where);
	print_port();
	if (proxy.datagrams)
		datagram_serve();
	else
		stream_serve();
	return 0;
}
