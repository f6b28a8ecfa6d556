/*
 * Bytes that nobody understood: what one side said until the other one spoke is one message, in pieces
 * of a fixed size where that is long.
 */
#include "decode/channel.h"
#include "decode/limits.h"

struct data {
	struct message *turn; /* NULL: none is open */
};

static void finish(struct channel *channel)
{
	struct data *data = channel->state;

	if (data->turn)
		channel_emit(channel, data->turn);
	data->turn = NULL;
}

static ssize_t data_feed(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct data *data = channel->state;
	struct message *turn;

	if (data->turn && data->turn->dir != dir)
		finish(channel);
	if (!data->turn)
		data->turn = channel_message(channel, MESSAGE_DATA, dir);
	turn = data->turn;
	bytes = span_cut(bytes, 0, (size_t)(DATA_PIECE - turn->body.wire));
	channel_body(channel, turn, bytes);
	if (turn->body.wire == DATA_PIECE)
		finish(channel);
	return (ssize_t)bytes.len;
}

static bool data_gap(struct channel *channel, enum event_dir dir, uint64_t len)
{
	struct data *data = channel->state;

	(void)dir;
	(void)len;
	if (data->turn)
		message_cut(data->turn, "bytes were lost");
	finish(channel);
	return true;
}

static void data_close(struct channel *channel, const char *why)
{
	(void)why;
	finish(channel);
}

const struct decoder decoder_data = {
	.name = "data",
	.protocol = PROTOCOL_DATA,
	.state_size = sizeof(struct data),
	.feed = data_feed,
	.gap = data_gap,
	.close = data_close,
};
