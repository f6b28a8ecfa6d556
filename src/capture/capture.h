/*
 * Turns stops into events: which bytes, which socket, which direction. The one implementation of
 * tracer_ops, and the first sink's source.
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include "event/sink.h"
#include "tracer/tracer.h"

struct capture;

struct capture_options {
	bool again;    /* EAGAIN is an event, too (--errors) */
	bool lsan_off; /* no note about LeakSanitizer: it was switched off */
};

/* The sink is borrowed, and finished by its owner. */
struct capture *capture_new(const struct capture_options *options, struct sink *sink);
void capture_free(struct capture *capture);

/* For tracer_new: the ops, with the capture as ctx; then the tracer, before anything is started. */
extern const struct tracer_ops capture_ops;
void capture_set_tracer(struct capture *capture, struct tracer *tracer);

/* For struct spawn: true if the process has a descriptor that is a captured socket. */
bool capture_owns_socket(void *capture, pid_t pid);

/* Called from the tracer's ops.kicked. */
void capture_set_kicked(struct capture *capture, void (*kicked)(void *ctx), void *ctx);

/* A note to the user, as an event of the running trace. */
void capture_note(struct capture *capture, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The last event: the totals. */
void capture_end(struct capture *capture);

#endif
