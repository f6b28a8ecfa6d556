/* Redis: commands are answered in their order, but for what is pushed to subscribers and monitors. */
#include "decode/limits.h"
#include "decode/pending.h"
#include "decode/redis_reply.h"

static const char bad_command[] = "this is no Redis command";
static const char bad_reply[] = "this is no Redis reply";
static const char replication[] = "what follows is the stream of a replica";
static const char unwanted[] = "no reply was asked for";

enum reply_mode { REPLY_ON, REPLY_OFF, REPLY_SKIP_NEXT };

struct redis {
	struct resp command;
	struct message *request; /* that is open; NULL: none */
	struct redis_value value;
	struct redis_reply reply;
	struct pending pending;
	uint64_t due; /* confirmations of a subscription that are still to come */
	bool subscribed, monitors, replicates;
	enum reply_mode mode;
};

/*** Commands ***/

static void command_line(void *ctx, char type, struct span text)
{
	struct redis *redis = ctx;

	(void)type;
	message_add(redis->request, ATTR_ARG, span_cut(text, 0, VALUE_MAX));
}

static void command_bulk(void *ctx, char type, uint64_t len)
{
	struct redis *redis = ctx;

	(void)type;
	redis_value_begin(&redis->value, len);
}

static void command_bytes(void *ctx, struct span bytes)
{
	struct redis *redis = ctx;

	redis_value_add(&redis->value, bytes);
}

static void command_value(void *ctx)
{
	struct redis *redis = ctx;
	struct span value = redis_value_span(&redis->value);

	if (message_attr(redis->request, ATTR_COMMAND))
		message_add_cut(redis->request, ATTR_ARG, value, redis->value.len);
	else
		message_add(redis->request, ATTR_COMMAND, value);
}

static void command_open(void *ctx, char type, int64_t count)
{
	(void)ctx;
	(void)type;
	(void)count;
}

static void command_close(void *ctx, char type)
{
	(void)ctx;
	(void)type;
}

static const struct resp_ops command_ops = {
	.line = command_line,
	.bulk = command_bulk,
	.bytes = command_bytes,
	.bulk_end = command_value,
	.open = command_open,
	.close = command_close,
};

static bool is_command(const struct message *request, const char *name)
{
	return request && span_equal_nocase(message_value(request, ATTR_COMMAND), span_text(name));
}

static bool is_subscription(struct span word)
{
	static const char *const words[] = { "subscribe",   "psubscribe",   "ssubscribe",
					     "unsubscribe", "punsubscribe", "sunsubscribe" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_equal_nocase(word, span_text(words[i])))
			return true;
	return false;
}

/* CLIENT REPLY ON|OFF|SKIP: whether there will be a reply, to this command already. */
static bool is_answered(struct redis *redis, const struct message *request)
{
	const struct attr *args = message_attr(request, ATTR_ARG);
	const struct attr *end = request->attrs + request->attr_count;
	bool answered = redis->mode == REPLY_ON;

	if (redis->mode == REPLY_SKIP_NEXT)
		redis->mode = REPLY_ON;
	if (!is_command(request, "client") || !args || args + 1 >= end ||
	    !span_equal_nocase(args->value, SPAN("reply")))
		return answered;
	if (span_equal_nocase(args[1].value, SPAN("on"))) {
		redis->mode = REPLY_ON;
		return true;
	}
	redis->mode = span_equal_nocase(args[1].value, SPAN("skip")) ? REPLY_SKIP_NEXT : REPLY_OFF;
	return false;
}

static void finish_request(struct channel *channel)
{
	struct redis *redis = channel->state;
	struct message *request = redis->request;
	struct exchange *exchange;

	redis->request = NULL;
	if (!message_attr(request, ATTR_COMMAND)) {
		/* An empty array is no command, and is not answered. */
		channel_drop(channel, request);
		return;
	}
	exchange = channel_exchange(channel);
	channel_request(exchange, request);
	redis->subscribed |= is_subscription(message_value(request, ATTR_COMMAND));
	if (is_answered(redis, request)) {
		pending_add(channel, &redis->pending, exchange);
		channel_emit(channel, request);
	} else {
		exchange->why = unwanted;
		channel_emit(channel, request);
		channel_exchange_emit(channel, exchange);
	}
}

/* Words on a line, as people type them. */
static ssize_t feed_inline(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct redis *redis = channel->state;
	const uint8_t *lf = memchr(bytes.data, '\n', bytes.len);
	struct span line = span_cut(bytes, 0, lf ? (size_t)(lf - bytes.data) : bytes.len), word;

	if (line.len > LINE_MAX)
		return channel_give_up(channel, dir, bad_command);
	if (!lf)
		return 0;
	redis->request = channel_message(channel, MESSAGE_REQUEST, dir);
	channel_note(channel, redis->request, span_cut(bytes, 0, line.len + 1));
	for (struct span rest = span_trim(line, " \r"); rest.len;) {
		word = span_split(&rest, ' ');
		if (word.len)
			message_add(redis->request,
				    message_attr(redis->request, ATTR_COMMAND) ? ATTR_ARG
									       : ATTR_COMMAND,
				    span_cut(word, 0, VALUE_MAX));
	}
	finish_request(channel);
	return (ssize_t)line.len + 1;
}

static ssize_t feed_command(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct redis *redis = channel->state;
	bool done;
	ssize_t n;

	if (!redis->request && bytes.data[0] != '*') {
		if (bytes.data[0] < ' ' && bytes.data[0] != '\r' && bytes.data[0] != '\n')
			return channel_give_up(channel, dir, bad_command);
		return feed_inline(channel, dir, bytes);
	}
	if (!redis->request)
		redis->request = channel_message(channel, MESSAGE_REQUEST, dir);
	n = resp_feed(&redis->command, bytes, &command_ops, redis, &done);
	if (n < 0)
		return channel_give_up(channel, dir, bad_command);
	channel_note(channel, redis->request, span_cut(bytes, 0, (size_t)n));
	if (done)
		finish_request(channel);
	return n;
}

/*** Replies ***/

/* True for what no command is waiting for. */
static bool is_pushed(struct redis *redis)
{
	const struct exchange *first = pending_first(&redis->pending);
	const struct message *request = first ? first->request : NULL;
	struct span word = span_text(redis->reply.push), type;
	bool confirms = is_subscription(word);

	type = message_value(redis->reply.message, ATTR_TYPE);
	if (confirms && redis->due) {
		redis->due--;
		return true;
	}
	if (confirms && request && span_equal_nocase(message_value(request, ATTR_COMMAND), word)) {
		for (size_t i = 0; i < request->attr_count; i++)
			redis->due += request->attrs[i].key == ATTR_ARG;
		redis->due -= redis->due > 0;
		return false;
	}
	if (span_equal(type, SPAN("push")))
		return true;
	if (redis->subscribed && span_equal(type, SPAN("array")) &&
	    (confirms || span_equal(word, SPAN("message")) || span_equal(word, SPAN("pmessage")) ||
	     span_equal(word, SPAN("smessage"))))
		return true;
	return !request && (redis->monitors || redis->subscribed);
}

static void finish_reply(struct channel *channel)
{
	struct redis *redis = channel->state;
	bool pushed = is_pushed(redis);
	struct message *response = redis_reply_take(&redis->reply);
	struct exchange *exchange;

	if (pushed) {
		response->kind = MESSAGE_ONEWAY;
		channel_emit(channel, response);
		return;
	}
	exchange = pending_take(&redis->pending);
	if (!exchange)
		exchange = channel_exchange(channel);
	redis->monitors |= is_command(exchange->request, "monitor");
	redis->replicates |=
		is_command(exchange->request, "psync") || is_command(exchange->request, "sync");
	channel_response(exchange, response);
	channel_emit(channel, response);
	channel_exchange_emit(channel, exchange);
}

static ssize_t feed_reply(struct channel *channel, enum event_dir dir, struct span bytes)
{
	struct redis *redis = channel->state;
	struct redis_reply *reply = &redis->reply;
	bool waits = !redis->pending.count && !redis->subscribed && !redis->monitors;
	bool done;
	ssize_t n;

	if (redis->replicates)
		return channel_give_up(channel, dir, replication);
	/* A reply whose command is still to be seen: calls of two threads that overlap. */
	if (!reply->message && waits && channel->fresh && !channel_is_pressed(channel, dir))
		return 0;
	if (!reply->message)
		reply->message = channel_message(channel, MESSAGE_RESPONSE, dir);
	n = redis_reply_feed(reply, bytes, &done);
	if (n < 0)
		return channel_give_up(channel, dir, bad_reply);
	channel_note(channel, reply->message, span_cut(bytes, 0, (size_t)n));
	if (done)
		finish_reply(channel);
	return n;
}

/*** The decoder ***/

/* "*1\r\n$4\r\n": nobody else begins like that. */
static enum sniffed sniff_array(struct span said)
{
	size_t at = 1;

	if (said.data[0] != '*')
		return SNIFF_NO;
	while (at < said.len && at < 9 && said.data[at] >= '0' && said.data[at] <= '9')
		at++;
	if (at == said.len)
		return SNIFF_MORE;
	if (at == 1 || (at == 2 && said.data[1] == '0'))
		return SNIFF_NO;
	return sniff_start(span_cut(said, at, said.len), SPAN("\r\n$"));
}

static enum sniffed sniff_command(struct span said)
{
	return said.data[0] == '*' ? sniff_array(said) : sniff_start(said, SPAN("PING\r\n"));
}

static enum sniffed redis_sniff(const struct sniff *sniff, int *ret_client)
{
	if (sniff->datagram)
		return SNIFF_NO;
	/* NATS says PING, too, in the middle of its connections, and from both sides. */
	return sniff_sides(sniff, sniff->fresh ? sniff_command : sniff_array, NULL, ret_client);
}

static void redis_open(struct channel *channel)
{
	struct redis *redis = channel->state;

	redis->reply.channel = channel;
}

static ssize_t redis_feed(struct channel *channel, enum event_dir dir, struct span bytes)
{
	if (channel->client < 0)
		channel->client = (int)dir;
	return (int)dir == channel->client ? feed_command(channel, dir, bytes)
					   : feed_reply(channel, dir, bytes);
}

static bool redis_gap(struct channel *channel, enum event_dir dir, uint64_t len)
{
	struct redis *redis = channel->state;
	bool is_command = (int)dir == channel->client;
	struct message *message = is_command ? redis->request : redis->reply.message;

	if (!message || !resp_gap(is_command ? &redis->command : &redis->reply.resp, len))
		return false;
	if (!is_command && !redis->reply.resp.depth)
		channel_body_lost(channel, message, len);
	message_cut(message, "bytes were lost");
	return true;
}

static void redis_close(struct channel *channel, const char *why)
{
	struct redis *redis = channel->state;

	/* A message without a byte was only hoped for. */
	if (redis->request && redis->request->bytes) {
		message_cut(redis->request, why);
		channel_emit(channel, redis->request);
		redis->request = NULL;
	}
	if (redis->reply.message && redis->reply.message->bytes) {
		message_cut(redis->reply.message, why);
		finish_reply(channel);
	}
	pending_close(channel, &redis->pending, why);
}

static void redis_done(struct channel *channel)
{
	struct redis *redis = channel->state;

	channel_drop(channel, redis->request);
	channel_drop(channel, redis->reply.message);
	buf_done(&redis->value.kept);
	redis_reply_done(&redis->reply);
}

const struct decoder decoder_redis = {
	.name = "redis",
	.protocol = PROTOCOL_REDIS,
	.sniff = redis_sniff,
	.state_size = sizeof(struct redis),
	.open = redis_open,
	.done = redis_done,
	.feed = redis_feed,
	.gap = redis_gap,
	.close = redis_close,
};
