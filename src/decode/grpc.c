#include "decode/grpc.h"

#include "decode/limits.h"
#include "decode/protobuf.h"

/* https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
static const char *const status_names[] = {
	"OK",
	"CANCELLED",
	"UNKNOWN",
	"INVALID_ARGUMENT",
	"DEADLINE_EXCEEDED",
	"NOT_FOUND",
	"ALREADY_EXISTS",
	"PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION",
	"ABORTED",
	"OUT_OF_RANGE",
	"UNIMPLEMENTED",
	"INTERNAL",
	"UNAVAILABLE",
	"DATA_LOSS",
	"UNAUTHENTICATED",
};

bool grpc_is(const struct message *message)
{
	return span_starts_nocase(message_header(message, "content-type"),
				  SPAN("application/grpc"));
}

void grpc_name(struct message *message, struct span path)
{
	struct span rest = path;

	if (!path.len || path.data[0] != '/')
		return;
	rest = span_cut(path, 1, path.len);
	message_add(message, ATTR_SERVICE, span_split(&rest, '/'));
	message_add(message, ATTR_RPC, rest);
}

static void begin(struct channel *channel, struct grpc *grpc, struct exchange *exchange,
		  const struct message *around)
{
	struct span coding = message_header(around, "grpc-encoding");
	struct message *message = channel_message(channel, MESSAGE_ONEWAY, around->dir);

	message->protocol = PROTOCOL_GRPC;
	message->stream = around->stream;
	message->exchange = exchange->number;
	message->body.present = true;
	if (exchange->request) {
		message_add(message, ATTR_SERVICE, message_value(exchange->request, ATTR_SERVICE));
		message_add(message, ATTR_RPC, message_value(exchange->request, ATTR_RPC));
	}
	if (grpc->head[0] & 1)
		message->body.coding = (const char *)arena_copy(&message->arena, coding).data;
	exchange->parts[around->dir]++;
	grpc->message = message;
	grpc->left = (uint64_t)grpc->head[1] << 24 | (uint64_t)grpc->head[2] << 16 |
		     (uint64_t)grpc->head[3] << 8 | grpc->head[4];
}

static void finish(struct channel *channel, struct grpc *grpc)
{
	struct message *message = grpc->message;
	struct buf text auto_buf = { 0 };
	const struct buf *kept = &message->body.kept;

	channel_settle(channel, message);
	if (!message->body.cut && kept->len && (!message->body.coding || message->body.decoded) &&
	    protobuf_add_text(&text, span_of(kept->data, kept->len), ATTRS_MAX / 4))
		message_add(message, ATTR_PROTOBUF, span_of(text.data, text.len));
	channel_emit(channel, message);
	grpc->message = NULL;
	grpc->head_len = 0;
}

void grpc_data(struct channel *channel, struct grpc *grpc, struct exchange *exchange,
	       const struct message *around, struct span data)
{
	while (data.len && !grpc->lost) {
		struct span part = data;

		if (grpc->head_len < GRPC_HEAD) {
			grpc->head[grpc->head_len++] = data.data[0];
			if (grpc->head_len == GRPC_HEAD)
				begin(channel, grpc, exchange, around);
			part.len = 1;
		} else {
			part = span_cut(data, 0, grpc->left < data.len ? grpc->left : data.len);
			channel_body(channel, grpc->message, part);
			grpc->left -= part.len;
		}
		if (grpc->message && !grpc->left) {
			/* An empty message has no byte of its own but its head's. */
			if (!grpc->message->origin)
				channel_note(channel, grpc->message, part);
			finish(channel, grpc);
		}
		data = span_cut(data, part.len, data.len);
	}
}

void grpc_lost(struct channel *channel, struct grpc *grpc, uint64_t len)
{
	if (grpc->message && len <= grpc->left) {
		channel_body_lost(channel, grpc->message, len);
		grpc->left -= len;
		if (!grpc->left)
			finish(channel, grpc);
		return;
	}
	grpc_close(channel, grpc, "bytes were lost");
	grpc->lost = true;
}

static int hex_of(uint8_t c)
{
	uint64_t value;

	return span_number(span_of(&c, 1), 16, &value) ? (int)value : -1;
}

/* "The text is percent-encoded" (gRPC over HTTP2). */
static void add_decoded(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		int high = i + 2 < text.len && text.data[i] == '%' ? hex_of(text.data[i + 1]) : -1;
		int low = high >= 0 ? hex_of(text.data[i + 2]) : -1;

		if (low >= 0)
			i += 2;
		buf_addc(out, (char)(low >= 0 ? high << 4 | low : text.data[i]));
	}
}

static struct span find(const struct message *message, const char *name)
{
	for (size_t i = 0; i < message->attr_count; i++)
		if (message->attrs[i].key == ATTR_TRAILER &&
		    span_equal_nocase(message->attrs[i].name, span_text(name)))
			return message->attrs[i].value;
	return message_header(message, name);
}

void grpc_add_status(struct message *response)
{
	struct buf text auto_buf = { 0 };
	struct span reason = find(response, "grpc-message");
	uint64_t status;

	if (!span_number(find(response, "grpc-status"), 10, &status))
		return;
	message_add_number(response, ATTR_GRPC_STATUS, status);
	if (!status)
		return;
	if (status < sizeof(status_names) / sizeof(status_names[0]))
		message_add_text(response, ATTR_ERROR_CODE, status_names[status]);
	add_decoded(&text, reason);
	message_add(response, ATTR_ERROR, span_of(text.data, text.len));
}

void grpc_close(struct channel *channel, struct grpc *grpc, const char *why)
{
	if (!grpc->message)
		return;
	message_cut(grpc->message, why);
	finish(channel, grpc);
}
