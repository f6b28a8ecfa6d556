#include "decode/resp.h"

#include <errno.h>
#include <string.h>

/* Lengths are digits; -1 is null in RESP2. */
static bool read_count(struct span text, int64_t *ret_count)
{
	uint64_t value;

	if (span_equal(text, SPAN("-1")) || span_equal(text, SPAN("?"))) {
		*ret_count = -1;
		return true;
	}
	if (!span_number(text, 10, &value) || value > 1ULL << 40)
		return false;
	*ret_count = (int64_t)value;
	return true;
}

/* One value more is complete: so may be those around it. */
static bool complete(struct resp *resp, const struct resp_ops *ops, void *ctx)
{
	while (resp->depth) {
		struct resp_level *level = &resp->levels[resp->depth - 1];

		level->values++;
		if (level->left < 0 || --level->left)
			return false;
		resp->depth--;
		ops->close(ctx, level->type);
		/* Attributes stand before the value that they belong to, and are none. */
		if (level->type == '|')
			return false;
	}
	return true;
}

/* Servers take any command of fewer than one word for none. */
static bool is_negative(struct span text)
{
	uint64_t ignored;

	return text.len > 1 && text.data[0] == '-' &&
	       span_number((struct span){ text.data + 1, text.len - 1 }, 10, &ignored);
}

static bool open_aggregate(struct resp *resp, char type, struct span text,
			   const struct resp_ops *ops, void *ctx, bool *ret_done)
{
	int64_t count;

	if (is_negative(text))
		text = SPAN("-1");
	if (!read_count(text, &count) || resp->depth == NESTING_MAX)
		return false;
	if (count == -1 && text.data[0] == '-') {
		ops->line(ctx, '_', (struct span){ 0 });
		*ret_done = complete(resp, ops, ctx);
		return true;
	}
	ops->open(ctx, type, count);
	if (!count) {
		ops->close(ctx, type);
		*ret_done = type != '|' && complete(resp, ops, ctx);
		return true;
	}
	if (count > 0 && (type == '%' || type == '|'))
		count *= 2;
	resp->levels[resp->depth++] = (struct resp_level){ .type = type, .left = count };
	return true;
}

static bool open_bulk(struct resp *resp, char type, struct span text, const struct resp_ops *ops,
		      void *ctx, bool *ret_done)
{
	int64_t count;

	if (!read_count(text, &count))
		return false;
	if (count < 0 && text.data[0] == '-') {
		ops->line(ctx, '_', (struct span){ 0 });
		*ret_done = complete(resp, ops, ctx);
		return true;
	}
	/* Streamed strings ($?) are an aggregate of pieces. */
	if (count < 0) {
		if (resp->depth == NESTING_MAX)
			return false;
		ops->open(ctx, '$', -1);
		resp->levels[resp->depth++] = (struct resp_level){ .type = '$', .left = -1 };
		return true;
	}
	if (type == ';' && !count) {
		if (!resp->depth || resp->levels[resp->depth - 1].type != '$')
			return false;
		resp->depth--;
		ops->close(ctx, '$');
		*ret_done = complete(resp, ops, ctx);
		return true;
	}
	resp->in_bulk = true;
	resp->bulk_type = type;
	resp->bulk_left = (uint64_t)count + 2;
	ops->bulk(ctx, type, (uint64_t)count);
	return true;
}

/* The end of an aggregate whose length was not known. */
static bool end_stream(struct resp *resp, const struct resp_ops *ops, void *ctx, bool *ret_done)
{
	struct resp_level *level = resp->depth ? &resp->levels[resp->depth - 1] : NULL;

	if (!level || level->left >= 0 || level->type == '$')
		return false;
	resp->depth--;
	ops->close(ctx, level->type);
	*ret_done = level->type != '|' && complete(resp, ops, ctx);
	return true;
}

static bool take_line(struct resp *resp, char type, struct span text, const struct resp_ops *ops,
		      void *ctx, bool *ret_done)
{
	switch (type) {
	case '+':
	case '-':
	case ':':
	case '_':
	case ',':
	case '#':
	case '(':
		ops->line(ctx, type, text);
		*ret_done = complete(resp, ops, ctx);
		return true;
	case '$':
	case '!':
	case '=':
	case ';':
		return open_bulk(resp, type, text, ops, ctx, ret_done);
	case '*':
	case '~':
	case '%':
	case '>':
	case '|':
		return open_aggregate(resp, type, text, ops, ctx, ret_done);
	case '.':
		return end_stream(resp, ops, ctx, ret_done);
	default:
		return false;
	}
}

/* Payload first, then the line end, which must be whole. */
static ssize_t take_bulk(struct resp *resp, struct span bytes, const struct resp_ops *ops,
			 void *ctx, bool *ret_done)
{
	struct span part;

	if (resp->bulk_left > 2) {
		uint64_t payload = resp->bulk_left - 2;

		part = span_cut(bytes, 0, payload < bytes.len ? (size_t)payload : bytes.len);
		ops->bytes(ctx, part);
		resp->bulk_left -= part.len;
		return (ssize_t)part.len;
	}
	if (bytes.len < 2)
		return 0;
	if (!span_starts(bytes, SPAN("\r\n")))
		return -EBADMSG;
	resp->in_bulk = false;
	ops->bulk_end(ctx);
	*ret_done = complete(resp, ops, ctx);
	return 2;
}

ssize_t resp_feed(struct resp *resp, struct span bytes, const struct resp_ops *ops, void *ctx,
		  bool *ret_done)
{
	const uint8_t *cr;
	size_t len;

	*ret_done = false;
	if (resp->in_bulk)
		return take_bulk(resp, bytes, ops, ctx, ret_done);
	if (!bytes.data[0] || !strchr("+-:_,#($!=;*~%>|.", bytes.data[0]))
		return -EBADMSG;
	cr = resp->scanned < bytes.len
		     ? memchr(bytes.data + resp->scanned, '\r', bytes.len - resp->scanned)
		     : NULL;
	len = cr ? (size_t)(cr - bytes.data) : bytes.len;
	if (len > LINE_MAX)
		return -EBADMSG;
	resp->scanned = len;
	if (!cr || len + 1 == bytes.len)
		return 0;
	resp->scanned = 0;
	if (cr[1] != '\n' ||
	    !take_line(resp, (char)bytes.data[0], span_cut(bytes, 1, len - 1), ops, ctx, ret_done))
		return -EBADMSG;
	return (ssize_t)len + 2;
}

bool resp_gap(struct resp *resp, uint64_t len)
{
	if (!resp->in_bulk || !len || len + 2 > resp->bulk_left)
		return false;
	resp->bulk_left -= len;
	return true;
}
