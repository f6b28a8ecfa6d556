#include "sink/line.h"

#include "sink/hexdump.h"

#include <string.h>
#include <time.h>

static const char *const colors[] = {
	[COLOR_DIM] = "\x1b[2m",  [COLOR_OUT] = "\x1b[32m", [COLOR_IN] = "\x1b[36m",
	[COLOR_BAD] = "\x1b[31m", [COLOR_NAME] = "\x1b[1m",
};

static const char plain[] = "\x1b[0m";

/* A multiple of a hexdump's line. */
#define PIECE (64U << 10)

void line_paint(struct line *line, enum color color, const char *format, ...)
{
	struct buf *buf = out_buf(line->out);
	va_list args;

	if (line->color)
		buf_adds(buf, colors[color]);
	va_start(args, format);
	buf_addv(buf, format, args);
	va_end(args);
	if (line->color)
		buf_adds(buf, plain);
}

void line_clean(struct line *line, const char *text)
{
	payload_add_line(out_buf(line->out), text, strlen(text));
}

void line_time(struct line *line, uint64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000U);
	struct tm tm;

	if (line->relative) {
		/* A clock can be set back. */
		ns = ns > line->first ? ns - line->first : 0;
		line_paint(line, COLOR_DIM, "%4lu.%06u", ns / 1000000000U,
			   (unsigned int)(ns % 1000000000U / 1000U));
	} else {
		localtime_r(&seconds, &tm);
		line_paint(line, COLOR_DIM, "%02d:%02d:%02d.%06u", tm.tm_hour, tm.tm_min, tm.tm_sec,
			   (unsigned int)(ns % 1000000000U / 1000U));
	}
	buf_addc(out_buf(line->out), ' ');
}

void line_who(struct line *line, const char *comm, int32_t pid, int32_t tid)
{
	struct buf *buf = out_buf(line->out);

	if (line->color)
		buf_adds(buf, colors[COLOR_NAME]);
	line_clean(line, comm);
	if (line->color)
		buf_adds(buf, plain);
	buf_addf(buf, "[%d", pid);
	if (tid != pid)
		buf_addf(buf, "/%d", tid);
	buf_addc(buf, ']');
}

/* Ends with a line, and is longer than PIECE only where a line is. */
static size_t piece_of(const uint8_t *text, size_t len)
{
	const uint8_t *newline = len > PIECE ? memchr(text + PIECE, '\n', len - PIECE) : NULL;

	return newline ? (size_t)(newline - text) + 1 : len;
}

void line_payload(struct line *line, const char *indent, const void *data, size_t len, bool hex)
{
	struct buf *buf = out_buf(line->out);
	const uint8_t *bytes = data;

	hex |= !payload_is_text(data, len);
	for (size_t at = 0, n; at < len; at += n) {
		n = len - at;
		if (hex) {
			n = n < PIECE ? n : PIECE;
			payload_add_hex_part(buf, indent, data, at, at + n);
		} else {
			n = piece_of(bytes + at, n);
			payload_add_text(buf, indent, bytes + at, n);
		}
		out_commit(line->out);
	}
}
