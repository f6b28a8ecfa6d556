#include "capture/message.h"

#include "base/own.h"

#include <string.h>
#include <sys/socket.h>

/* Messages that are longer are copied at their call's exit, so that only what was moved is copied. */
#define ENTRY_COPY_MAX (256U << 10)

/* An over-allocation below this is kept. */
#define SLACK 4096U

static struct event *new_data(const struct message_call *call, const struct control *control,
			      size_t room)
{
	size_t fds = control ? control->fd_count * sizeof(int32_t) : 0;
	size_t path = call->path ? EVENT_TEXT_ROOM(strlen(call->path)) : 0;
	struct event *event = event_new(EVENT_DATA, room + fds + path);

	event->data.dir = call->dir;
	event->data.layer = LAYER_WIRE;
	event->data.call = call->name;
	if (fds) {
		event->data.fds = event_room(event, fds);
		event->data.fd_count = control->fd_count;
		memcpy(event->data.fds, control->fds, fds);
	}
	if (control && control->has_cred) {
		event->data.has_cred = true;
		event->data.cred = control->cred;
	}
	event->data.payload = event_room(event, room);
	if (path)
		event->data.path = event_text(event, call->path);
	return event;
}

uint64_t message_kept(const struct message_call *call, uint64_t len)
{
	return call->max_bytes && len > call->max_bytes ? call->max_bytes : len;
}

void message_copy_out(struct message *message, const struct task *task,
		      const struct message_call *call)
{
	uint64_t want = message_kept(call, message->gather.total);
	ssize_t copied;

	if (want > ENTRY_COPY_MAX)
		return;
	message->event = new_data(call, &message->control, want);
	copied = gather_copy(&message->gather, task, message->event->data.payload, want);
	message->copied = copied > 0 ? (uint64_t)copied : 0;
}

static uint32_t flags_of_call(const struct message_call *call)
{
	return (call->flags & MSG_PEEK ? FLAG_PEEK : 0U) | (call->flags & MSG_OOB ? FLAG_OOB : 0U) |
	       (call->flags & MSG_ERRQUEUE ? FLAG_ERRQUEUE : 0U);
}

/* Reading 0 bytes is one of a stream; what the error queue tells (MSG_ZEROCOPY) seldom has any. */
static bool is_end(const struct message_call *call, const struct event *event)
{
	return call->is_stream && !(event->data.flags & FLAG_ERRQUEUE);
}

/* Gives back what a copy made for a large request has too much. */
static struct event *fit(struct event *event, const struct message *message,
			 const struct message_call *call, uint64_t len)
{
	struct event *small;

	if (event->room_size < len + SLACK)
		return event;
	small = new_data(call, &message->control, len);
	memcpy(small->data.payload, event->data.payload, len);
	event_unref(event);
	return small;
}

struct event *message_event_out(struct message *message, const struct task *task,
				const struct message_call *call, uint64_t ret,
				uint64_t *ret_missing)
{
	uint64_t want = message_kept(call, ret),
		 got = message->copied < want ? message->copied : want;
	struct event *event = message->event;
	ssize_t copied;

	message->event = NULL;
	if (event) {
		event = fit(event, message, call, got);
	} else {
		event = new_data(call, &message->control, want);
		copied = gather_copy(&message->gather, task, event->data.payload, want);
		got = copied > 0 ? (uint64_t)copied : 0;
	}
	event->data.len = ret;
	event->data.captured = got;
	event->data.flags = flags_of_call(call);
	*ret_missing = want - got;
	return event;
}

struct event *message_event_in(struct message *message, const struct task *task,
			       const struct message_call *call, uint64_t ret, uint64_t *ret_missing)
{
	uint64_t total = message->gather.unreadable ? ret : message->gather.total;
	uint64_t len = ret < total ? ret : total, want = message_kept(call, len);
	struct event *event = new_data(call, &message->control, want);
	ssize_t copied = 0;

	if (!call->discards)
		copied = gather_copy(&message->gather, task, event->data.payload, want);
	event->data.len = len;
	event->data.captured = copied > 0 ? (uint64_t)copied : 0;
	event->data.flags = flags_of_call(call);
	if (ret > len)
		event->data.full = ret;
	if (ret > len || message->flags & MSG_TRUNC)
		event->data.flags |= FLAG_TRUNC;
	if (message->flags & MSG_ERRQUEUE)
		event->data.flags |= FLAG_ERRQUEUE;
	if (!ret && total && is_end(call, event))
		event->data.flags |= FLAG_EOF;
	/* What was only looked at is not lost. */
	*ret_missing = event->data.flags & FLAG_PEEK ? 0 : want - event->data.captured;
	return event;
}

struct event *message_event_bytes(const struct message *message, const struct message_call *call,
				  uint64_t ret)
{
	struct event *event = new_data(call, &message->control, message_kept(call, ret));

	event->data.len = ret;
	event->data.captured = message_kept(call, ret);
	event->data.flags = flags_of_call(call);
	if (!ret && call->dir == DIR_IN && is_end(call, event))
		event->data.flags |= FLAG_EOF;
	return event;
}

struct event *message_event_error(const struct message_call *call, int error)
{
	struct event *event = new_data(call, NULL, 0);

	event->data.error = error;
	event->data.flags = flags_of_call(call);
	return event;
}

void message_done(struct message *message)
{
	event_unref(message->event);
	gather_done(&message->gather);
	control_done(&message->control);
	*message = (struct message){ 0 };
}
