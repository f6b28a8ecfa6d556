/* Numbers, strings and values of MySQL's protocol. */
#include "decode/limits.h"
#include "decode/mysql.h"

#include <inttypes.h>

uint64_t mysql_number(struct reader *reader)
{
	uint8_t first = reader_u8(reader);

	switch (first) {
	case 0xfc:
		return reader_le(reader, 2);
	case 0xfd:
		return reader_le(reader, 3);
	case 0xfe:
		return reader_le(reader, 8);
	case 0xfb:
	case 0xff:
		reader->bad = true;
		return 0;
	default:
		return first;
	}
}

struct span mysql_string(struct reader *reader)
{
	uint64_t len = mysql_number(reader);

	if (len > reader_left(reader)) {
		struct span rest = reader_rest(reader);

		reader->bad = true;
		return rest;
	}
	return reader_take(reader, (size_t)len);
}

/* enum_field_types of mysql_com.h */
enum {
	MYSQL_TINY = 1,
	MYSQL_SHORT = 2,
	MYSQL_LONG = 3,
	MYSQL_FLOAT = 4,
	MYSQL_DOUBLE = 5,
	MYSQL_NULL = 6,
	MYSQL_TIMESTAMP = 7,
	MYSQL_LONGLONG = 8,
	MYSQL_INT24 = 9,
	MYSQL_DATE = 10,
	MYSQL_TIME = 11,
	MYSQL_DATETIME = 12,
	MYSQL_YEAR = 13,
};

static void add_int(struct buf *out, struct reader *reader, size_t bytes, bool is_unsigned)
{
	uint64_t value = reader_le(reader, bytes);
	unsigned int shift = 64 - 8 * (unsigned int)bytes;

	if (is_unsigned)
		buf_addu(out, value);
	else
		buf_addi(out, (int64_t)(value << shift) >> shift);
}

static void add_real(struct buf *out, struct reader *reader, size_t bytes)
{
	uint64_t value = reader_le(reader, bytes);
	uint32_t low = (uint32_t)value;
	double real;
	float small;

	memcpy(&real, &value, sizeof(real));
	memcpy(&small, &low, sizeof(small));
	if (bytes == 4)
		buf_addf(out, "%.9g", (double)small);
	else
		buf_addf(out, "%.17g", real);
}

static void add_date(struct buf *out, struct reader *reader)
{
	struct reader date = reader_of(reader_take(reader, reader_u8(reader)));
	unsigned int year = (unsigned int)reader_le(&date, 2), month = reader_u8(&date);
	unsigned int day = reader_u8(&date), hour, minute;

	buf_addf(out, "%04u-%02u-%02u", year, month, day);
	if (!reader_left(&date))
		return;
	hour = reader_u8(&date);
	minute = reader_u8(&date);
	buf_addf(out, " %02u:%02u:%02u", hour, minute, reader_u8(&date));
	if (reader_left(&date))
		buf_addf(out, ".%06" PRIu64, reader_le(&date, 4));
}

static void add_time(struct buf *out, struct reader *reader)
{
	struct reader time = reader_of(reader_take(reader, reader_u8(reader)));
	bool negative = reader_u8(&time);
	uint64_t hours = reader_le(&time, 4) * 24 + reader_u8(&time);
	unsigned int minutes = reader_u8(&time), seconds = reader_u8(&time);

	buf_addf(out, "%s%02" PRIu64 ":%02u:%02u", negative ? "-" : "", hours, minutes, seconds);
	if (reader_left(&time))
		buf_addf(out, ".%06" PRIu64, reader_le(&time, 4));
}

bool mysql_add_binary(struct buf *out, struct reader *reader, const struct mysql_column *type)
{
	struct span text;

	switch (type->type) {
	case MYSQL_TINY:
		add_int(out, reader, 1, type->is_unsigned);
		break;
	case MYSQL_SHORT:
	case MYSQL_YEAR:
		add_int(out, reader, 2, type->is_unsigned);
		break;
	case MYSQL_LONG:
	case MYSQL_INT24:
		add_int(out, reader, 4, type->is_unsigned);
		break;
	case MYSQL_LONGLONG:
		add_int(out, reader, 8, type->is_unsigned);
		break;
	case MYSQL_FLOAT:
		add_real(out, reader, 4);
		break;
	case MYSQL_DOUBLE:
		add_real(out, reader, 8);
		break;
	case MYSQL_DATE:
	case MYSQL_DATETIME:
	case MYSQL_TIMESTAMP:
		add_date(out, reader);
		break;
	case MYSQL_TIME:
		add_time(out, reader);
		break;
	case MYSQL_NULL:
		break;
	default:
		text = mysql_string(reader);
		buf_add(out, text.data, text.len);
	}
	return !reader->bad;
}
