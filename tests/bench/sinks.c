/*
 * Feeds one format with events of one kind, as a busy trace would, and prints what it takes.
 *
 *   sinks FORMAT FILE bulk|small MEGABYTES
 */
#include "base/addr.h"
#include "base/clock.h"
#include "view/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct addr addr_of(const char *text)
{
	struct addr addr = { 0 };

	if (!addr_parse(&addr, text, strlen(text)))
		abort();
	return addr;
}

/* Text and binary turn by turn; the last event is told by its number. */
static struct event *make(size_t payload, uint64_t number)
{
	struct event *event = event_new(EVENT_DATA, payload);
	uint64_t noise = number;

	event->pid = event->tid = 4711;
	event_set_comm(event, "redis-server");
	event->data.fd = 7;
	event->data.conn = 1 + number % 20;
	event->data.proto = PROTO_TCP;
	event->data.local = addr_of("127.0.0.1:6379");
	event->data.remote = addr_of("127.0.0.1:40000");
	event->data.remote.in.sin_port += (in_port_t)(number % 20);
	event->data.dir = number % 2 ? DIR_IN : DIR_OUT;
	event->data.call = number % 2 ? "read" : "write";
	event->data.dur = 2500;
	event->data.payload = event_room(event, payload);
	event->data.len = event->data.captured = payload;
	for (size_t i = 0; i < payload; i++) {
		noise = noise * 6364136223846793005ULL + 1442695040888963407ULL;
		event->data.payload[i] = number % 4 < 2 ? (uint8_t)('a' + (noise >> 40) % 26)
							: (uint8_t)(noise >> 40);
	}
	return event;
}

#define EVENTS 64

int main(int argc, char **argv)
{
	const struct format_options options = { 0 };
	const struct format *format = argc == 5 ? format_by_name(argv[1]) : NULL;
	size_t payload = argc == 5 && !strcmp(argv[3], "bulk") ? 256 << 10 : 64;
	uint64_t bytes = argc == 5 ? strtoull(argv[4], NULL, 10) << 20 : 0, count, started, taken;
	struct event *events[EVENTS];
	struct sink *sink;
	struct out *out;
	int error;

	if (!format)
		return 2;
	out = out_open(argv[2], 1, &error);
	if (!out)
		return 1;
	sink = format->open(out, &options);
	for (uint64_t i = 0; i < EVENTS; i++)
		events[i] = make(payload, i);
	count = bytes / payload;
	started = clock_monotonic();
	for (uint64_t i = 0; i < count; i++) {
		struct event *event = events[i % EVENTS];

		event->seq = i + 1;
		event->time = 1700000000000000000ULL + i * 1000;
		sink_emit(sink, event);
	}
	error = sink_finish(sink);
	taken = clock_monotonic() - started;
	printf("%.0f %.0f\n", (double)(count * payload) / 1e6 / ((double)taken / 1e9),
	       (double)count / ((double)taken / 1e9));
	for (size_t i = 0; i < EVENTS; i++)
		event_unref(events[i]);
	return error ? 1 : 0;
}
