/*
 * Turns stops into events: which bytes, which socket, which direction. The one implementation of
 * tracer_ops, and the first sink's source.
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include "event/sink.h"
#include "tracer/tracer.h"

struct capture;

/* How calls are seen: by stops, or recorded by an agent inside the process where that can be done. */
enum capture_engine { ENGINE_AUTO, ENGINE_STOP, ENGINE_TAP };

struct capture_options {
	enum capture_engine engine;
	bool again;                /* EAGAIN is an event, too (--errors) */
	bool lsan_off;             /* no note about LeakSanitizer: it was switched off */
	bool unix_sockets;         /* local sockets, too */
	bool all_fds;              /* files, pipes and terminals, too */
	bool no_tls;               /* no probes on TLS libraries */
	const char *const *probes; /* the user's, ended by NULL; may be NULL */
	bool no_follow;            /* children of attached processes are let go */
	bool no_io_uring;          /* io_uring_setup fails with ENOSYS */
	bool stack;                /* where in the program each call was made */
	uint64_t max_bytes;        /* kept of one message; 0: all */
	bool explain;              /* a note where calls cannot be recorded inside the process */
};

struct capture *capture_new(const struct capture_options *options);
void capture_free(struct capture *capture);

/* Where the events go; borrowed, and finished by its owner. To be set before anything is started. */
void capture_set_sink(struct capture *capture, struct sink *sink);

/*
 * For tracer_new: the ops, with the capture as ctx; then the tracer, before anything is started. 0, or
 * the number (from 1) of a probe that makes no sense, and why in *ret_why.
 */
extern const struct tracer_ops capture_ops;
int capture_set_tracer(struct capture *capture, struct tracer *tracer, const char **ret_why);

/*
 * Before a process is attached, or where one will be that is like it: looks at its code, so that it need
 * not be stopped for so long.
 */
void capture_learn(struct capture *capture, pid_t pid);

/* The name of the engine that is used; "stop" has the reason in *ret_why (NULL: it was asked for). */
const char *capture_engine(const struct capture *capture, const char **ret_why);

/* True if functions are to be probed: struct tracer_options has to know. */
bool capture_probes(const struct capture *capture);

/* For struct spawn: true if the process has a descriptor that is a captured socket. */
bool capture_owns_socket(void *capture, pid_t pid);

/* Called from the tracer's ops.kicked. */
void capture_set_kicked(struct capture *capture, void (*kicked)(void *ctx), void *ctx);

/* No further events but notes and the last one; the programs go on. */
void capture_stop(struct capture *capture);

/* A note to the user, as an event of the running trace. */
void capture_note(struct capture *capture, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The last event: the totals. */
void capture_end(struct capture *capture);

#endif
