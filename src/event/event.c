/* The life of an event and the words of its public form. */
#include "iotrace/event.h"

#include "base/own.h"
#include "base/utf8.h"
#include "event/pool.h"

#include <string.h>

const char *const event_type_names[EVENT_TYPES] = {
	[EVENT_IOTRACE] = "iotrace", [EVENT_PROCESS] = "process", [EVENT_SOCKET] = "socket",
	[EVENT_DATA] = "data",       [EVENT_SECRET] = "secret",   [EVENT_LOSS] = "loss",
	[EVENT_NOTE] = "note",       [EVENT_END] = "end",
};

const char *const process_event_names[PROCESS_EVENTS] = {
	[PROCESS_START] = "start", [PROCESS_FOUND] = "found", [PROCESS_FORK] = "fork",
	[PROCESS_EXEC] = "exec",   [PROCESS_EXIT] = "exit",
};

const char *const socket_event_names[SOCKET_EVENTS] = {
	[SOCKET_OPEN] = "open",         [SOCKET_FOUND] = "found",     [SOCKET_BIND] = "bind",
	[SOCKET_LISTEN] = "listen",     [SOCKET_CONNECT] = "connect", [SOCKET_ACCEPT] = "accept",
	[SOCKET_SHUTDOWN] = "shutdown", [SOCKET_CLOSE] = "close",
};

const char *const shutdown_how_names[SHUTDOWN_HOWS] = {
	[SHUTDOWN_READ] = "read",
	[SHUTDOWN_WRITE] = "write",
	[SHUTDOWN_BOTH] = "both",
};

const char *const event_family_names[FAMILIES] = {
	[FAMILY_INET] = "inet",
	[FAMILY_INET6] = "inet6",
	[FAMILY_UNIX] = "unix",
};

const char *const event_proto_names[PROTOS] = {
	[PROTO_TCP] = "tcp",
	[PROTO_UDP] = "udp",
	[PROTO_RAW] = "raw",
	[PROTO_UNIX_STREAM] = "unix-stream",
	[PROTO_UNIX_DGRAM] = "unix-dgram",
	[PROTO_UNIX_SEQPACKET] = "unix-seqpacket",
	[PROTO_SCTP] = "sctp",
	[PROTO_DCCP] = "dccp",
	[PROTO_UDPLITE] = "udplite",
	[PROTO_MPTCP] = "mptcp",
	[PROTO_ICMP] = "icmp",
	[PROTO_FILE] = "file",
	[PROTO_PIPE] = "pipe",
	[PROTO_TTY] = "tty",
	[PROTO_OTHER] = "other",
};

const char *const event_dir_names[DIRS] = { [DIR_OUT] = "out", [DIR_IN] = "in" };
const char *const event_layer_names[LAYERS] = { [LAYER_WIRE] = "wire", [LAYER_PLAIN] = "plain" };

const char *const event_flag_names[EVENT_FLAGS] = {
	"peek", "oob", "eof", "errqueue", "trunc", "file", "ktls",
};

int event_name_find(const char *const *names, size_t count, const char *name, size_t len)
{
	for (size_t i = 0; i < count; i++)
		if (names[i] && strlen(names[i]) == len && !memcmp(names[i], name, len))
			return (int)i;
	return -1;
}

bool event_proto_is_datagram(enum event_proto proto)
{
	switch (proto) {
	case PROTO_UDP:
	case PROTO_RAW:
	case PROTO_UNIX_DGRAM:
	case PROTO_UNIX_SEQPACKET:
	case PROTO_UDPLITE:
	case PROTO_DCCP:
	case PROTO_ICMP:
		return true;
	default:
		return false;
	}
}

struct event *event_new(enum event_type type, size_t room)
{
	struct event *event = pool_take(sizeof(*event) + room);

	memset(event, 0, sizeof(*event));
	event->type = type;
	event->room_size = room;
	atomic_init(&event->refs, 1);
	return event;
}

struct event *event_ref(struct event *event)
{
	atomic_fetch_add_explicit(&event->refs, 1, memory_order_relaxed);
	return event;
}

void event_unref(struct event *event)
{
	if (!event || atomic_fetch_sub_explicit(&event->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(event->owned);
	pool_give(event, event_size(event));
}

size_t event_size(const struct event *event)
{
	return sizeof(*event) + event->room_size;
}

void *event_room(struct event *event, size_t len)
{
	void *start = event->room + event->room_used;

	if (len > event->room_size - event->room_used)
		return NULL;
	event->room_used += len;
	return start;
}

/* As utf8_clean, into limited room: it ends at a character's border. */
static size_t copy_clean(char *to, size_t room, const char *text, size_t len)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t at = 0, used = 0, n, take;
	uint32_t code;

	while (at < len) {
		n = utf8_decode(text + at, len - at, &code);
		take = n ? n : sizeof(replacement) - 1;
		if (take > room - used)
			break;
		memcpy(to + used, n ? text + at : replacement, take);
		used += take;
		at += n ? n : 1;
	}
	return used;
}

const char *event_text_len(struct event *event, const char *text, size_t len)
{
	size_t free_room = event->room_size - event->room_used;
	char *copy = (char *)event->room + event->room_used;

	if (!free_room)
		return "";
	if (utf8_valid(text, len)) {
		if (len > free_room - 1)
			len = utf8_valid_prefix(text, free_room - 1);
		memcpy(copy, text, len);
	} else {
		len = copy_clean(copy, free_room - 1, text, len);
	}
	copy[len] = '\0';
	event->room_used += len + 1;
	return copy;
}

const char *event_text(struct event *event, const char *text)
{
	return event_text_len(event, text, strlen(text));
}

void event_clean_comm(char clean[EVENT_COMM_MAX], const char *comm)
{
	clean[utf8_clean(comm, strnlen(comm, (EVENT_COMM_MAX - 1) / 3), clean)] = '\0';
}

void event_set_comm(struct event *event, const char *comm)
{
	event_clean_comm(event->comm, comm);
}

uint64_t event_moved(const struct event *event)
{
	if (event->type != EVENT_DATA || event->data.error ||
	    (event->data.flags & (FLAG_PEEK | FLAG_ERRQUEUE)))
		return 0;
	return event->data.len;
}
