/* How decoders tell what they have found out: messages, their bodies, exchanges, notes. */
#include "base/own.h"
#include "decode/channel.h"
#include "decode/coding.h"
#include "decode/conversation.h"
#include "decode/limits.h"

#include <errno.h>

static struct decode *decode_of(const struct channel *channel)
{
	return channel->conversation->decode;
}

struct message *channel_message(struct channel *channel, enum message_kind kind, enum event_dir dir)
{
	enum protocol protocol = channel->decoder ? channel->decoder->protocol : PROTOCOL_DATA;

	return message_new(protocol, kind, dir, ATTRS_MAX);
}

void channel_note(struct channel *channel, struct message *message, struct span part)
{
	/* Nothing is no part of an event, but for an empty datagram, which is one. */
	if (part.len || channel->datagram)
		side_note(&channel->sides[message->dir], message, part);
}

void channel_body(struct channel *channel, struct message *message, struct span part)
{
	channel_note(channel, message, part);
	channel_content(channel, message, part);
}

void channel_content(struct channel *channel, struct message *message, struct span content)
{
	struct body *body = &message->body;
	size_t max = channel_body_max(channel), room;

	room = max > body->kept.len && !body->cut ? max - body->kept.len : 0;
	if (channel->kept >= KEPT_MAX)
		room = 0;
	else if (room > KEPT_MAX - channel->kept)
		room = KEPT_MAX - channel->kept;
	if (room > content.len)
		room = content.len;
	buf_add(&body->kept, content.data, room);
	channel->kept += room;
	body->present = true;
	body->wire += content.len;
	body->cut |= room < content.len;
}

void channel_body_lost(struct channel *channel, struct message *message, uint64_t len)
{
	(void)channel;
	message->body.present = true;
	message->body.cut = true;
	message->body.wire += len;
	message_cut(message, "bytes were lost");
}

static void undo_coding(struct body *body, size_t max)
{
	struct buf out = { 0 };
	const char *why = coding_undo(span_text(body->coding),
				      span_of(body->kept.data, body->kept.len), max, &out);

	/* What was cut off cannot be complete: that is no news. */
	body->why = body->cut && why == coding_unfinished ? NULL : why;
	if (why && !out.len) {
		buf_done(&out);
		return;
	}
	buf_done(&body->kept);
	body->kept = out;
	body->len = out.len;
	body->decoded = true;
	body->cut |= why != NULL;
}

void channel_settle(struct channel *channel, struct message *message)
{
	struct body *body = &message->body;

	if (body->settled)
		return;
	body->settled = true;
	channel->kept -= body->kept.len;
	body->len = body->wire;
	if (channel_body_max(channel) >= CODING_WORTH && body->kept.len && body->coding &&
	    coding_is_any(span_text(body->coding)))
		undo_coding(body, channel_body_max(channel));
}

void channel_emit(struct channel *channel, struct message *message)
{
	struct decode *decode = decode_of(channel);

	channel_settle(channel, message);
	if (!message->origin && channel->conversation->origin)
		message->origin = origin_ref(channel->conversation->origin);
	message->number = ++decode->messages;
	/* Its exchange keeps it. */
	if (message->refs > 1 && message->exchange && message->kind <= MESSAGE_RESPONSE &&
	    !message->body.held) {
		message->body.held = message->body.kept.len;
		channel->kept += message->body.held;
	}
	message_sink_message(decode->sink, message);
	message_unref(message);
}

void channel_drop(struct channel *channel, struct message *message)
{
	if (!message)
		return;
	if (!message->body.settled)
		channel->kept -= message->body.kept.len;
	message_unref(message);
}

struct exchange *channel_exchange(struct channel *channel)
{
	struct exchange *exchange = exchange_new(channel->decoder->protocol);

	exchange->number = ++decode_of(channel)->exchanges;
	return exchange;
}

void channel_request(struct exchange *exchange, struct message *request)
{
	message_unref(exchange->request);
	request->exchange = exchange->number;
	exchange->request = message_ref(request);
}

void channel_response(struct exchange *exchange, struct message *response)
{
	message_unref(exchange->response);
	response->exchange = exchange->number;
	exchange->response = message_ref(response);
}

static void release_held(struct channel *channel, struct message *message)
{
	if (!message)
		return;
	channel->kept -= message->body.held;
	message->body.held = 0;
}

void channel_exchange_emit(struct channel *channel, struct exchange *exchange)
{
	release_held(channel, exchange->request);
	release_held(channel, exchange->response);
	message_sink_exchange(decode_of(channel)->sink, exchange);
	exchange_unref(exchange);
}

size_t channel_body_max(const struct channel *channel)
{
	return decode_of(channel)->options.body_max;
}

void channel_want(struct channel *channel, enum event_dir dir, size_t len)
{
	channel->sides[dir].want = len;
}

bool channel_is_pressed(const struct channel *channel, enum event_dir dir)
{
	return channel->closing || channel->sides[dir].window.len > HELD_MAX / 2;
}

bool channel_is_ended(const struct channel *channel, enum event_dir dir)
{
	return channel->sides[dir].ended;
}

void channel_switch(struct channel *channel, const struct decoder *next)
{
	channel->switching = true;
	channel->next = next;
}

ssize_t channel_give_up(struct channel *channel, enum event_dir dir, const char *why)
{
	(void)dir;
	channel->why = why;
	return -EBADMSG;
}

void channel_tell(struct channel *channel, enum event_dir dir, const char *text)
{
	struct message *note = channel_message(channel, MESSAGE_NOTE, dir);
	const struct side *side = &channel->sides[dir];

	message_add_text(note, ATTR_NOTE, text);
	/* What it is about is what comes next. */
	side_note(side, note, span_cut(side->window, 0, 1));
	note->bytes = 0;
	channel_emit(channel, note);
}
