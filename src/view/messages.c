/* JSON Lines of messages, exchanges and connections; docs/messages.md is their public form. */
#include "base/json.h"
#include "base/own.h"
#include "sink/message_json.h"
#include "view/view.h"

struct messages {
	struct message_sink sink;
	struct out *out;
};

static struct out *out_of(struct message_sink *sink)
{
	return ((struct messages *)sink)->out;
}

static void end_line(struct out *out)
{
	buf_addc(out_buf(out), '\n');
	out_end_record(out);
}

static void messages_message(struct message_sink *sink, struct message *message)
{
	message_json_add(out_buf(out_of(sink)), message);
	end_line(out_of(sink));
}

static void messages_exchange(struct message_sink *sink, struct exchange *exchange)
{
	exchange_json_add(out_buf(out_of(sink)), exchange);
	end_line(out_of(sink));
}

static void messages_connection(struct message_sink *sink, const struct connection *connection)
{
	connection_json_add(out_buf(out_of(sink)), connection);
	end_line(out_of(sink));
}

static int messages_finish(struct message_sink *sink)
{
	int result = out_close(out_of(sink));

	free(sink);
	return result;
}

struct message_sink *messages_new(struct out *out, const struct format_options *options)
{
	struct messages *messages = own_zalloc(sizeof(*messages));

	(void)options;
	messages->sink = (struct message_sink){
		.message = messages_message,
		.exchange = messages_exchange,
		.connection = messages_connection,
		.finish = messages_finish,
	};
	messages->out = out;
	return &messages->sink;
}
