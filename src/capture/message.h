/*
 * One message of a call: its bytes, its address, what came with it. Most calls move one; sendmmsg
 * and recvmmsg many. Made at the call's entry, finished at its exit as a data event.
 */
#ifndef CAPTURE_MESSAGE_H
#define CAPTURE_MESSAGE_H

#include "capture/gather.h"
#include "iotrace/event.h"
#include "tracer/task.h"

/* Descriptors of one SCM_RIGHTS: SCM_MAX_FD. */
#define CONTROL_FDS 253

/* What control data say: descriptors and credentials that go with a message. */
struct control {
	int32_t *fds; /* heap; NULL: none */
	uint32_t fd_count;
	bool has_cred;
	struct event_cred cred;
	uint8_t record; /* kernel TLS: the record's type; 0: none is given */
};

struct message {
	struct gather gather; /* where its bytes are */
	struct event *event;  /* the bytes, where they were copied at the entry */
	uint64_t copied;      /* how many of them */
	struct addr addr;     /* destination or source; empty: the call gave none */
	uint32_t flags;       /* MSG_ flags that the kernel wrote back */
	struct control control;
};

/* What there is to know of a finished call beside the message. */
struct message_call {
	enum event_dir dir;
	const char *name;
	uint32_t flags;     /* MSG_ flags of the call */
	uint64_t max_bytes; /* to be kept of one message; 0: all */
	bool is_stream;     /* reading 0 bytes is an end */
	const char *path;   /* of a file; NULL: none */
	bool discards;      /* MSG_TRUNC on a stream: the bytes do not reach the buffer */
};

/* At the entry of a sending call: copies the bytes if they are not too many. */
void message_copy_out(struct message *message, const struct task *task,
		      const struct message_call *call);

/*
 * The data event of a message of which the kernel moved ret bytes: layer, direction, call, len,
 * full, captured, flags and payload are set. *ret_missing: bytes that should have been kept and were
 * not readable.
 */
struct event *message_event_out(struct message *message, const struct task *task,
				const struct message_call *call, uint64_t ret,
				uint64_t *ret_missing);
struct event *message_event_in(struct message *message, const struct task *task,
			       const struct message_call *call, uint64_t ret,
			       uint64_t *ret_missing);

/*
 * An outgoing or incoming event of ret bytes whose payload the caller fills: it has room for
 * event->data.captured bytes, which is message_kept(ret).
 */
struct event *message_event_bytes(const struct message *message, const struct message_call *call,
				  uint64_t ret);
uint64_t message_kept(const struct message_call *call, uint64_t len);

/* The event of a call that failed. */
struct event *message_event_error(const struct message_call *call, int error);

void message_done(struct message *message);

/* control.c: reads control data; hostile, bounded. Adds to what is in ret_control. */
void control_read(struct control *ret_control, const struct task *task, uint64_t at, uint64_t len);
void control_done(struct control *control);

#endif
