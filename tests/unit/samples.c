#include "samples.h"

#include "base/addr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STRINGS(literal)                                  \
	(struct event_strings)                            \
	{                                                 \
		.data = (literal), .len = sizeof(literal) \
	}

static struct addr addr_of(const char *text)
{
	struct addr addr = { 0 };

	if (!addr_parse(&addr, text, strlen(text)))
		abort();
	return addr;
}

static void set_payload(struct event *event, const char *bytes, size_t len)
{
	event->data.payload = event_room(event, len);
	memcpy(event->data.payload, bytes, len);
	event->data.len = event->data.captured = len;
}

static void start(struct event *event)
{
	event->pid = event->tid = 0;
	event->comm[0] = '\0';
	event->start = (struct event_start){ .schema = 1,
					     .version = "0.1.0",
					     .argv = STRINGS("iotrace\0--\0a b\0\n"),
					     .host = "box",
					     .kernel = "6.1.0",
					     .engine = "stop" };
}

static void exec(struct event *event)
{
	event->process = (struct event_process){ .what = PROCESS_EXEC,
						 .exe = "/usr/bin/curl",
						 .argv = STRINGS("curl\0-s\0http://x/"),
						 .status = -1 };
}

static void forked(struct event *event)
{
	event->pid = event->tid = 101;
	event->process = (struct event_process){ .what = PROCESS_FORK, .ppid = 100, .status = -1 };
}

static void ended(struct event *event)
{
	event->process = (struct event_process){ .what = PROCESS_EXIT, .status = 0 };
}

static void killed(struct event *event)
{
	event->process = (struct event_process){ .what = PROCESS_EXIT, .status = -1, .signal = 9 };
}

static void opened(struct event *event)
{
	event->socket = (struct event_socket){
		.what = SOCKET_OPEN, .fd = 5, .conn = 1, .family = FAMILY_INET, .proto = PROTO_TCP
	};
}

static void connecting(struct event *event)
{
	opened(event);
	event->socket.what = SOCKET_CONNECT;
	event->socket.local = addr_of("10.0.0.2:50000");
	event->socket.remote = addr_of("10.0.0.1:443");
	event->socket.error = EINPROGRESS;
}

static void accepted(struct event *event)
{
	opened(event);
	event->socket.what = SOCKET_ACCEPT;
	event->socket.family = FAMILY_INET6;
	event->socket.local = addr_of("[::1]:80");
	event->socket.remote = addr_of("[::1]:40000");
}

static void bound(struct event *event)
{
	opened(event);
	event->socket.what = SOCKET_BIND;
	event->socket.proto = PROTO_UDP;
	event->socket.local = addr_of("0.0.0.0:53");
}

static void closed(struct event *event)
{
	event->socket = (struct event_socket){ .what = SOCKET_CLOSE,
					       .fd = 0,
					       .conn = 3,
					       .family = FAMILY_UNIX,
					       .proto = PROTO_UNIX_STREAM };
}

static void sent(struct event *event)
{
	event->tid = 102;
	event->data = (struct event_data){ .fd = 5,
					   .conn = 1,
					   .proto = PROTO_TCP,
					   .local = addr_of("10.0.0.2:50000"),
					   .remote = addr_of("10.0.0.1:80"),
					   .dir = DIR_OUT,
					   .layer = LAYER_WIRE,
					   .call = "sendto",
					   .dur = 1500 };
	set_payload(event, "GET / HTTP/1.1\r\n\r\n", 18);
}

static void received(struct event *event)
{
	sent(event);
	event->data.dir = DIR_IN;
	event->data.call = "recvmsg";
	set_payload(event, "\xff\0\x01", 3);
}

static void at_end(struct event *event)
{
	sent(event);
	event->data.dir = DIR_IN;
	event->data.call = "read";
	event->data.flags = FLAG_EOF;
	event->data.payload = NULL;
	event->data.len = event->data.captured = 0;
}

static void failed(struct event *event)
{
	at_end(event);
	event->data.flags = 0;
	event->data.error = ECONNRESET;
}

static void cut(struct event *event)
{
	event->data = (struct event_data){ .fd = 6,
					   .conn = 2,
					   .proto = PROTO_UDP,
					   .remote = addr_of("10.0.0.9:53"),
					   .dir = DIR_IN,
					   .layer = LAYER_WIRE,
					   .call = "recvfrom",
					   .flags = FLAG_TRUNC | FLAG_PEEK,
					   .full = 100 };
	set_payload(event, "abcd", 4);
	event->data.len = 10;
}

static void from_file(struct event *event)
{
	event->data = (struct event_data){ .fd = 3,
					   .proto = PROTO_FILE,
					   .path = "/tmp/a\nb",
					   .dir = DIR_IN,
					   .layer = LAYER_WIRE,
					   .call = "read",
					   .flags = FLAG_FILE };
	set_payload(event, "gr\xc3\xbc\n", 5);
}

static void plain(struct event *event)
{
	sent(event);
	event->data.layer = LAYER_PLAIN;
	event->data.call = "SSL_write";
	event->data.stack = "main.send\nmain.main";
	set_payload(event, "hi", 2);
}

static void passed(struct event *event)
{
	event->data = (struct event_data){ .fd = 4,
					   .conn = 3,
					   .proto = PROTO_UNIX_DGRAM,
					   .remote = addr_of("@log"),
					   .dir = DIR_IN,
					   .layer = LAYER_WIRE,
					   .call = "recvmsg",
					   .fd_count = 2,
					   .has_cred = true,
					   .cred = { 55, 1000, 4294967295U } };
	event->data.fds = event_room(event, 2 * sizeof(int32_t));
	event->data.fds[0] = 9;
	event->data.fds[1] = 12;
	set_payload(event, "x", 1);
}

static void peer(struct event *event)
{
	closed(event);
	event->socket.what = SOCKET_CONNECT;
	event->socket.remote = addr_of("/run/x");
	event->socket.has_cred = true;
	event->socket.cred = (struct event_cred){ 55, 0, 1 };
}

static void secret(struct event *event)
{
	event->secret.line = "CLIENT_RANDOM 00 11";
}

static void lost(struct event *event)
{
	event->loss = (struct event_loss){
		.reason = "unreadable", .conn = 1, .fd = 5, .bytes = 70, .calls = 2
	};
}

static void dropped(struct event *event)
{
	event->pid = event->tid = 0;
	event->comm[0] = '\0';
	event->loss =
		(struct event_loss){ .reason = "queue-full", .fd = -1, .bytes = 70, .calls = 2 };
}

static void noted(struct event *event)
{
	event->note.text = "io_uring is in use";
}

static void own_note(struct event *event)
{
	event->pid = event->tid = 0;
	event->comm[0] = '\0';
	event->note.text = "the disk is slow";
}

static void finished(struct event *event)
{
	event->pid = event->tid = 0;
	event->comm[0] = '\0';
	event->end = (struct event_end){ .calls_stop = 1,
					 .calls_tap = 2,
					 .calls_again = 3,
					 .stops = 4,
					 .bytes = { { 5, 6 }, { 7, 8 } },
					 .connections = 9,
					 .events = 10,
					 .rings = 13,
					 .lost_bytes = 11,
					 .lost_calls = 12,
					 .wall = 1500000000 };
}

static const struct {
	const char *name;
	enum event_type type;
	void (*fill)(struct event *event);
} samples[] = {
	{ "start", EVENT_IOTRACE, start },
	{ "exec", EVENT_PROCESS, exec },
	{ "fork", EVENT_PROCESS, forked },
	{ "exit", EVENT_PROCESS, ended },
	{ "killed", EVENT_PROCESS, killed },
	{ "open", EVENT_SOCKET, opened },
	{ "connect", EVENT_SOCKET, connecting },
	{ "accept", EVENT_SOCKET, accepted },
	{ "bind", EVENT_SOCKET, bound },
	{ "close", EVENT_SOCKET, closed },
	{ "sent", EVENT_DATA, sent },
	{ "received", EVENT_DATA, received },
	{ "eof", EVENT_DATA, at_end },
	{ "error", EVENT_DATA, failed },
	{ "cut", EVENT_DATA, cut },
	{ "file", EVENT_DATA, from_file },
	{ "plain", EVENT_DATA, plain },
	{ "passed", EVENT_DATA, passed },
	{ "peer", EVENT_SOCKET, peer },
	{ "secret", EVENT_SECRET, secret },
	{ "loss", EVENT_LOSS, lost },
	{ "dropped", EVENT_LOSS, dropped },
	{ "note", EVENT_NOTE, noted },
	{ "own note", EVENT_NOTE, own_note },
	{ "end", EVENT_END, finished },
};

const char *sample_name(size_t number)
{
	return number < sizeof(samples) / sizeof(samples[0]) ? samples[number].name : NULL;
}

struct event *sample_make(const char *name)
{
	for (size_t i = 0; sample_name(i); i++) {
		struct event *event;

		if (strcmp(samples[i].name, name))
			continue;
		event = event_new(samples[i].type, 256);
		event->seq = 7;
		event->time = SAMPLE_TIME;
		event->pid = event->tid = 100;
		event_set_comm(event, "curl");
		samples[i].fill(event);
		return event;
	}
	return NULL;
}
