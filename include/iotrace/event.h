/*
 * An event is a fact about a traced program: the one kind of thing that flows through iotrace, from
 * the capture to every sink, and that captures hold. JSON Lines (docs/events.md) is its public
 * form.
 *
 * Life: event_new, fill, hand to a sink, event_unref. A sink borrows the event for the length of
 * emit(); one that keeps it takes a reference. After it was emitted an event is never changed.
 */
#ifndef IOTRACE_EVENT_H
#define IOTRACE_EVENT_H

#include "iotrace/addr.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_SCHEMA 1

/* TASK_COMM_LEN of the kernel, with the NUL; kept as clean UTF-8, which may need 3 bytes a byte. */
#define EVENT_COMM_MAX 48

enum event_type {
	EVENT_IOTRACE, /* the first */
	EVENT_PROCESS,
	EVENT_SOCKET,
	EVENT_DATA,
	EVENT_SECRET,
	EVENT_LOSS,
	EVENT_NOTE,
	EVENT_END, /* the last */
	EVENT_TYPES,
};

enum process_event {
	PROCESS_START,
	PROCESS_FOUND,
	PROCESS_FORK,
	PROCESS_EXEC,
	PROCESS_EXIT,
	PROCESS_EVENTS,
};

enum socket_event {
	SOCKET_OPEN,
	SOCKET_FOUND,
	SOCKET_BIND,
	SOCKET_LISTEN,
	SOCKET_CONNECT,
	SOCKET_ACCEPT,
	SOCKET_SHUTDOWN,
	SOCKET_CLOSE,
	SOCKET_EVENTS,
};

/* What shutdown(2) ended. */
enum shutdown_how { SHUTDOWN_NONE, SHUTDOWN_READ, SHUTDOWN_WRITE, SHUTDOWN_BOTH, SHUTDOWN_HOWS };

enum event_family { FAMILY_NONE, FAMILY_INET, FAMILY_INET6, FAMILY_UNIX, FAMILIES };

enum event_proto {
	PROTO_NONE,
	PROTO_TCP,
	PROTO_UDP,
	PROTO_RAW,
	PROTO_UNIX_STREAM,
	PROTO_UNIX_DGRAM,
	PROTO_UNIX_SEQPACKET,
	PROTO_SCTP,
	PROTO_DCCP,
	PROTO_UDPLITE,
	PROTO_MPTCP,
	PROTO_ICMP,
	PROTO_FILE,
	PROTO_PIPE,
	PROTO_TTY,
	PROTO_OTHER,
	PROTOS,
};

enum event_dir { DIR_OUT, DIR_IN, DIRS };
enum event_layer { LAYER_WIRE, LAYER_PLAIN, LAYERS };

enum event_flag {
	FLAG_PEEK = 1U << 0,     /* MSG_PEEK: will be read again, not in the totals */
	FLAG_OOB = 1U << 1,      /* MSG_OOB */
	FLAG_EOF = 1U << 2,      /* a stream read of 0 bytes: the peer has shut down */
	FLAG_ERRQUEUE = 1U << 3, /* MSG_ERRQUEUE */
	FLAG_TRUNC = 1U << 4,    /* the datagram was larger than the buffer */
	FLAG_FILE = 1U << 5,     /* bytes read from the file or pipe side (sendfile, splice) */
	FLAG_KTLS = 1U << 6,     /* the kernel encrypts: these bytes are plaintext */
};
#define EVENT_FLAGS 7

/* Strings with their NULs, one after the other, as /proc/PID/cmdline has them. */
struct event_strings {
	const char *data;
	size_t len;
};

struct event_start {
	int schema;
	const char *version;
	struct event_strings argv;
	const char *host;
	const char *kernel;
	const char *engine;
};

struct event_process {
	enum process_event what;
	int32_t ppid;              /* 0: not known */
	const char *exe;           /* NULL: not known */
	struct event_strings argv; /* data NULL: none */
	int status;                /* exit status, -1: none */
	int signal;                /* that ended it, 0: none */
};

/* SCM_CREDENTIALS and SO_PEERCRED. */
struct event_cred {
	int32_t pid;
	uint32_t uid, gid;
};

struct event_socket {
	enum socket_event what;
	int fd; /* -1: none */
	uint64_t conn;
	enum event_family family;
	enum event_proto proto;
	struct addr local;
	struct addr remote;
	enum shutdown_how how; /* of SOCKET_SHUTDOWN */
	bool has_cred;
	struct event_cred cred; /* of a unix socket's peer */
	int error;              /* errno, 0: none */
};

struct event_data {
	int fd;
	uint64_t conn; /* 0: none (files) */
	enum event_proto proto;
	struct addr local;
	struct addr remote;
	const char *path; /* of a file, pipe or terminal; NULL: none */
	enum event_dir dir;
	enum event_layer layer;
	const char *call;
	uint64_t len;   /* bytes moved */
	uint64_t dur;   /* nanoseconds in the call; 0: it was under way when we came */
	uint64_t full;  /* size of a datagram that was cut; 0: it was not */
	uint32_t flags; /* enum event_flag */
	int32_t *fds;   /* descriptors passed with it (SCM_RIGHTS), by the process's numbers */
	uint32_t fd_count;
	bool has_cred;
	struct event_cred cred; /* of the sender (SCM_CREDENTIALS) */
	int error;              /* errno; then there is no len and no payload */
	uint8_t *payload;       /* `captured` bytes */
	uint64_t captured; /* bytes kept; less than len where something was cut or unreadable */
	const char *stack; /* frames, outermost last, one a line; NULL: none */
};

struct event_secret {
	const char *line;
};

struct event_loss {
	const char *reason;
	uint64_t conn; /* 0: none */
	int fd;        /* -1: none */
	uint64_t bytes;
	uint64_t calls;
};

struct event_note {
	const char *text;
};

struct event_end {
	uint64_t calls_stop;          /* recorded calls by the stop engine */
	uint64_t calls_tap;           /* … and by the tap */
	uint64_t calls_again;         /* EAGAIN, EWOULDBLOCK */
	uint64_t stops;               /* ptrace-stops handled */
	uint64_t bytes[LAYERS][DIRS]; /* moved, without what was only peeked at */
	uint64_t connections;
	uint64_t events; /* before this one */
	uint64_t rings;  /* io_urings that were made or inherited */
	uint64_t lost_bytes, lost_calls;
	uint64_t wall; /* nanoseconds */
};

struct event {
	enum event_type type;
	uint64_t seq;  /* from 1, given when it is kept; 0 before */
	uint64_t time; /* nanoseconds since the Unix epoch, when the call returned */
	int32_t pid;   /* 0: none */
	int32_t tid;
	char comm[EVENT_COMM_MAX];
	union {
		struct event_start start;
		struct event_process process;
		struct event_socket socket;
		struct event_data data;
		struct event_secret secret;
		struct event_loss loss;
		struct event_note note;
		struct event_end end;
	};

	void *owned; /* heap that goes with the event; NULL: none */
	/* The event's own memory, which its pointers point into; see event_room and event_text. */
	atomic_uint refs;
	size_t room_used, room_size;
	uint8_t room[];
};

/* A zeroed event with `room` bytes of its own for strings and payload; one reference. */
struct event *event_new(enum event_type type, size_t room);
struct event *event_ref(struct event *event);
void event_unref(struct event *event);

/* Bytes this event occupies in memory. */
size_t event_size(const struct event *event);

/* Takes len bytes of the event's room; NULL where it has not that much. */
void *event_room(struct event *event, size_t len);

/* Copies len bytes (or a C string) as clean UTF-8 into the room, cut where it does not fit. */
const char *event_text_len(struct event *event, const char *text, size_t len);
const char *event_text(struct event *event, const char *text);

/* Room that event_text_len needs for len bytes, whatever they are. */
#define EVENT_TEXT_ROOM(len) (3 * (len) + 1)

/* The kernel's name of a task as clean UTF-8. */
void event_clean_comm(char clean[EVENT_COMM_MAX], const char *comm);
void event_set_comm(struct event *event, const char *comm);

/* Bytes that a data event adds to the totals: none for errors and peeks. */
uint64_t event_moved(const struct event *event);

/*
 * The names of the public form, by value; NULL beyond the last. event_flag_name takes the bit's
 * number. event_name_find is the way back: the index of name in names[0..count), or -1.
 */
extern const char *const event_type_names[EVENT_TYPES];
extern const char *const process_event_names[PROCESS_EVENTS];
extern const char *const socket_event_names[SOCKET_EVENTS];
extern const char *const shutdown_how_names[SHUTDOWN_HOWS];
extern const char *const event_family_names[FAMILIES];
extern const char *const event_proto_names[PROTOS];
extern const char *const event_dir_names[DIRS];
extern const char *const event_layer_names[LAYERS];
extern const char *const event_flag_names[EVENT_FLAGS];
int event_name_find(const char *const *names, size_t count, const char *name, size_t len);

/* True where a message's borders mean something: one call, one datagram. */
bool event_proto_is_datagram(enum event_proto proto);

#endif
