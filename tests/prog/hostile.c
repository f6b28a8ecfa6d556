/*
 * Bytes that want more than to be shown: terminal escapes, what starts a line, broken UTF-8, in the
 * payload and in the names of a process. run.py looks at the formats for people, too.
 */
#include "expect.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define BYTES(text)                    \
	{                              \
		text, sizeof(text) - 1 \
	}

struct bytes {
	const char *data;
	size_t len;
};

static const struct bytes payloads[] = {
	BYTES("\x1b[2J\x1b[31mred\x1b]0;title\x07\n"),
	BYTES("::error::not from us\n::set-output name=x::y\n"),
	BYTES("line\n\n::error\n\r::again\r\n\ttab\n12:00:00.000000 curl[1] #1 tcp open\n"),
	BYTES("a text of some length, that is still a text, with one escape \x1b[31m in it\n::x"),
	BYTES("\n"),
	BYTES("\n\n"),
	BYTES("\r"),
	BYTES("no newline at the end"),
	BYTES("NUL \0 NUL\0"),
	BYTES("\0"),
	BYTES("\x7f\x80\x9b\xff"),
	BYTES("C1: \xc2\x9b"
	      "31m, \xc2\x85::next line\xe2\x80\xa8::separator\xe2\x80\xa9::other"),
	BYTES("bidi: \xe2\x80\xae"
	      "evil\xe2\x80\xac \xe2\x81\xa6"
	      "x\xe2\x81\xa9 \xd8\x9c"),
	BYTES("hidden: a\xe2\x80\x8b"
	      "b\xef\xbb\xbf"
	      "c\xe2\x81\xa0"
	      "d"),
	BYTES("tags: \xf3\xa0\x80\x81\xf3\xa0\x81\x81 interlinear \xef\xbf\xb9x\xef\xbf\xbb"),
	BYTES("\"quotes\" \\backslashes\\ \\u0041 \\n \"}{\"type\":\"end\"}\n"),
	BYTES("overlong \xc0\xaf \xe0\x80\xaf, surrogate \xed\xa0\x80, too far \xf4\x90\x80\x80"),
	BYTES("cut in a character \xe2\x82"),
	BYTES("\x82\xac the rest of one"),
	BYTES("\xe2\x82\xac \xf0\x9f\x98\x80 \xcc\x81 fine\n"),
	BYTES("\xef\xbf\xbe\xef\xbf\xbf\xef\xb7\x90"),
	BYTES("    indented like us\n"),
	BYTES("\x1b"),
	BYTES("\x9d"
	      "0;title\x9c"),
};

static int fds[2];
static char got[300000];

static void move(const struct bytes *bytes, const char *name)
{
	struct conn conn = conn_of(name, fds[0]);
	size_t at = 0;
	ssize_t n;

	check(write(fds[0], bytes->data, bytes->len) == (ssize_t)bytes->len);
	want_data(&conn, fds[0], "write", bytes->data, bytes->len, "");
	conn = conn_of("in", fds[1]);
	while (at < bytes->len) {
		n = read(fds[1], got, sizeof(got));
		check(n > 0);
		want_data(&conn, fds[1], "read", got, (size_t)n, "");
		at += (size_t)n;
	}
}

/* A long line without end, and many short ones. */
static void large(void)
{
	static char data[100000];
	struct bytes bytes = { data, sizeof(data) };

	memset(data, 'x', sizeof(data));
	move(&bytes, "out");
	for (size_t i = 0; i < sizeof(data); i += 3)
		memcpy(data + i, "::\n", i + 3 <= sizeof(data) ? 3 : 1);
	move(&bytes, "out");
}

static void speak_as(const char *name, const char *shown)
{
	struct conn conn = conn_of("out", fds[0]);
	char more[100];

	check(!prctl(PR_SET_NAME, name));
	snprintf(more, sizeof(more), "'comm':'%s'", shown);
	check(write(fds[0], "name", 4) == 4);
	want_data(&conn, fds[0], "write", "name", 4, more);
	check(read(fds[1], got, 4) == 4);
	want("'type':'data','call':'read','comm':'%s'", shown);
}

static void names(void)
{
	speak_as("\x1b[2J\x1b]0;x\x07", "\\u001b[2J\\u001b]0;x\\u0007");
	speak_as("a\n::error::x", "a\\n::error::x");
	speak_as("\xe2\x80\xae"
		 "x\xc2\x9b"
		 "31m",
		 "\xe2\x80\xae"
		 "x\xc2\x9b"
		 "31m");
	speak_as("a\xff"
		 "b",
		 "a\xef\xbf\xbd"
		 "b");
	speak_as("q\"\\", "q\\\"\\\\");
	speak_as("", "");
	speak_as("    ", "    ");
	speak_as("\r\t\x7f", "\\r\\t\x7f");
	/* In a message on standard error as well. */
	check(!prctl(PR_SET_NAME, "\x1b[31m\n::red"));
	check(write(fds[0], "lost", 4) == 4);
	want("'type':'data','call':'write'");
	check(recv(fds[1], got, 4, MSG_TRUNC) == 4);
	want("'type':'data','call':'recvfrom','captured':0");
	want("'type':'loss','comm':'\\u001b[31m\\n::red','reason':'discarded'");
}

static int copy_of_self(const char *name)
{
	int to = memfd_create(name, 0), from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	check(to >= 0 && from >= 0);
	while (sendfile(to, from, NULL, 1U << 20) > 0)
		continue;
	close(from);
	return to;
}

static void execute(void)
{
	static char *argv[] = { "::error::argv",
				"\x1b]0;title\x07",
				"line\n::break",
				"\xff",
				"\xe2\x80\xae",
				"\xc2\x9b",
				"\r",
				NULL };
	int fd = copy_of_self("\x1b[31m\n::exe\xc2\x9b\xff");

	fexecve(fd, argv, environ);
	check(false);
}

int main(int argc, char **argv)
{
	if (argc == 7 && argv[1][0] == '\x1b') {
		want("'type':'process','event':'exec','exe~':'memfd:\\u001b\\\\[31m\\n::exe\xc2\x9b"
		     "\xef\xbf\xbd','argv':['::error::argv','\\u001b]0;title\\u0007',"
		     "'line\\n::break','\xef\xbf\xbd','\xe2\x80\xae','\xc2\x9b','\\r']");
		want("'type':'process','event':'exit','status':5");
		return 5;
	}
	settings("'types':['data','process'],'views':['calls','hex'],'stderr':'discarded'");
	want("'type':'process','event':'start'");
	tcp_pair(AF_INET, fds);
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++)
		move(&payloads[i], "out");
	large();
	names();
	execute();
	return 1;
}
