/*
 * blind LIBRARY: TLS by a library that iotrace cannot look into: a note when it is used, and at the connection's end a
 * loss of all that was moved. LIBRARY (beside this program) stands for the library; that of the records is enough which
 * tells TLS.
 */
#include "expect.h"

#include <dlfcn.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A record with a ClientHello: RFC 8446, 5.1 and 4.1.2. */
static const char hello[] = "\x16\x03\x01\x00\x46\x01\x00\x00\x42\x03\x03"
			    "0123456789abcdef0123456789abcdef"
			    "\x00\x00\x02\x13\x01\x01\x00\x00\x17................";

static void load(const char *argv0, const char *name)
{
	int (*function)(void);
	char path[512];

	snprintf(path, sizeof(path), "%.*s/lib%s.so", (int)(strrchr(argv0, '/') - argv0), argv0,
		 name);
	*(void **)&function = dlsym(dlopen(path, RTLD_NOW), "blind_library");
	check(function && function() == 1);
}

int main(int argc, char **argv)
{
	char got[sizeof(hello)];
	struct conn from, to;
	int fds[2], plain[2];

	check(argc == 2);
	load(argv[0], argv[1]);
	settings("'stderr':'cannot be seen.*no-plaintext'");
	/* What is not TLS has lost nothing, and nothing is to be noted. */
	tcp_pair(AF_INET, plain);
	from = conn_of("plain", plain[0]);
	check(write(plain[0], "in clear", 8) == 8);
	want_data(&from, plain[0], "write", "in clear", 8, "");
	close(plain[0]);
	close(plain[1]);
	tcp_pair(AF_INET, fds);
	from = conn_of("from", fds[0]);
	to = conn_of("to", fds[1]);
	check(write(fds[0], hello, sizeof(hello)) == sizeof(hello));
	want("'type':'note','text~':'^plaintext of TLS in .*lib%s.* cannot be seen: %s'", argv[1],
	     strcmp(argv[1], "mbedtls") ? "a TLS library is built into it"
					: "iotrace has no probes");
	want_data(&from, fds[0], "write", hello, sizeof(hello), "");
	check(read(fds[1], got, sizeof(got)) == sizeof(hello));
	want_data(&to, fds[1], "read", hello, sizeof(hello), "");
	check(write(fds[1], "answer", 6) == 6);
	want_data(&to, fds[1], "write", "answer", 6, "");
	check(read(fds[0], got, sizeof(got)) == 6);
	want_data(&from, fds[0], "read", "answer", 6, "");
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		want("'type':'loss','reason':'no-plaintext','conn':'%s','fd':%d,'bytes':%zu,'calls'"
		     ":0",
		     i ? "to" : "from", fds[i], sizeof(hello) + 6);
	}
	return 0;
}
