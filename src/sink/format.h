/* The formats that events can be written in: one row each, by name and by suffix. */
#ifndef SINK_FORMAT_H
#define SINK_FORMAT_H

#include "event/sink.h"
#include "sink/out.h"

struct format_options {
	bool color;
};

struct format {
	const char *name;
	const char *suffix; /* of file names, with the dot; NULL: none */
	const char *help;
	/* The sink owns out and closes it in finish, whose result is out_close's. */
	struct sink *(*open)(struct out *out, const struct format_options *options);
};

/* All formats; the last has no name. */
extern const struct format formats[];

const struct format *format_by_name(const char *name);
/* NULL where the file's suffix says nothing. */
const struct format *format_by_suffix(const char *file);

struct sink *text_new(struct out *out, const struct format_options *options);
struct sink *hex_new(struct out *out, const struct format_options *options);
struct sink *jsonl_new(struct out *out, const struct format_options *options);

#endif
