#include "sink/format.h"

#include <string.h>

const struct format formats[] = {
	{ "text", ".txt", "for people: payload as text where it is text, else as hexdump", false,
	  text_new },
	{ "hex", NULL, "for people: all payload as hexdump", false, hex_new },
	{ "jsonl", ".jsonl", "JSON Lines, one event each", false, jsonl_new },
	{ "iot", ".iot", "the native capture", true, iot_new },
	{ "pcapng", ".pcapng", "packets, for Wireshark", true, pcapng_new },
	{ "summary", NULL, "totals per process and connection, at the end", false, summary_new },
	{ "summary-json", NULL, "the same as JSON", false, summary_json_new },
	{ .name = NULL },
};

const struct format *format_by_name(const char *name)
{
	for (const struct format *format = formats; format->name; format++)
		if (!strcmp(format->name, name))
			return format;
	return NULL;
}

static const char zst[] = ".zst";

bool format_is_compressed(const char *file)
{
	size_t len = strlen(file), suffix = sizeof(zst) - 1;

	return file[0] != '|' && len > suffix && !strcmp(file + len - suffix, zst);
}

const struct format *format_by_suffix(const char *file)
{
	size_t len = strlen(file), suffix;

	if (file[0] == '|')
		return NULL;
	if (format_is_compressed(file))
		len -= sizeof(zst) - 1;
	for (const struct format *format = formats; format->name; format++) {
		suffix = format->suffix ? strlen(format->suffix) : 0;
		if (suffix && len > suffix && !memcmp(file + len - suffix, format->suffix, suffix))
			return format;
	}
	return NULL;
}
