/*
 * A message is what one end of a connection said to the other, in the words of its protocol: a
 * request, a response, a frame of a WebSocket. Messages are a view of the events that they came
 * from (`-f messages`, docs/messages.md), made when shown, never kept in captures.
 *
 * Life: a decoder makes and fills one, and emits it when it is complete or cannot become so. Whoever
 * is handed one borrows it; who keeps it takes a reference. After it was emitted it is never changed.
 * All of this happens in one thread.
 */
#ifndef EVENT_MESSAGE_H
#define EVENT_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/span.h"
#include "iotrace/event.h"

enum protocol {
	PROTOCOL_DATA, /* not understood */
	PROTOCOL_HTTP1,
	PROTOCOL_HTTP2,
	PROTOCOL_GRPC,
	PROTOCOL_WEBSOCKET,
	PROTOCOL_DNS,
	PROTOCOL_TLS,
	PROTOCOL_REDIS,
	PROTOCOL_POSTGRES,
	PROTOCOL_MYSQL,
	PROTOCOL_SMTP,
	PROTOCOLS,
};

enum message_kind {
	MESSAGE_REQUEST,
	MESSAGE_RESPONSE,
	MESSAGE_ONEWAY, /* one of many in a direction, which nobody answers singly */
	MESSAGE_DATA,   /* bytes that were not understood: one turn of them */
	MESSAGE_NOTE,   /* a decoder's word to the user: attribute `note` */
	MESSAGE_KINDS,
};

/* How an attribute is written: once, as a number, or gathered with its likes into a list. */
enum attr_shape { SHAPE_TEXT, SHAPE_NUMBER, SHAPE_LIST, SHAPE_PAIRS };

/* In the order in which they are shown; attr_rows has their names and shapes. */
enum attr_key {
	ATTR_VERSION,
	ATTR_METHOD,
	ATTR_TARGET,
	ATTR_HOST,
	ATTR_URL,
	ATTR_STATUS,
	ATTR_REASON,
	ATTR_SERVICE,
	ATTR_RPC,
	ATTR_OPCODE,
	ATTR_CODE,
	ATTR_COMMAND,
	ATTR_ARG,
	ATTR_LINE,
	ATTR_SQL,
	ATTR_STATEMENT,
	ATTR_PORTAL,
	ATTR_USER,
	ATTR_DATABASE,
	ATTR_PARAMETER,
	ATTR_TYPE,
	ATTR_TAG,
	ATTR_COLUMN,
	ATTR_ROWS,
	ATTR_AFFECTED,
	ATTR_GRPC_STATUS,
	ATTR_ERROR_CODE,
	ATTR_ERROR,
	ATTR_NOTICE,
	ATTR_ID,
	ATTR_RCODE,
	ATTR_FLAG,
	ATTR_QUESTION,
	ATTR_ANSWER,
	ATTR_AUTHORITY,
	ATTR_ADDITIONAL,
	ATTR_EDNS,
	ATTR_SNI,
	ATTR_ALPN,
	ATTR_CIPHER,
	ATTR_RANDOM,
	ATTR_HEADER,
	ATTR_TRAILER,
	ATTR_PROTOBUF,
	ATTR_NOTE,
	ATTR_KEYS,
};

struct attr_row {
	const char *name; /* in the public form */
	enum attr_shape shape;
};

struct attr {
	enum attr_key key;
	uint64_t number;   /* SHAPE_NUMBER */
	struct span name;  /* SHAPE_PAIRS */
	struct span value; /* any bytes */
	uint64_t full;     /* length of the value before it was cut; ATTR_NULL: there is none */
};

#define ATTR_NULL UINT64_MAX

/* Who spoke and between which ends; shared by the messages of a connection. */
struct origin {
	unsigned int refs;
	int32_t pid, tid;
	char comm[EVENT_COMM_MAX];
	int fd;
	uint64_t conn;
	enum event_proto proto;
	enum event_layer layer;
	struct addr local, remote;
};

enum message_flag {
	MESSAGE_INTERIM = 1U << 0,   /* HTTP 1xx: the response is still to come */
	MESSAGE_PUSHED = 1U << 1,    /* an HTTP/2 request that the server made */
	MESSAGE_CUT = 1U << 2,       /* not all of it is here: `why` */
	MESSAGE_TRUNCATED = 1U << 3, /* all was seen, but not all is kept: attributes or seqs */
	MESSAGE_REDACTED = 1U << 4   /* secrets were taken out */
};
#define MESSAGE_FLAGS 5

/* The payload: what the protocol carries for somebody else. */
struct body {
	struct buf kept;    /* its beginning, or all of it; decoded if `decoded` */
	uint64_t wire;      /* length as it was sent, without framing */
	uint64_t len;       /* length of the content; as `wire` where it is not encoded */
	const char *coding; /* content-coding as the sender names it; NULL: none */
	const char *why;    /* why it is not decoded, or not to the end; NULL: nothing to say */
	bool present;
	bool decoded; /* the coding has been undone */
	bool cut;     /* kept has less than all of it */
	bool settled; /* the decoder is done with it */
	size_t held;  /* bytes that the decoder still counts, while its exchange is not complete */
};

/* Events that a message came from: runs of consecutive seqs. */
struct seq_run {
	uint64_t first, last;
};

struct message {
	unsigned int refs;
	enum protocol protocol;
	enum message_kind kind;
	uint32_t flags; /* enum message_flag */
	enum event_dir dir;
	uint64_t number;       /* from 1, in the order of completion; 0 before */
	uint64_t exchange;     /* it is part of; 0: none */
	uint64_t stream;       /* HTTP/2's; 0: none */
	uint64_t first, last;  /* times of the events with its first and its last byte */
	uint64_t bytes;        /* on the connection, framing included */
	struct origin *origin; /* NULL until the first byte is noted */
	const char *why;       /* why it is cut; NULL: it is not */
	struct seq_run *seqs;
	size_t seq_count;
	struct attr *attrs;
	size_t attr_count;
	struct body body;

	size_t attr_room;   /* bytes that its attributes may still take */
	struct arena arena; /* what its pointers point into */
};

/*
 * A request and what came back, complete when both are. The request is NULL where it was before our
 * time, the response where none came: `why` says so.
 */
struct exchange {
	unsigned int refs;
	uint64_t number; /* from 1, in the order of the requests' beginnings */
	enum protocol protocol;
	struct message *request;
	struct message *response;
	uint64_t parts[DIRS]; /* messages within it beside those two (gRPC), by direction */
	const char *why;
	/* The other end of the connection, where that is traced, too; NULL: it is not. What that end
	 * saw of the exchange is left out. */
	struct origin *peer;
};

/* What became of one connection, told when it is over. Borrowed from who tells it. */
struct connection {
	uint64_t number;       /* from 1, in the order of their ends */
	struct origin *origin; /* who had this end; fd -1 where that is not known */
	struct origin *peer;   /* who had the other one; NULL: not traced */
	bool accepted;         /* by a listening socket, or so it seems */
	bool datagram;
	uint64_t first, last;         /* times of its first and last event */
	uint64_t bytes[LAYERS][DIRS]; /* as many as were seen */
	uint64_t lost;                /* gaps */
	uint64_t exchanges;           /* without the TLS handshake */
	uint64_t messages;            /* understood, beside those of exchanges */
	uint32_t protocols;           /* a bit for each enum protocol that was decoded */
	uint64_t undecoded[DIRS];     /* bytes that no decoder understood */
	struct message *hellos[2];    /* the TLS client's and server's; NULL: none */
	const char *why;              /* why something was not decoded; NULL: nothing to say */
	struct message *note;         /* the first that a decoder had for the user; NULL: none */
	int error;                    /* errno of the call that failed last; 0: none */
};

#define MESSAGE_SEQ_RUNS_MAX 4096

/* A zeroed message with one reference, whose attributes may take so many bytes. */
struct message *message_new(enum protocol protocol, enum message_kind kind, enum event_dir dir,
			    size_t attr_room);
struct message *message_ref(struct message *message);
void message_unref(struct message *message);

/*
 * Adds an attribute; the bytes are copied. One that does not fit any more is left out, and the message
 * marked MESSAGE_TRUNCATED.
 */
void message_add(struct message *message, enum attr_key key, struct span value);
void message_add_text(struct message *message, enum attr_key key, const char *text);
void message_add_textf(struct message *message, enum attr_key key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void message_add_number(struct message *message, enum attr_key key, uint64_t number);
void message_add_pair(struct message *message, enum attr_key key, struct span name,
		      struct span value);
/* A list's item that has no value: SQL's NULL. */
void message_add_null(struct message *message, enum attr_key key);
/* The beginning of a value that was `full` bytes long. */
void message_add_cut(struct message *message, enum attr_key key, struct span value, uint64_t full);

/* Notes an event that bytes of the message came from. */
void message_add_seq(struct message *message, uint64_t seq);

/* The bytes, times and events of a message are those of another one, too. */
void message_absorb(struct message *message, const struct message *other);

/* Marks it as incomplete; `why` must outlive it. The first reason stays. */
void message_cut(struct message *message, const char *why);

/* The first attribute of that key, NULL: none. */
const struct attr *message_attr(const struct message *message, enum attr_key key);
/* Its value; empty where there is none. */
struct span message_value(const struct message *message, enum attr_key key);
/* Its number; `otherwise` where there is none. */
uint64_t message_number(const struct message *message, enum attr_key key, uint64_t otherwise);
/* The first header of that name in any case; empty where there is none. */
struct span message_header(const struct message *message, const char *name);

struct origin *origin_ref(struct origin *origin);
void origin_unref(struct origin *origin);

struct exchange *exchange_new(enum protocol protocol);
struct exchange *exchange_ref(struct exchange *exchange);
void exchange_unref(struct exchange *exchange);

/* From the request's last byte to the response's first; 0 where one of them is missing. */
uint64_t exchange_wait(const struct exchange *exchange);
/* From its first byte to its last. */
uint64_t exchange_duration(const struct exchange *exchange);

/* The names of the public form; message_flag_names by the bit's number. */
extern const char *const protocol_names[PROTOCOLS];
extern const char *const message_kind_names[MESSAGE_KINDS];
extern const char *const message_flag_names[MESSAGE_FLAGS];
extern const struct attr_row attr_rows[ATTR_KEYS];

#endif
