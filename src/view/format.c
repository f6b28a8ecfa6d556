#include "view/format.h"

#include "view/conversations.h"
#include "view/view.h"

#include <string.h>

/* Bytes of each body that are kept, where bodies are shown cut, and where whole. */
#define BODY_CUT   (64U << 10)
#define BODY_WHOLE (16U << 20)

/* Events through decoders to a sink of messages. */
static struct sink *open_view(struct message_sink *view, const struct format_options *options,
			      size_t body_max)
{
	struct decode_options decode = { .body_max = body_max,
					 .as = options->as,
					 .as_count = options->as_count };

	return conversations_new(&decode, view);
}

static struct sink *open_text(struct out *out, const struct format_options *options)
{
	static const size_t body_max[] = {
		[LEVEL_LINES] = 0,
		[LEVEL_HEADERS] = 0,
		[LEVEL_BODIES] = BODY_CUT,
		[LEVEL_WHOLE] = BODY_WHOLE,
	};

	if (options->level >= LEVEL_CALLS)
		return text_new(out, options);
	return open_view(ladder_new(out, options), options,
			 options->level > LEVEL_LINES ? body_max[options->level] : 0);
}

static struct sink *open_messages(struct out *out, const struct format_options *options)
{
	return open_view(messages_new(out, options), options, BODY_WHOLE);
}

const struct format formats[] = {
	{ "text", ".txt", "for people: a line for each exchange; -v, -vv, -vvv, -vvvv show more",
	  false, open_text },
	{ "calls", NULL, "for people: every call, payload as text or as hexdump", false, text_new },
	{ "hex", NULL, "for people: every call, all payload as hexdump", false, hex_new },
	{ "jsonl", ".jsonl", "JSON Lines, one event each", false, jsonl_new },
	{ "messages", NULL, "JSON Lines, one message each", false, open_messages },
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
