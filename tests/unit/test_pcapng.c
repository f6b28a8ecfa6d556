/* What packets are written of which events, and in which order. */
#include "base/addr.h"
#include "unit.h"
#include "view/format.h"

#include <errno.h>

static struct addr addr_of(const char *text)
{
	struct addr addr = { 0 };

	if (*text)
		assert_true(addr_parse(&addr, text, strlen(text)));
	return addr;
}

/* A sink under test, and what is common to the events it gets. */
struct writer {
	struct sink *sink;
	int fd;
	uint64_t time;
};

static struct writer begin(bool plain)
{
	const struct format_options options = { .pcap_raw = true, .pcap_plain = plain };
	int fd = unit_file();

	return (struct writer){ format_by_name("pcapng")->open(out_from_fd(fd, "test"), &options),
				fd, 1700000000000000000ULL };
}

static void emit(struct writer *writer, struct event *event)
{
	event->time = writer->time += 1000;
	event->pid = event->tid = 1;
	sink_emit(writer->sink, event);
	event_unref(event);
}

struct end {
	uint64_t conn;
	const char *local, *remote;
};

static const struct end client = { 1, "127.0.0.1:40000", "127.0.0.1:443" };
static const struct end server = { 2, "127.0.0.1:443", "127.0.0.1:40000" };
static const struct end listener = { 9, "0.0.0.0:443", "" };

static void socket_event(struct writer *writer, const struct end *end, enum socket_event what,
			 int error)
{
	struct event *event = event_new(EVENT_SOCKET, 0);

	event->socket.what = what;
	event->socket.conn = end->conn;
	event->socket.family = FAMILY_INET;
	event->socket.proto = PROTO_TCP;
	event->socket.local = addr_of(end->local);
	event->socket.remote = addr_of(end->remote);
	event->socket.error = error;
	emit(writer, event);
}

/* In a call of so many nanoseconds; two events are 1000 apart. */
static void moved_in(struct writer *writer, const struct end *end, enum event_dir dir,
		     enum event_layer layer, const char *text, size_t len, uint64_t dur)
{
	struct event *event = event_new(EVENT_DATA, len);

	event->data.dur = dur;

	event->data.conn = end->conn;
	event->data.proto = PROTO_TCP;
	event->data.local = addr_of(end->local);
	event->data.remote = addr_of(end->remote);
	event->data.dir = dir;
	event->data.layer = layer;
	event->data.call = "write";
	event->data.payload = event_room(event, len);
	memcpy(event->data.payload, text, len);
	event->data.len = event->data.captured = len;
	emit(writer, event);
}

static void moved(struct writer *writer, const struct end *end, enum event_dir dir,
		  enum event_layer layer, const char *text, size_t len)
{
	moved_in(writer, end, dir, layer, text, len, 0);
}

static void says(struct writer *writer, const struct end *end, enum event_dir dir, const char *text)
{
	moved(writer, end, dir, LAYER_WIRE, text, strlen(text));
}

static void secret(struct writer *writer, const char *line)
{
	struct event *event = event_new(EVENT_SECRET, 0);

	event->secret.line = line;
	emit(writer, event);
}

static uint32_t word(const char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* One packet as a word: who sends, its flags if it is empty, else what it says. */
static void add_packet(struct buf *words, const char *packet, size_t len)
{
	static const char letters[] = "FSRPA";
	size_t payload = len - 20 - (size_t)((packet[32] & 0xf0) >> 2);
	const char *text = packet + len - payload;

	assert_int_equal(packet[0], 0x45);
	buf_adds(words, (uint8_t)packet[20] == 0x01 && (uint8_t)packet[21] == 0xbb ? "<" : ">");
	for (int i = 0; i < 5 && !payload; i++)
		if (packet[33] & 1 << i && (letters[i] != 'A' || packet[33] == 16))
			buf_addc(words, letters[i]);
	for (size_t i = 0; i < payload && i < 10; i++)
		buf_addc(words, text[i] > ' ' && text[i] < 0x7f ? text[i] : '.');
}

/* All blocks behind the first two, which are section and interface; lengths are checked. */
static void expect(struct writer *writer, const char *expected)
{
	struct buf words auto_buf = { 0 };
	size_t len, at = 0;
	char *data;

	assert_int_equal(sink_finish(writer->sink), 0);
	data = unit_content(writer->fd, &len);
	while (at < len) {
		uint32_t type = word(data + at), size = word(data + at + 4);

		assert_true(size % 4 == 0 && size >= 12 && at + size <= len);
		assert_int_equal(word(data + at + size - 4), size);
		if (words.len)
			buf_addc(&words, ' ');
		if (type == 6)
			add_packet(&words, data + at + 28, word(data + at + 20));
		else if (type == 10)
			buf_adds(&words, "secrets");
		else if (type == 4)
			buf_adds(&words, "name");
		else
			assert_true(at == 0 ? type == 0x0a0d0d0a : type == 1);
		at += size;
	}
	while (words.len && words.data[0] == ' ')
		memmove(words.data, words.data + 1, words.len--);
	assert_string_equal(buf_cstr(&words), expected);
	free(data);
	close(writer->fd);
}

static void a_connection(void **state)
{
	struct writer writer = begin(false);

	(void)state;
	socket_event(&writer, &client, SOCKET_CONNECT, EINPROGRESS);
	socket_event(&writer, &client, SOCKET_CONNECT, 0);
	says(&writer, &client, DIR_OUT, "question");
	says(&writer, &client, DIR_IN, "answer");
	socket_event(&writer, &client, SOCKET_CLOSE, 0);
	expect(&writer, ">S <S >A >question <answer >F");
}

/* One thread has read the answer before another one's call that asked had returned. */
static void an_answer_that_was_read_early(void **state)
{
	struct writer writer = begin(false);

	(void)state;
	socket_event(&writer, &client, SOCKET_CONNECT, 0);
	says(&writer, &client, DIR_IN, "hello");
	says(&writer, &client, DIR_IN, "answer");
	moved_in(&writer, &client, DIR_OUT, LAYER_WIRE, "question", 8, 1500);
	expect(&writer, ">S <S >A <hello >question <answer");
}

/* Nobody asked whether the connection was made, but data say it. */
static void an_answer_that_was_not_seen(void **state)
{
	struct writer writer = begin(false);

	(void)state;
	socket_event(&writer, &client, SOCKET_CONNECT, EINPROGRESS);
	says(&writer, &client, DIR_OUT, "question");
	expect(&writer, ">S <S >A >question");
}

static void refused(void **state)
{
	struct writer writer = begin(false);

	(void)state;
	socket_event(&writer, &client, SOCKET_CONNECT, ECONNREFUSED);
	socket_event(&writer, &client, SOCKET_CLOSE, 0);
	expect(&writer, ">S <R");
	writer = begin(false);
	socket_event(&writer, &client, SOCKET_CONNECT, ETIMEDOUT);
	socket_event(&writer, &client, SOCKET_CLOSE, 0);
	expect(&writer, ">S");
}

/* No beginning was seen, so none is written. */
static void in_its_middle(void **state)
{
	struct writer writer = begin(false);

	(void)state;
	socket_event(&writer, &client, SOCKET_FOUND, 0);
	says(&writer, &client, DIR_IN, "answer");
	expect(&writer, "<answer");
}

/* The accepting end is written, once, although the other was first. */
static void both_ends(void **state)
{
	struct writer writer = begin(false);

	(void)state;
	socket_event(&writer, &listener, SOCKET_LISTEN, 0);
	socket_event(&writer, &client, SOCKET_CONNECT, 0);
	says(&writer, &client, DIR_OUT, "early");
	socket_event(&writer, &server, SOCKET_ACCEPT, 0);
	says(&writer, &client, DIR_OUT, "late");
	says(&writer, &server, DIR_IN, "earlylate");
	says(&writer, &server, DIR_OUT, "answer");
	says(&writer, &client, DIR_IN, "answer");
	socket_event(&writer, &client, SOCKET_CLOSE, 0);
	socket_event(&writer, &server, SOCKET_CLOSE, 0);
	expect(&writer, ">S <S >A >earlylate <answer <F");
}

/* Nobody knew of the listener: what was written of one end goes on with the other. */
static void both_ends_too_late(void **state)
{
	struct writer writer = begin(false);

	(void)state;
	socket_event(&writer, &client, SOCKET_CONNECT, 0);
	says(&writer, &client, DIR_OUT, "early");
	socket_event(&writer, &server, SOCKET_ACCEPT, 0);
	says(&writer, &client, DIR_OUT, "late");
	says(&writer, &server, DIR_IN, "ear");
	says(&writer, &server, DIR_IN, "lylate");
	says(&writer, &server, DIR_OUT, "answer");
	expect(&writer, ">S <S >A >early >late <answer");
}

/* The listener's process never accepts it: it is not held back for ever. */
static void nobody_accepts(void **state)
{
	struct writer writer = begin(false);

	(void)state;
	socket_event(&writer, &listener, SOCKET_LISTEN, 0);
	socket_event(&writer, &client, SOCKET_CONNECT, 0);
	says(&writer, &client, DIR_OUT, "first");
	writer.time += 3000000000ULL;
	says(&writer, &client, DIR_OUT, "second");
	expect(&writer, ">S <S >A >first >second");
}

#define HEX32 "3031323334353637383961626364656630313233343536373839616263646566"
#define HELLO                                          \
	"\x16\x03\x01\x00\x30\x01\x00\x00\x2c\x03\x03" \
	"0123456789abcdef0123456789abcdef\x00\x00\x02\x13\x01\x01\x00"

/* The secrets come when the server's first flight has been read, and are written before it. */
static void secrets_come_first(void **state)
{
	static const char *const labels[] = { "SERVER_HANDSHAKE_TRAFFIC_SECRET",
					      "SERVER_TRAFFIC_SECRET_0",
					      "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
					      "CLIENT_TRAFFIC_SECRET_0" };
	struct writer writer = begin(false);
	char line[256];

	(void)state;
	socket_event(&writer, &client, SOCKET_CONNECT, 0);
	moved(&writer, &client, DIR_OUT, LAYER_WIRE, BYTES(HELLO));
	says(&writer, &client, DIR_IN, "\x16\x03\x03hello");
	for (size_t i = 0; i < COUNT(labels); i++) {
		snprintf(line, sizeof(line), "%s " HEX32 " 00", labels[i]);
		secret(&writer, line);
	}
	says(&writer, &client, DIR_OUT, "finished");
	expect(&writer, ">S <S >A >....0...,. secrets <...hello >finished");
}

/* There are none: held back until the server speaks again. */
static void no_secrets(void **state)
{
	struct writer writer = begin(false);

	(void)state;
	socket_event(&writer, &client, SOCKET_CONNECT, 0);
	moved(&writer, &client, DIR_OUT, LAYER_WIRE, BYTES(HELLO));
	says(&writer, &client, DIR_IN, "\x16\x03\x03hello");
	says(&writer, &client, DIR_OUT, "finished");
	says(&writer, &client, DIR_IN, "data");
	secret(&writer, "CLIENT_RANDOM " HEX32 " 00");
	says(&writer, &client, DIR_IN, "more");
	expect(&writer, ">S <S >A >....0...,. <...hello >finished <data secrets <more");
}

/* Other connections go on meanwhile. */
static void only_one_is_held(void **state)
{
	static const struct end other = { 5, "127.0.0.1:50000", "127.0.0.1:443" };
	struct writer writer = begin(false);

	(void)state;
	moved(&writer, &client, DIR_OUT, LAYER_WIRE, BYTES(HELLO));
	says(&writer, &client, DIR_IN, "\x16\x03\x03hello");
	says(&writer, &other, DIR_OUT, "other");
	secret(&writer, "CLIENT_RANDOM " HEX32 " 00");
	expect(&writer, ">....0...,. >other secrets <...hello");
}

static void plaintext(void **state)
{
	struct writer writer = begin(true);

	(void)state;
	socket_event(&writer, &client, SOCKET_CONNECT, 0);
	moved(&writer, &client, DIR_OUT, LAYER_WIRE, BYTES(HELLO));
	says(&writer, &client, DIR_IN, "\x16\x03\x03hello");
	moved(&writer, &client, DIR_OUT, LAYER_PLAIN, BYTES("GET /"));
	says(&writer, &client, DIR_OUT, "encrypted");
	moved(&writer, &client, DIR_IN, LAYER_PLAIN, BYTES("200"));
	secret(&writer, "CLIENT_RANDOM " HEX32 " 00");
	expect(&writer, ">S <S >A >GET./ <200");
	/* What is no TLS is its own plaintext. */
	writer = begin(true);
	says(&writer, &client, DIR_OUT, "GET /");
	expect(&writer, ">GET./");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_that_was_read_early),
		cmocka_unit_test(a_connection),
		cmocka_unit_test(an_answer_that_was_not_seen),
		cmocka_unit_test(refused),
		cmocka_unit_test(in_its_middle),
		cmocka_unit_test(both_ends),
		cmocka_unit_test(both_ends_too_late),
		cmocka_unit_test(nobody_accepts),
		cmocka_unit_test(secrets_come_first),
		cmocka_unit_test(no_secrets),
		cmocka_unit_test(only_one_is_held),
		cmocka_unit_test(plaintext),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
