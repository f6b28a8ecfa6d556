#include "view/format.h"

#include "view/conversations.h"
#include "view/pick.h"
#include "view/redact.h"
#include "view/view.h"

#include <string.h>

/* Bytes of each body that are kept, where only words are shown, where bodies are cut, and whole. */
#define BODY_WORD  64U
#define BODY_CUT   (64U << 10)
#define BODY_WHOLE (16U << 20)

/* Events through decoders to a sink of messages. */
static struct sink *open_view(struct message_sink *view, const struct format_options *options,
			      size_t body_max)
{
	struct decode_options decode = { .body_max = body_max,
					 .as = options->as,
					 .as_count = options->as_count };

	if (options->picking)
		view = pick_new(options->picking, view);
	if (options->redact)
		view = redact_new(view);
	return conversations_new(&decode, view);
}

static struct sink *open_text(struct out *out, const struct format_options *options)
{
	static const size_t body_max[] = {
		[LEVEL_LINES] = BODY_WORD,
		[LEVEL_HEADERS] = BODY_WORD,
		[LEVEL_BODIES] = BODY_CUT,
		[LEVEL_WHOLE] = BODY_WHOLE,
	};

	if (options->level >= LEVEL_CALLS)
		return text_new(out, options);
	return open_view(ladder_new(out, options), options,
			 options->level > LEVEL_LINES ? body_max[options->level] : BODY_WORD);
}

static struct sink *open_messages(struct out *out, const struct format_options *options)
{
	return open_view(messages_new(out, options), options, BODY_WHOLE);
}

static struct sink *open_har(struct out *out, const struct format_options *options)
{
	return open_view(har_new(out, options), options, BODY_WHOLE);
}

static struct sink *open_curl(struct out *out, const struct format_options *options)
{
	return open_view(curl_new(out, options), options, BODY_WHOLE);
}

static struct sink *open_html(struct out *out, const struct format_options *options)
{
	return open_view(html_new(out, options), options, BODY_WHOLE);
}

const struct format formats[] = {
	{ .name = "text",
	  .suffix = ".txt",
	  .help = "for people: a line for each exchange; -v, -vv, -vvv, -vvvv show more",
	  .messages = true,
	  .open = open_text },
	{ .name = "calls",
	  .help = "for people: every call, payload as text or as hexdump",
	  .open = text_new },
	{ .name = "hex",
	  .help = "for people: every call, all payload as hexdump",
	  .open = hex_new },
	{ .name = "jsonl",
	  .suffix = ".jsonl",
	  .help = "JSON Lines, one event each",
	  .open = jsonl_new },
	{ .name = "messages",
	  .help = "JSON Lines, one message each",
	  .messages = true,
	  .open = open_messages },
	{ .name = "iot",
	  .suffix = ".iot",
	  .help = "the native capture",
	  .binary = true,
	  .open = iot_new },
	{ .name = "pcapng",
	  .suffix = ".pcapng",
	  .help = "packets, for Wireshark",
	  .binary = true,
	  .open = pcapng_new },
	{ .name = "har",
	  .suffix = ".har",
	  .help = "HTTP Archive 1.2, for browsers and their like",
	  .messages = true,
	  .redacts = true,
	  .open = open_har },
	{ .name = "html",
	  .suffix = ".html",
	  .help = "a page to look at with a browser, in one file",
	  .messages = true,
	  .redacts = true,
	  .open = open_html },
	{ .name = "curl",
	  .help = "each HTTP request as a command",
	  .messages = true,
	  .open = open_curl },
	{ .name = "summary",
	  .help = "totals per process and connection, at the end",
	  .open = summary_new },
	{ .name = "summary-json", .help = "the same as JSON", .open = summary_json_new },
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
