/* An event out of CBOR items. */
#include "base/addr.h"
#include "iotrace/capture.h"
#include "store/item.h"
#include "store/source.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* The next item's head, which is taken. Not a byte beyond it is waited for. */
static int take_head(struct source *source, struct item *ret_item)
{
	size_t ready = input_fill(source->input, 1);
	int result;

	if (ready)
		ready = input_fill(source->input, item_head_len(*input_data(source->input)));
	result = item_read(input_data(source->input), ready, ret_item);
	if (!result)
		input_take(source->input, ret_item->len);
	return result;
}

static int cbor_enter(struct source *source, bool map)
{
	struct source_level *level = &source->levels[source->depth];
	struct item item;
	int result = take_head(source, &item);

	if (result)
		return result;
	if (item.kind != (map ? ITEM_MAP : ITEM_LIST) || source->depth == SOURCE_LEVELS)
		return -EBADMSG;
	*level = (struct source_level){ .map = map,
					.indefinite = item.indefinite,
					.left = item.number };
	source->depth++;
	return 0;
}

static int cbor_next(struct source *source)
{
	struct source_level *level = &source->levels[source->depth - 1];

	if (level->indefinite) {
		if (!input_fill(source->input, 1))
			return -ENODATA;
		if (*input_data(source->input) != 0xff)
			return 1;
		input_take(source->input, 1);
	} else if (level->left) {
		level->left--;
		return 1;
	}
	source->depth--;
	return 0;
}

/* Adds to the buffer what it has room for, and goes past the rest. */
static int take_content(struct source *source, uint64_t len, struct buf *to, uint64_t *room,
			uint64_t *ret_len)
{
	uint64_t keep = len < *room ? len : *room, got;

	/* Memory grows with what is there, not with what is announced. */
	while (keep) {
		uint64_t step = to->len > INPUT_WINDOW ? to->len : INPUT_WINDOW;

		step = step < keep ? step : keep;
		got = input_read(source->input, buf_reserve(to, step), step);
		to->len += got;
		*room -= got;
		*ret_len += got;
		len -= got;
		keep -= got;
		if (got < step)
			return -ENODATA;
	}
	got = input_skip(source->input, len);
	*ret_len += got;
	return got < len ? -ENODATA : 0;
}

/* A string, perhaps in chunks (RFC 8949, 3.2.3). */
static int take_string(struct source *source, enum item_kind kind, struct buf *to, uint64_t max,
		       uint64_t *ret_len)
{
	struct item item, chunk;
	int result = take_head(source, &item);

	*ret_len = 0;
	if (result)
		return result;
	if (item.kind != kind)
		return -EBADMSG;
	if (!item.indefinite)
		return take_content(source, item.number, to, &max, ret_len);
	for (;;) {
		result = take_head(source, &chunk);
		if (result || chunk.kind == ITEM_BREAK)
			return result;
		if (chunk.kind != kind || chunk.indefinite)
			return -EBADMSG;
		result = take_content(source, chunk.number, to, &max, ret_len);
		if (result)
			return result;
	}
}

static int cbor_key(struct source *source, struct source_key *ret_key)
{
	struct item item;
	uint64_t keep;
	int result = take_head(source, &item);

	if (result)
		return result;
	if (item.kind != ITEM_TEXT || item.indefinite)
		return -EBADMSG;
	keep = item.number < sizeof(ret_key->text) ? item.number : 0;
	if (input_read(source->input, ret_key->text, keep) < keep ||
	    input_skip(source->input, item.number - keep) < item.number - keep)
		return -ENODATA;
	ret_key->len = keep;
	return 0;
}

static int cbor_number(struct source *source, struct source_number *ret_number)
{
	struct item item;
	int result = take_head(source, &item);

	if (result)
		return result;
	if (item.kind != ITEM_UINT && item.kind != ITEM_NEGATIVE)
		return -EBADMSG;
	ret_number->negative = item.kind == ITEM_NEGATIVE;
	ret_number->value = item.number;
	return 0;
}

static int cbor_text(struct source *source, struct buf *to, uint64_t max, uint64_t *ret_len)
{
	return take_string(source, ITEM_TEXT, to, max, ret_len);
}

static int cbor_bytes(struct source *source, struct buf *to, uint64_t max, uint64_t *ret_len)
{
	return take_string(source, ITEM_BYTES, to, max, ret_len);
}

/* A byte string of at most cap bytes. */
static int take_small(struct source *source, void *to, size_t cap, size_t *ret_len)
{
	struct item item;
	int result = take_head(source, &item);

	if (result)
		return result;
	if (item.kind != ITEM_BYTES || item.indefinite || item.number > cap)
		return -EBADMSG;
	*ret_len = item.number;
	return input_read(source->input, to, item.number) < item.number ? -ENODATA : 0;
}

static int take_path(struct source *source, struct addr *ret_addr)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len;
	int result = take_small(source, un.sun_path, sizeof(un.sun_path), &len);

	if (!result &&
	    !addr_from_bytes(ret_addr, &un, offsetof(struct sockaddr_un, sun_path) + len))
		result = -EBADMSG;
	return result;
}

static int take_port(struct source *source, uint64_t max, uint32_t *ret_value)
{
	struct source_number number;
	int result = cbor_number(source, &number);

	if (!result && (number.negative || number.value > max))
		result = -EBADMSG;
	*ret_value = result ? 0 : (uint32_t)number.value;
	return result;
}

/* [bytes, port] or [bytes, port, scope]. */
static int take_inet(struct source *source, uint64_t members, struct addr *ret_addr)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	uint32_t port = 0, scope = 0;
	uint8_t host[16];
	size_t len = 0;
	int result = take_small(source, host, sizeof(host), &len);

	if (!result)
		result = take_port(source, UINT16_MAX, &port);
	if (!result && members == 3)
		result = take_port(source, UINT32_MAX, &scope);
	if (result)
		return result;
	if (len == sizeof(in.sin_addr)) {
		memcpy(&in.sin_addr, host, len);
		in.sin_port = htons((uint16_t)port);
		return addr_from_bytes(ret_addr, &in, sizeof(in)) ? 0 : -EBADMSG;
	}
	if (len != sizeof(in6.sin6_addr))
		return -EBADMSG;
	memcpy(&in6.sin6_addr, host, len);
	in6.sin6_port = htons((uint16_t)port);
	in6.sin6_scope_id = scope;
	return addr_from_bytes(ret_addr, &in6, sizeof(in6)) ? 0 : -EBADMSG;
}

static int cbor_addr(struct source *source, struct addr *ret_addr)
{
	struct item item;
	int result;

	if (!input_fill(source->input, 1))
		return -ENODATA;
	if (*input_data(source->input) >> 5 == 2)
		return take_path(source, ret_addr);
	result = take_head(source, &item);
	if (result)
		return result;
	if (item.kind != ITEM_LIST || item.indefinite || item.number < 2 || item.number > 3)
		return -EBADMSG;
	return take_inet(source, item.number, ret_addr);
}

/* What is still to be skipped at each depth; UINT64_MAX: up to a break. */
struct skipping {
	uint64_t left[CAPTURE_DEPTH_MAX];
	size_t depth;
};

static int skip_into(struct skipping *skipping, uint64_t members, bool indefinite)
{
	if (skipping->depth == CAPTURE_DEPTH_MAX || members == UINT64_MAX)
		return -EBADMSG;
	skipping->left[skipping->depth++] = indefinite ? UINT64_MAX : members;
	return 0;
}

static int skip_one(struct source *source, struct skipping *skipping)
{
	struct item item;
	int result = take_head(source, &item);

	if (result)
		return result;
	switch (item.kind) {
	case ITEM_BYTES:
	case ITEM_TEXT:
		if (item.indefinite)
			return skip_into(skipping, 0, true);
		return input_skip(source->input, item.number) < item.number ? -ENODATA : 0;
	case ITEM_LIST:
		return skip_into(skipping, item.number, item.indefinite);
	case ITEM_MAP:
		if (item.number > UINT64_MAX / 4)
			return -EBADMSG;
		return skip_into(skipping, 2 * item.number, item.indefinite);
	case ITEM_TAG:
		return skip_into(skipping, 1, false);
	case ITEM_BREAK:
		if (skipping->left[skipping->depth - 1] != UINT64_MAX)
			return -EBADMSG;
		skipping->left[skipping->depth - 1] = 0;
		return 0;
	default:
		return 0;
	}
}

static int cbor_skip(struct source *source)
{
	struct skipping skipping = { .left = { 1 }, .depth = 1 };
	uint64_t *left;
	int result = 0;

	while (skipping.depth && !result) {
		left = &skipping.left[skipping.depth - 1];
		if (!*left) {
			skipping.depth--;
			continue;
		}
		*left -= *left != UINT64_MAX;
		result = skip_one(source, &skipping);
	}
	return result;
}

const struct source_ops source_cbor = {
	cbor_enter, cbor_next, cbor_key, cbor_number, cbor_text, cbor_bytes, cbor_addr, cbor_skip,
};
