#include "sink/format.h"

#include <string.h>

const struct format formats[] = {
	{ "text", ".txt", "for people: payload as text where it is text, else as hexdump",
	  text_new },
	{ "hex", NULL, "for people: all payload as hexdump", hex_new },
	{ "jsonl", ".jsonl", "JSON Lines, one event each", jsonl_new },
	{ .name = NULL },
};

const struct format *format_by_name(const char *name)
{
	for (const struct format *format = formats; format->name; format++)
		if (!strcmp(format->name, name))
			return format;
	return NULL;
}

const struct format *format_by_suffix(const char *file)
{
	size_t len = strlen(file), suffix;

	if (file[0] == '|')
		return NULL;
	for (const struct format *format = formats; format->name; format++) {
		suffix = format->suffix ? strlen(format->suffix) : 0;
		if (suffix && len > suffix && !strcmp(file + len - suffix, format->suffix))
			return format;
	}
	return NULL;
}
