#include "sink/format.h"

#include "parse.h"
#include "samples.h"
#include "unit.h"

#include <errno.h>

#define TIME   "\"seq\":7,\"time\":1700000000123456789"
#define WHO    TIME ",\"pid\":100,\"tid\":100,\"comm\":\"curl\""
#define THREAD TIME ",\"pid\":100,\"tid\":102,\"comm\":\"curl\""
#define ENDS   "\"local\":\"10.0.0.2:50000\",\"remote\":\"10.0.0.1:80\""

/* The keys and their order are a promise: docs/events.md. */
static const struct {
	const char *sample, *line;
} lines[] = {
	{ "start", "{\"type\":\"iotrace\"," TIME ",\"schema\":1,\"version\":\"0.1.0\","
		   "\"argv\":[\"iotrace\",\"--\",\"a b\",\"\\n\"],\"host\":\"box\","
		   "\"kernel\":\"6.1.0\",\"engine\":\"stop\"}\n" },
	{ "exec", "{\"type\":\"process\"," WHO ",\"event\":\"exec\",\"exe\":\"/usr/bin/curl\","
		  "\"argv\":[\"curl\",\"-s\",\"http://x/\"]}\n" },
	{ "fork", "{\"type\":\"process\"," TIME ",\"pid\":101,\"tid\":101,\"comm\":\"curl\","
		  "\"event\":\"fork\",\"ppid\":100}\n" },
	{ "exit", "{\"type\":\"process\"," WHO ",\"event\":\"exit\",\"status\":0}\n" },
	{ "killed", "{\"type\":\"process\"," WHO ",\"event\":\"exit\",\"signal\":9}\n" },
	{ "open", "{\"type\":\"socket\"," WHO ",\"event\":\"open\",\"fd\":5,\"conn\":1,"
		  "\"family\":\"inet\",\"proto\":\"tcp\"}\n" },
	{ "connect", "{\"type\":\"socket\"," WHO ",\"event\":\"connect\",\"fd\":5,\"conn\":1,"
		     "\"family\":\"inet\",\"proto\":\"tcp\",\"local\":\"10.0.0.2:50000\","
		     "\"remote\":\"10.0.0.1:443\",\"error\":\"EINPROGRESS\"}\n" },
	{ "accept", "{\"type\":\"socket\"," WHO ",\"event\":\"accept\",\"fd\":5,\"conn\":1,"
		    "\"family\":\"inet6\",\"proto\":\"tcp\",\"local\":\"[::1]:80\","
		    "\"remote\":\"[::1]:40000\"}\n" },
	{ "bind", "{\"type\":\"socket\"," WHO ",\"event\":\"bind\",\"fd\":5,\"conn\":1,"
		  "\"family\":\"inet\",\"proto\":\"udp\",\"local\":\"0.0.0.0:53\"}\n" },
	{ "close", "{\"type\":\"socket\"," WHO ",\"event\":\"close\",\"fd\":0,\"conn\":3,"
		   "\"family\":\"unix\",\"proto\":\"unix-stream\"}\n" },
	{ "sent", "{\"type\":\"data\"," THREAD ",\"fd\":5,\"conn\":1,\"proto\":\"tcp\"," ENDS
		  ",\"dir\":\"out\",\"layer\":\"wire\",\"call\":\"sendto\",\"len\":18,"
		  "\"dur\":1500,\"text\":\"GET / HTTP/1.1\\r\\n\\r\\n\"}\n" },
	{ "received", "{\"type\":\"data\"," THREAD ",\"fd\":5,\"conn\":1,\"proto\":\"tcp\"," ENDS
		      ",\"dir\":\"in\",\"layer\":\"wire\",\"call\":\"recvmsg\",\"len\":3,"
		      "\"dur\":1500,\"b64\":\"/wAB\"}\n" },
	{ "eof", "{\"type\":\"data\"," THREAD ",\"fd\":5,\"conn\":1,\"proto\":\"tcp\"," ENDS
		 ",\"dir\":\"in\",\"layer\":\"wire\",\"call\":\"read\",\"len\":0,\"dur\":1500,"
		 "\"flags\":[\"eof\"],\"text\":\"\"}\n" },
	{ "error", "{\"type\":\"data\"," THREAD ",\"fd\":5,\"conn\":1,\"proto\":\"tcp\"," ENDS
		   ",\"dir\":\"in\",\"layer\":\"wire\",\"call\":\"read\",\"dur\":1500,"
		   "\"error\":\"ECONNRESET\"}\n" },
	{ "cut", "{\"type\":\"data\"," WHO ",\"fd\":6,\"conn\":2,\"proto\":\"udp\","
		 "\"remote\":\"10.0.0.9:53\",\"dir\":\"in\",\"layer\":\"wire\","
		 "\"call\":\"recvfrom\",\"len\":10,\"dur\":0,\"full\":100,\"captured\":4,"
		 "\"flags\":[\"peek\",\"trunc\"],\"text\":\"abcd\"}\n" },
	{ "file", "{\"type\":\"data\"," WHO ",\"fd\":3,\"proto\":\"file\","
		  "\"path\":\"/tmp/a\\nb\",\"dir\":\"in\",\"layer\":\"wire\",\"call\":\"read\","
		  "\"len\":5,\"dur\":0,\"flags\":[\"file\"],\"text\":\"gr\xc3\xbc\\n\"}\n" },
	{ "plain", "{\"type\":\"data\"," THREAD ",\"fd\":5,\"conn\":1,\"proto\":\"tcp\"," ENDS
		   ",\"dir\":\"out\",\"layer\":\"plain\",\"call\":\"SSL_write\",\"len\":2,"
		   "\"dur\":1500,\"stack\":\"main.send\\nmain.main\",\"text\":\"hi\"}\n" },
	{ "passed", "{\"type\":\"data\"," WHO ",\"fd\":4,\"conn\":3,\"proto\":\"unix-dgram\","
		    "\"remote\":\"@log\",\"dir\":\"in\",\"layer\":\"wire\","
		    "\"call\":\"recvmsg\",\"len\":1,\"dur\":0,\"fds\":[9,12],"
		    "\"cred\":{\"pid\":55,\"uid\":1000,\"gid\":4294967295},"
		    "\"text\":\"x\"}\n" },
	{ "peer", "{\"type\":\"socket\"," WHO ",\"event\":\"connect\",\"fd\":0,\"conn\":3,"
		  "\"family\":\"unix\",\"proto\":\"unix-stream\",\"remote\":\"/run/x\","
		  "\"cred\":{\"pid\":55,\"uid\":0,\"gid\":1}}\n" },
	{ "secret", "{\"type\":\"secret\"," WHO ",\"line\":\"CLIENT_RANDOM 00 11\"}\n" },
	{ "loss", "{\"type\":\"loss\"," WHO ",\"reason\":\"unreadable\",\"conn\":1,\"fd\":5,"
		  "\"bytes\":70,\"calls\":2}\n" },
	{ "dropped", "{\"type\":\"loss\"," TIME ",\"reason\":\"queue-full\",\"bytes\":70,"
		     "\"calls\":2}\n" },
	{ "note", "{\"type\":\"note\"," WHO ",\"text\":\"io_uring is in use\"}\n" },
	{ "own note", "{\"type\":\"note\"," TIME ",\"text\":\"the disk is slow\"}\n" },
	{ "end", "{\"type\":\"end\"," TIME ",\"calls\":{\"stop\":1,\"tap\":2,\"again\":3},"
		 "\"stops\":4,\"bytes\":{\"wire\":{\"out\":5,\"in\":6},"
		 "\"plain\":{\"out\":7,\"in\":8}},\"connections\":9,\"events\":10,\"rings\":13,"
		 "\"loss\":{\"bytes\":11,\"calls\":12},\"wall\":1500000000}\n" },
};

/* What the format makes of the event; the caller frees it. */
static char *written(struct event *event, size_t *ret_len)
{
	static const struct format_options options = { .color = true };
	int fd = unit_file();
	struct sink *sink = jsonl_new(out_from_fd(fd, "test"), &options);
	char *text;

	sink_emit(sink, event);
	assert_int_equal(sink_finish(sink), 0);
	text = unit_content(fd, ret_len);
	close(fd);
	event_unref(event);
	return text;
}

static void golden_lines(void **state)
{
	(void)state;
	assert_null(sample_name(COUNT(lines)));
	for (size_t i = 0; i < COUNT(lines); i++) {
		char *text = written(sample_make(lines[i].sample), NULL);

		assert_string_equal(text, lines[i].line);
		free(text);
	}
}

static void every_line_parses(void **state)
{
	(void)state;
	for (size_t i = 0; sample_name(i); i++) {
		size_t len;
		char *text = written(sample_make(sample_name(i)), &len);

		assert_int_equal(text[len - 1], '\n');
		assert_int_equal(parse_value(text, len - 1), len - 1);
		free(text);
	}
}

/* One event is one line, whatever a program calls itself and its files. */
static void hostile_names(void **state)
{
	static const char evil[] = "\"},\n\r\\\x1b[2J\xc2\x9b\xe2\x80\xa8\x7f\xff";
	size_t len;

	(void)state;
	for (size_t i = 0; sample_name(i); i++) {
		struct event *event = sample_make(sample_name(i));
		char *text;

		event->pid = 1;
		event_set_comm(event, evil);
		if (event->type == EVENT_PROCESS) {
			event->process.exe = evil;
			event->process.argv = (struct event_strings){ evil, sizeof(evil) };
		} else if (event->type == EVENT_DATA) {
			event->data.path = event->data.stack = evil;
		} else if (event->type == EVENT_NOTE) {
			event->note.text = evil;
		} else if (event->type == EVENT_LOSS) {
			event->loss.reason = evil;
		}
		text = written(event, &len);
		assert_int_equal(parse_value(text, len - 1), len - 1);
		assert_ptr_equal(memchr(text, '\n', len), text + len - 1);
		assert_null(memchr(text, '\x1b', len));
		free(text);
	}
}

static void hostile_payloads(void **state)
{
	uint64_t seed = 13;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct event *event = event_new(EVENT_DATA, 64);
		size_t len = unit_random(&seed) % 64, text_len;
		char *text;

		event->data.call = "read";
		event->data.payload = event_room(event, len);
		event->data.len = event->data.captured = len;
		for (size_t i = 0; i < len; i++)
			event->data.payload[i] =
				round % 2 ? (uint8_t)unit_random(&seed) : unit_random(&seed) % 0x80;
		text = written(event, &text_len);
		assert_int_equal(parse_value(text, text_len - 1), text_len - 1);
		assert_ptr_equal(memchr(text, '\n', text_len), text + text_len - 1);
		free(text);
	}
}

static void unnamed_errno(void **state)
{
	struct event *event = sample_make("connect");
	char *text;

	(void)state;
	event->socket.error = 4000;
	text = written(event, NULL);
	assert_non_null(strstr(text, ",\"error\":\"4000\"}"));
	free(text);
}

static void all_flags(void **state)
{
	struct event *event = sample_make("eof");
	char *text;

	(void)state;
	event->data.flags = (1U << EVENT_FLAGS) - 1;
	text = written(event, NULL);
	assert_non_null(strstr(text, "\"flags\":[\"peek\",\"oob\",\"eof\",\"errqueue\",\"trunc\","
				     "\"file\",\"ktls\",\"begun\"]"));
	free(text);
}

static void the_largest_numbers(void **state)
{
	struct event *event = sample_make("sent");
	char *text;

	(void)state;
	event->seq = event->time = event->data.conn = event->data.dur = UINT64_MAX;
	event->pid = event->tid = INT32_MAX;
	text = written(event, NULL);
	assert_non_null(strstr(text, "\"seq\":18446744073709551615,\"time\":18446744073709551615,"
				     "\"pid\":2147483647"));
	free(text);
}

static void a_full_disk_is_told(void **state)
{
	static const struct format_options options;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct sink *sink = jsonl_new(out_from_fd(fd, "full"), &options);
	struct event *event = sample_make("sent");

	(void)state;
	sink_emit(sink, event);
	assert_int_equal(sink_finish(sink), -ENOSPC);
	event_unref(event);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_lines),        cmocka_unit_test(every_line_parses),
		cmocka_unit_test(hostile_names),       cmocka_unit_test(hostile_payloads),
		cmocka_unit_test(unnamed_errno),       cmocka_unit_test(all_flags),
		cmocka_unit_test(the_largest_numbers), cmocka_unit_test(a_full_disk_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
