/*
 * The only file that knows libcbor. Of it the encoders and the streaming decoder are used, which
 * allocate nothing: what is read here is hostile.
 */
#include "store/item.h"

#include <cbor.h>
#include <errno.h>
#include <string.h>

/* A map head with one byte for the number of members can be filled in afterwards. */
#define MAP_HEAD     0xb8
#define MAP_HEAD_LEN 2

static unsigned char *reserve(struct buf *buf)
{
	return (unsigned char *)buf_reserve(buf, ITEM_HEAD_MAX);
}

void item_add_uint(struct buf *buf, uint64_t value)
{
	unsigned char *at = reserve(buf);

	buf->len += cbor_encode_uint(value, at, ITEM_HEAD_MAX);
}

void item_add_int(struct buf *buf, int64_t value)
{
	unsigned char *at = reserve(buf);

	if (value >= 0)
		buf->len += cbor_encode_uint((uint64_t)value, at, ITEM_HEAD_MAX);
	else
		buf->len += cbor_encode_negint(~(uint64_t)value, at, ITEM_HEAD_MAX);
}

void item_add_text(struct buf *buf, const char *text, size_t len)
{
	unsigned char *at = (unsigned char *)buf_reserve(buf, ITEM_HEAD_MAX + len);
	size_t head = cbor_encode_string_start(len, at, ITEM_HEAD_MAX);

	memcpy(at + head, text, len);
	buf->len += head + len;
}

void item_add_bytes_head(struct buf *buf, size_t len)
{
	unsigned char *at = reserve(buf);

	buf->len += cbor_encode_bytestring_start(len, at, ITEM_HEAD_MAX);
}

void item_add_bytes(struct buf *buf, const void *data, size_t len)
{
	item_add_bytes_head(buf, len);
	buf_add(buf, data, len);
}

void item_add_list(struct buf *buf, size_t count)
{
	unsigned char *at = reserve(buf);

	buf->len += cbor_encode_array_start(count, at, ITEM_HEAD_MAX);
}

void item_add_tag(struct buf *buf, uint64_t tag)
{
	unsigned char *at = reserve(buf);

	buf->len += cbor_encode_tag(tag, at, ITEM_HEAD_MAX);
}

size_t item_map_begin(struct buf *buf)
{
	size_t begun = buf->len;

	buf_reserve(buf, MAP_HEAD_LEN);
	buf->len += MAP_HEAD_LEN;
	return begun;
}

void item_map_end(struct buf *buf, size_t begun, size_t members)
{
	buf->data[begun] = (char)MAP_HEAD;
	buf->data[begun + 1] = (char)members;
}

static void set(void *ctx, enum item_kind kind, uint64_t number)
{
	struct item *item = ctx;

	item->kind = kind;
	item->number = number;
}

static void set_indefinite(void *ctx, enum item_kind kind)
{
	struct item *item = ctx;

	item->kind = kind;
	item->indefinite = true;
}

#define ON_NUMBER(name, type, kind)              \
	static void name(void *ctx, type value)  \
	{                                        \
		set(ctx, kind, (uint64_t)value); \
	}
#define ON_FLOAT(name, type)                    \
	static void name(void *ctx, type value) \
	{                                       \
		(void)value;                    \
		set(ctx, ITEM_OTHER, 0);        \
	}
#define ON_NOTHING(name, kind)      \
	static void name(void *ctx) \
	{                           \
		set(ctx, kind, 0);  \
	}
#define ON_INDEFINITE(name, kind)          \
	static void name(void *ctx)        \
	{                                  \
		set_indefinite(ctx, kind); \
	}

ON_NUMBER(on_uint8, uint8_t, ITEM_UINT)
ON_NUMBER(on_uint16, uint16_t, ITEM_UINT)
ON_NUMBER(on_uint32, uint32_t, ITEM_UINT)
ON_NUMBER(on_uint64, uint64_t, ITEM_UINT)
ON_NUMBER(on_negint8, uint8_t, ITEM_NEGATIVE)
ON_NUMBER(on_negint16, uint16_t, ITEM_NEGATIVE)
ON_NUMBER(on_negint32, uint32_t, ITEM_NEGATIVE)
ON_NUMBER(on_negint64, uint64_t, ITEM_NEGATIVE)
ON_NUMBER(on_array, size_t, ITEM_LIST)
ON_NUMBER(on_map, size_t, ITEM_MAP)
ON_NUMBER(on_tag, uint64_t, ITEM_TAG)
ON_NUMBER(on_bool, bool, ITEM_OTHER)
ON_FLOAT(on_float, float)
ON_FLOAT(on_double, double)
ON_NOTHING(on_other, ITEM_OTHER)
ON_NOTHING(on_break, ITEM_BREAK)
ON_INDEFINITE(on_bytes_start, ITEM_BYTES)
ON_INDEFINITE(on_text_start, ITEM_TEXT)
ON_INDEFINITE(on_list_start, ITEM_LIST)
ON_INDEFINITE(on_map_start, ITEM_MAP)

static void on_bytes(void *ctx, cbor_data data, size_t len)
{
	(void)data;
	set(ctx, ITEM_BYTES, len);
}

static void on_text(void *ctx, cbor_data data, size_t len)
{
	(void)data;
	set(ctx, ITEM_TEXT, len);
}

static const struct cbor_callbacks callbacks = {
	.uint8 = on_uint8,
	.uint16 = on_uint16,
	.uint32 = on_uint32,
	.uint64 = on_uint64,
	.negint8 = on_negint8,
	.negint16 = on_negint16,
	.negint32 = on_negint32,
	.negint64 = on_negint64,
	.byte_string_start = on_bytes_start,
	.byte_string = on_bytes,
	.string = on_text,
	.string_start = on_text_start,
	.indef_array_start = on_list_start,
	.array_start = on_array,
	.indef_map_start = on_map_start,
	.map_start = on_map,
	.tag = on_tag,
	.float2 = on_float,
	.float4 = on_float,
	.float8 = on_double,
	.undefined = on_other,
	.null = on_other,
	.boolean = on_bool,
	.indef_break = on_break,
};

/* The low bits of the first byte say how long the number behind it is. */
size_t item_head_len(uint8_t first)
{
	unsigned int low = first & 31U;

	return low >= 24 && low <= 27 ? 1 + (1U << (low - 24)) : 1;
}

/* A string that is not there as a whole: the decoder says how many bytes it would need. */
static bool is_string(uint8_t first)
{
	return (first >> 5 == 2 || first >> 5 == 3) && (first & 31U) <= 27;
}

int item_read(const uint8_t *data, size_t len, struct item *ret_item)
{
	struct item item = { 0 };
	struct cbor_decoder_result result;

	if (!len)
		return -ENODATA;
	item.len = item_head_len(data[0]);
	if (len < item.len)
		return -ENODATA;
	result = cbor_stream_decode(data, len, &callbacks, &item);
	if (result.status == CBOR_DECODER_NEDATA && is_string(data[0]))
		set(&item, data[0] >> 5 == 2 ? ITEM_BYTES : ITEM_TEXT, result.required - item.len);
	else if (result.status != CBOR_DECODER_FINISHED)
		return -EBADMSG;
	*ret_item = item;
	return 0;
}
