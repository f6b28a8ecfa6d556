#include "decode/protobuf.h"

#include "base/utf8.h"
#include "decode/limits.h"

#include <inttypes.h>

/* https://protobuf.dev/programming-guides/encoding/ */
enum wire_type { WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_GROUP, WIRE_END_GROUP, WIRE_32 };

struct record {
	uint64_t number; /* of the field */
	enum wire_type type;
	uint64_t value;    /* WIRE_VARINT, WIRE_64, WIRE_32 */
	struct span bytes; /* WIRE_BYTES */
};

static uint64_t read_varint(struct reader *reader)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 70; shift += 7) {
		uint8_t byte = reader_u8(reader);

		value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
		if (!(byte & 0x80))
			return value;
	}
	reader->bad = true;
	return 0;
}

/* False where there is none or it is none; groups, long out of use, count as none. */
static bool read_record(struct reader *reader, struct record *ret_record)
{
	struct record record = { 0 };
	uint64_t tag = read_varint(reader);

	record.number = tag >> 3;
	record.type = tag & 7;
	switch (record.type) {
	case WIRE_VARINT:
		record.value = read_varint(reader);
		break;
	case WIRE_64:
		record.value = reader_le(reader, 8);
		break;
	case WIRE_32:
		record.value = reader_le(reader, 4);
		break;
	case WIRE_BYTES:
		record.value = read_varint(reader);
		if (record.value > reader_left(reader))
			return false;
		record.bytes = reader_take(reader, (size_t)record.value);
		break;
	default:
		return false;
	}
	*ret_record = record;
	return !reader->bad && record.number && record.number < 1U << 29;
}

static bool is_message(struct span bytes)
{
	struct reader reader = reader_of(bytes);
	struct record record;

	while (reader_left(&reader))
		if (!read_record(&reader, &record))
			return false;
	return true;
}

static bool is_text(struct span bytes)
{
	uint32_t code;
	size_t n;

	for (size_t at = 0; at < bytes.len; at += n) {
		n = utf8_decode(bytes.data + at, bytes.len - at, &code);
		if (!n || (!utf8_shown(code) && code != '\n' && code != '\r' && code != '\t'))
			return false;
	}
	return true;
}

static void add_quoted(struct buf *out, struct span bytes)
{
	bool text = is_text(bytes);

	buf_addc(out, '"');
	for (size_t i = 0; i < bytes.len; i++) {
		uint8_t c = bytes.data[i];

		if (c == '\n')
			buf_adds(out, "\\n");
		else if (c == '\r')
			buf_adds(out, "\\r");
		else if (c == '\t')
			buf_adds(out, "\\t");
		else if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (text || (c >= 0x20 && c < 0x7f))
			buf_addc(out, (char)c);
		else
			buf_addf(out, "\\%03o", c);
	}
	buf_addc(out, '"');
}

static void add_message(struct buf *out, struct span bytes, size_t max, unsigned int depth);

static void add_record(struct buf *out, const struct record *record, size_t max, unsigned int depth)
{
	buf_addf(out, "%*s%" PRIu64, (int)depth * 2, "", record->number);
	if (record->type == WIRE_VARINT) {
		buf_addf(out, ": %" PRIu64 "\n", record->value);
	} else if (record->type == WIRE_64) {
		buf_addf(out, ": 0x%016" PRIx64 "\n", record->value);
	} else if (record->type == WIRE_32) {
		buf_addf(out, ": 0x%08" PRIx64 "\n", record->value);
	} else if (!is_text(record->bytes) && depth < NESTING_MAX && is_message(record->bytes)) {
		buf_adds(out, " {\n");
		add_message(out, record->bytes, max, depth + 1);
		buf_addf(out, "%*s}\n", (int)depth * 2, "");
	} else {
		buf_adds(out, ": ");
		add_quoted(out, span_cut(record->bytes, 0, VALUE_MAX));
		buf_adds(out, record->bytes.len > VALUE_MAX ? " …\n" : "\n");
	}
}

static void add_message(struct buf *out, struct span bytes, size_t max, unsigned int depth)
{
	struct reader reader = reader_of(bytes);
	struct record record;

	while (reader_left(&reader) && read_record(&reader, &record)) {
		if (out->len > max) {
			buf_addf(out, "%*s…\n", (int)depth * 2, "");
			return;
		}
		add_record(out, &record, max, depth);
	}
}

bool protobuf_add_text(struct buf *out, struct span bytes, size_t max)
{
	if (!is_message(bytes))
		return false;
	add_message(out, bytes, out->len + max, 0);
	return true;
}
