#include "decode/conversation.h"

#include "base/addr.h"
#include "base/own.h"

#include <string.h>

struct decode *decode_new(const struct decode_options *options, struct message_sink *sink)
{
	struct decode *decode = own_zalloc(sizeof(*decode));

	decode->options = *options;
	decode->sink = sink;
	return decode;
}

void decode_free(struct decode *decode)
{
	free(decode);
}

bool decode_is_protocol(const char *name)
{
	return decoder_find(name) != NULL;
}

uint64_t decode_messages(const struct decode *decode)
{
	return decode->messages;
}

struct conversation *conversation_new(struct decode *decode, const struct conversation_facts *facts)
{
	struct conversation *conversation = own_zalloc(sizeof(*conversation));

	conversation->decode = decode;
	conversation->facts = *facts;
	channel_init(&conversation->wire, conversation, LAYER_WIRE, facts);
	return conversation;
}

static bool is_origin(const struct origin *origin, const struct event *event)
{
	const struct event_data *data = &event->data;

	return origin && origin->pid == event->pid && origin->tid == event->tid &&
	       origin->fd == data->fd && origin->layer == data->layer &&
	       addr_equal(&origin->local, &data->local) &&
	       addr_equal(&origin->remote, &data->remote) && !strcmp(origin->comm, event->comm);
}

/* The one of the last event where that is the same; the conversation's reference. */
static struct origin *origin_of(struct conversation *conversation, const struct event *event)
{
	const struct event_data *data = &event->data;
	struct origin *origin;

	if (is_origin(conversation->origin, event))
		return conversation->origin;
	origin = own_zalloc(sizeof(*origin));
	*origin = (struct origin){ .refs = 1,
				   .pid = event->pid,
				   .tid = event->tid,
				   .fd = data->fd,
				   .conn = data->conn,
				   .proto = data->proto,
				   .layer = data->layer,
				   .local = data->local,
				   .remote = data->remote };
	memcpy(origin->comm, event->comm, sizeof(origin->comm));
	origin_unref(conversation->origin);
	conversation->origin = origin;
	return origin;
}

static const struct decoder *forced_for(const struct decode *decode, const struct event_data *data)
{
	for (size_t i = 0; i < decode->options.as_count; i++) {
		const struct decode_as *as = &decode->options.as[i];

		if (as->port == addr_port(&data->local) || as->port == addr_port(&data->remote))
			return decoder_find(as->protocol);
	}
	return NULL;
}

static struct channel *plain_channel(struct conversation *conversation)
{
	if (!conversation->plain) {
		conversation->plain = own_alloc(sizeof(*conversation->plain));
		channel_init(conversation->plain, conversation, LAYER_PLAIN, &conversation->facts);
	}
	return conversation->plain;
}

void conversation_feed(struct conversation *conversation, enum event_dir dir,
		       const struct event *event, const void *data, size_t len)
{
	struct channel *channel = &conversation->wire;

	if (event->data.layer == LAYER_PLAIN)
		channel = plain_channel(conversation);
	if (!channel->met)
		channel->forced = forced_for(conversation->decode, &event->data);
	channel->met = true;
	channel_feed(channel, dir, event, origin_ref(origin_of(conversation, event)),
		     span_of(data, len));
}

void conversation_gap(struct conversation *conversation, enum event_layer layer, enum event_dir dir,
		      uint64_t len)
{
	if (layer == LAYER_WIRE)
		channel_gap(&conversation->wire, dir, len);
	else
		channel_gap(plain_channel(conversation), dir, len);
}

void conversation_end(struct conversation *conversation, enum event_dir dir)
{
	channel_end(&conversation->wire, dir);
	if (conversation->plain)
		channel_end(conversation->plain, dir);
}

static const char *end_of(const struct channel *channel)
{
	if (channel->conversation->closed ||
	    (channel->sides[DIR_OUT].ended && channel->sides[DIR_IN].ended))
		return "the connection was closed";
	return "the recording ended";
}

void conversation_close(struct conversation *conversation)
{
	if (conversation)
		conversation->closed = true;
	conversation_free(conversation);
}

void conversation_free(struct conversation *conversation)
{
	struct channel *plain;

	if (!conversation)
		return;
	plain = conversation->plain;
	if (plain)
		channel_done(plain, end_of(plain));
	channel_done(&conversation->wire, end_of(&conversation->wire));
	free(plain);
	origin_unref(conversation->origin);
	free(conversation);
}
