#include "base/log.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int log_fd = STDERR_FILENO;

void log_set_fd(int fd)
{
	log_fd = fd;
}

static void emit(const char *format, va_list args, int error)
{
	struct buf raw auto_buf = { 0 }, line auto_buf = { 0 };
	uint32_t code;
	size_t n;

	buf_addv(&raw, format, args);
	if (error)
		buf_addf(&raw, ": %s", strerror(error));
	buf_adds(&line, "iotrace: ");
	for (size_t at = 0; at < raw.len; at += n) {
		n = utf8_decode(raw.data + at, raw.len - at, &code);
		if (n && utf8_shown(code)) {
			buf_add(&line, raw.data + at, n);
		} else {
			n = 1;
			buf_addf(&line, "\\x%02x", (unsigned int)(uint8_t)raw.data[at]);
		}
	}
	buf_addc(&line, '\n');
	for (size_t at = 0; at < line.len;) {
		ssize_t done = write(log_fd, line.data + at, line.len - at);

		if (done < 0 && errno != EINTR)
			break;
		at += done > 0 ? (size_t)done : 0;
	}
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(format, args, 0);
	va_end(args);
}

int log_errno(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(format, args, error);
	va_end(args);
	return -error;
}
