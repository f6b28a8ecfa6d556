/* What lines for people have in common: time, process, colours. No byte of a program starts one. */
#ifndef SINK_LINE_H
#define SINK_LINE_H

#include "sink/out.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

enum color { COLOR_DIM, COLOR_OUT, COLOR_IN, COLOR_BAD, COLOR_NAME };

struct line {
	struct out *out;
	bool color;
	bool relative;  /* times since the first event */
	uint64_t first; /* time of that; 0: not seen */
};

/* Text of ours, in a colour where there are any. */
void line_paint(struct line *line, enum color color, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The time (nanoseconds since the epoch) and a blank. */
void line_time(struct line *line, uint64_t ns);

/* `comm[pid]`, or `comm[pid/tid]` where they differ. */
void line_who(struct line *line, const char *comm, int32_t pid, int32_t tid);

/*
 * Lines of payload behind an indent (hexdump.h): as text where it is text and no hexdump is asked for.
 * Handed on in pieces, so that a large one does not need several times its memory.
 */
void line_payload(struct line *line, const char *indent, const void *data, size_t len, bool hex);

/* A text of somebody else's, escaped. */
void line_clean(struct line *line, const char *text);

#endif
