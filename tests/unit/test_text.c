#include "sink/format.h"

#include "base/addr.h"
#include "samples.h"
#include "unit.h"

#include <time.h>

#define TIME   "22:13:20.123456 "
#define CURL   TIME "curl[100] "
#define OURS   TIME "iotrace: "
#define THREAD TIME "curl[100/102] #1 tcp 10.0.0.2:50000 "

static const struct {
	const char *sample, *text;
} lines[] = {
	{ "start", OURS "version 0.1.0, stop engine, Linux 6.1.0: iotrace -- a b \\n\n" },
	{ "exec", CURL "exec /usr/bin/curl: curl -s http://x/\n" },
	{ "fork", TIME "curl[101] fork by 100\n" },
	{ "exit", CURL "exit status 0\n" },
	{ "killed", CURL "exit killed by SIGKILL\n" },
	{ "open", CURL "#1 tcp open fd 5\n" },
	{ "connect", CURL "#1 tcp connect 10.0.0.2:50000 -> 10.0.0.1:443 fd 5 EINPROGRESS\n" },
	{ "accept", CURL "#1 tcp accept [::1]:80 <- [::1]:40000 fd 5\n" },
	{ "bind", CURL "#1 udp bind 0.0.0.0:53 fd 5\n" },
	{ "close", CURL "#3 unix-stream close fd 0\n" },
	{ "sent", THREAD "-> 10.0.0.1:80 sendto 18 bytes\n    GET / HTTP/1.1\\r\n    \\r\n" },
	{ "received",
	  THREAD "<- 10.0.0.1:80 recvmsg 3 bytes\n"
		 "    00000000  ff 00 01                                          |...|\n" },
	{ "eof", THREAD "<- 10.0.0.1:80 read 0 bytes eof\n" },
	{ "error", THREAD "<- 10.0.0.1:80 read ECONNRESET\n" },
	{ "cut",
	  CURL "#2 udp <- 10.0.0.9:53 recvfrom 10 bytes of 100 (4 kept) peek trunc\n    abcd\n" },
	{ "file", CURL "file /tmp/a\\nb -> read 5 bytes file\n    gr\xc3\xbc\n" },
	{ "plain", THREAD "-> 10.0.0.1:80 SSL_write plain 2 bytes\n"
			  "    at main.send\n    at main.main\n    hi\n" },
	{ "passed", CURL "#3 unix-dgram <- @log recvmsg 1 bytes fds 9,12 "
			 "by pid 55 uid 1000 gid 4294967295\n    x\n" },
	{ "peer", CURL "#3 unix-stream connect -> /run/x fd 0 by pid 55 uid 0 gid 1\n" },
	{ "secret", CURL "secret CLIENT_RANDOM 00 11\n" },
	{ "loss", CURL "LOSS unreadable: 70 bytes in 2 calls on #1\n" },
	{ "dropped", OURS "LOSS queue-full: 70 bytes in 2 calls\n" },
	{ "note", CURL "note: io_uring is in use\n" },
	{ "own note", OURS "note: the disk is slow\n" },
	{ "end", OURS "9 connections, 5 bytes out, 6 in, plain 7 out, 8 in, "
		      "11 bytes in 12 calls LOST, 1.500 s\n" },
};

typedef struct sink *open_format(struct out *out, const struct format_options *options);

/* What the format makes of the event; the caller frees it. */
static char *written(open_format *open, bool color, struct event *event)
{
	const struct format_options options = { .color = color };
	int fd = unit_file();
	struct sink *sink = open(out_from_fd(fd, "test"), &options);
	char *text;

	sink_emit(sink, event);
	assert_int_equal(sink_finish(sink), 0);
	text = unit_content(fd, NULL);
	close(fd);
	event_unref(event);
	return text;
}

static void golden_lines(void **state)
{
	(void)state;
	assert_null(sample_name(COUNT(lines)));
	for (size_t i = 0; i < COUNT(lines); i++) {
		char *text = written(text_new, false, sample_make(lines[i].sample));

		assert_string_equal(text, lines[i].text);
		free(text);
	}
}

static void hex_dumps_text_too(void **state)
{
	char *text = written(hex_new, false, sample_make("sent"));

	(void)state;
	assert_string_equal(
		text,
		THREAD "-> 10.0.0.1:80 sendto 18 bytes\n"
		       "    00000000  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 31 0d 0a  "
		       "|GET / HTTP/1.1..|\n"
		       "    00000010  0d 0a                                             |..|\n");
	free(text);
}

/* With the escape sequences taken out the text is that without color. */
static void color_adds_nothing_else(void **state)
{
	bool colored = false;

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		char *text = written(text_new, true, sample_make(lines[i].sample)), *to = text;

		for (const char *from = text; *from;) {
			if (*from == '\x1b') {
				colored = true;
				assert_int_equal(from[1], '[');
				from += strcspn(from, "m") + 1;
				continue;
			}
			*to++ = *from++;
		}
		*to = '\0';
		assert_string_equal(text, lines[i].text);
		free(text);
	}
	assert_true(colored);
}

/* Lines begin with a time or with the indent, and have no control in them. */
static void expect_harmless(const char *text, const char *what)
{
	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		CHECK(!strncmp(line, TIME, strlen(TIME)) || !strncmp(line, "    ", 4), "%s: %s",
		      what, line);
		CHECK(strchr(line, '\n'), "%s: no newline at the end", what);
	}
	for (const char *at = text; *at; at++) {
		CHECK(*at == '\n' || ((uint8_t)*at >= 0x20 && *at != 0x7f), "%s: %s", what, text);
		CHECK(strncmp(at, "\xc2\x9b", 2) && strncmp(at, "\xe2\x80\xae", 3), "%s: %s", what,
		      text);
	}
}

static const char evil[] = "a\niotrace: b\r\x1b[2J\xc2\x9b\xe2\x80\xae\x7f\xff";

static void hostile_programs(void **state)
{
	(void)state;
	for (size_t i = 0; sample_name(i); i++) {
		struct event *event = sample_make(sample_name(i));
		char *text;

		event->pid = 1;
		event_set_comm(event, evil);
		if (event->type == EVENT_IOTRACE)
			event->start.argv = (struct event_strings){ evil, sizeof(evil) };
		if (event->type == EVENT_PROCESS) {
			event->process.exe = evil;
			event->process.argv = (struct event_strings){ evil, sizeof(evil) };
		} else if (event->type == EVENT_SOCKET) {
			addr_parse(&event->socket.local, evil, sizeof(evil) - 1);
			addr_parse(&event->socket.remote, evil, sizeof(evil) - 1);
		} else if (event->type == EVENT_DATA) {
			event->data.path = i % 2 ? evil : NULL;
			event->data.stack = evil;
			addr_parse(&event->data.local, evil, sizeof(evil) - 1);
		} else if (event->type == EVENT_NOTE) {
			event->note.text = evil;
		} else if (event->type == EVENT_SECRET) {
			event->secret.line = evil;
		}
		text = written(text_new, false, event);
		expect_harmless(text, sample_name(i));
		free(text);
	}
}

/* Words that are ours in a live trace come from a file in `show`. */
static void hostile_captures(void **state)
{
	static const char *const names[] = { "start", "loss", "sent" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct event *event = sample_make(names[i]);
		char *text;

		if (event->type == EVENT_IOTRACE)
			event->start.version = event->start.engine = event->start.kernel = evil;
		else if (event->type == EVENT_LOSS)
			event->loss.reason = evil;
		else
			event->data.call = evil;
		text = written(text_new, false, event);
		expect_harmless(text, names[i]);
		free(text);
	}
}

static void hostile_payloads(void **state)
{
	uint64_t seed = 17;

	(void)state;
	for (int round = 0; round < 500; round++) {
		struct event *event = event_new(EVENT_DATA, 80);
		size_t len = 1 + unit_random(&seed) % 80;
		char *text;

		event->time = SAMPLE_TIME;
		event->data.proto = PROTO_TCP;
		event->data.call = "read";
		event->data.payload = event_room(event, len);
		event->data.len = event->data.captured = len;
		for (size_t i = 0; i < len; i++)
			event->data.payload[i] = (uint8_t)(unit_random(&seed) % (1U << round % 9));
		text = written(round % 3 ? text_new : hex_new, false, event);
		expect_harmless(text, "payload");
		free(text);
	}
}

static void a_socket_without_descriptor(void **state)
{
	struct event *event = sample_make("close");
	char *text;

	(void)state;
	event->socket.fd = -1;
	text = written(text_new, false, event);
	assert_string_equal(text, CURL "#3 unix-stream close\n");
	free(text);
}

static void unnamed_numbers(void **state)
{
	struct event *event = sample_make("killed");
	char *text;

	(void)state;
	event->process.signal = 60;
	text = written(text_new, false, event);
	assert_non_null(strstr(text, "killed by signal 60\n"));
	free(text);
	event = sample_make("error");
	event->data.error = 4000;
	text = written(text_new, false, event);
	assert_non_null(strstr(text, "read unknown error\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_lines),
		cmocka_unit_test(hex_dumps_text_too),
		cmocka_unit_test(color_adds_nothing_else),
		cmocka_unit_test(hostile_programs),
		cmocka_unit_test(hostile_captures),
		cmocka_unit_test(hostile_payloads),
		cmocka_unit_test(a_socket_without_descriptor),
		cmocka_unit_test(unnamed_numbers),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
