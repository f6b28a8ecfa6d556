#include "cmd/pipeline.h"

#include "base/log.h"
#include "base/own.h"
#include "sink/alerts.h"
#include "sink/queue.h"
#include "view/format.h"
#include "view/view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define QUEUE_BYTES (64U << 20)

#define AT(field) offsetof(struct output_settings, field)

const struct opt_row output_options[] = {
	{ OPT_LIST, 'o', "output", "FILE",
	  "write there (repeatable); '-' is stdout, '|CMD' a command", AT(files) },
	{ OPT_TEXT, 'f', "format", "FORMAT",
	  "text, calls, hex, jsonl, messages, iot, pcapng, har, html or curl, where no suffix says "
	  "it",
	  AT(format) },
	{ OPT_TEXT, 't', "to", "FORMAT", "the same", AT(format) },
	{ OPT_LEVEL, 'v', "verbose", NULL,
	  "text: headers, too; -vv bodies, cut; -vvv whole; -vvvv every call", AT(verbose) },
	{ OPT_FLAG, 'q', "quiet", NULL, "text: errors and totals only", AT(quiet) },
	{ OPT_LIST, 0, "as", "PROTO:PORT", "what that port speaks, whatever it looks like",
	  AT(as) },
	{ OPT_FLAG, 0, "redact", NULL, "messages without secrets (the default for har, html)",
	  AT(redact) },
	{ OPT_FLAG, 0, "no-redact", NULL, "… with them", AT(no_redact) },
	{ OPT_TEXT, 0, "color", "WHEN", "auto (the default), always or never", AT(color) },
	{ OPT_FLAG, 0, "relative", NULL, "text: times since the first event", AT(relative) },
	{ OPT_FLAG, 0, "compress", NULL, "compress captures (.iot) with zstd", AT(compress) },
	{ OPT_SIZE, 0, "rotate", "SIZE", "begin another file when a capture (.iot) is that large",
	  AT(rotate) },
	{ OPT_FLAG, 0, "pcap-plain", NULL, "pcapng: plaintext, where it is known, instead of TLS",
	  AT(pcap_plain) },
	{ OPT_TEXT, 0, "pcap-link", "LINK", "pcapng: pktap (the default; with processes) or raw",
	  AT(pcap_link) },
	{ .kind = OPT_END },
};

const struct opt_row live_output_options[] = {
	{ OPT_FLAG, 0, "live", NULL, "text on standard error although there is an -o", AT(live) },
	{ OPT_FLAG, 0, "summary", NULL, "totals at the end on standard error, instead of text",
	  AT(summary) },
	{ OPT_SIZE, 0, "queue", "SIZE", "events in memory before the program has to wait (64M)",
	  AT(queue) },
	{ OPT_FLAG, 0, "drop", NULL, "when that is full, lose data (and say so) instead of waiting",
	  AT(drop) },
	{ .kind = OPT_END },
};

static bool wants_color(const char *when, bool is_terminal)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (when && !strcmp(when, "always"))
		return true;
	if (when && !strcmp(when, "never"))
		return false;
	/* https://no-color.org: set and not empty. */
	if ((no_color && *no_color) || (term && !strcmp(term, "dumb")))
		return false;
	return is_terminal;
}

static unsigned int columns_of(bool is_terminal)
{
	struct winsize size;

	if (!is_terminal)
		return 0;
	for (int fd = STDERR_FILENO; fd >= 0; fd--)
		if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col)
			return size.ws_col;
	return 80;
}

/* Calls chosen by their bytes make no conversations: then text is of calls. */
static int level_of(const struct pipeline *pipeline, const struct output_settings *settings)
{
	if (settings->quiet)
		return LEVEL_QUIET;
	if (!settings->verbose && pipeline->chosen_calls)
		return LEVEL_CALLS;
	return settings->verbose < LEVEL_CALLS ? settings->verbose : LEVEL_CALLS;
}

static void tell(void *ctx, const char *text)
{
	(void)ctx;
	log_error("%s", text);
}

static bool is_redacted(const struct output_settings *settings, const struct format *format)
{
	return settings->redact || (format->redacts && !settings->no_redact);
}

/* Options that a format of events cannot follow. */
static int check_format(const struct pipeline *pipeline, const struct output_settings *settings,
			const struct format *format)
{
	bool messages = format->messages && level_of(pipeline, settings) < LEVEL_CALLS;

	if (!messages && !picking_is_empty(pipeline->picking)) {
		log_error("--method, --url, --status, --host and --sql choose among messages; %s "
			  "has calls",
			  format->name);
		return -1;
	}
	if (!messages && is_redacted(settings, format)) {
		log_error("--redact is for messages; %s has the bytes as they are", format->name);
		return -1;
	}
	return 0;
}

/* Owns out. 0, or -1 after a message. */
static int add_output(struct pipeline *pipeline, struct out *out, const struct format *format,
		      const struct output_settings *settings, bool is_terminal)
{
	struct format_options options = {
		.color = wants_color(settings->color, is_terminal),
		.relative = settings->relative,
		.level = level_of(pipeline, settings),
		.columns = columns_of(is_terminal),
		.as = pipeline->as,
		.as_count = settings->as.count,
		.redact = is_redacted(settings, format),
		.picking = picking_is_empty(pipeline->picking) ? NULL : pipeline->picking,
		.tell = tell,
		.rotate = settings->rotate,
		.pcap_plain = settings->pcap_plain,
		.pcap_raw = settings->pcap_link && !strcmp(settings->pcap_link, "raw"),
	};

	if (format->binary && is_terminal) {
		log_error("%s is not for a terminal: name a file with -o", format->name);
		out_close(out);
		return -1;
	}
	tee_add(pipeline->tee, format->open(out, &options), out);
	return 0;
}

static const struct format *default_format(const struct output_settings *settings)
{
	return format_by_name(settings->format ? settings->format : "text");
}

void output_settings_done(struct output_settings *settings)
{
	opt_list_done(&settings->files);
	opt_list_done(&settings->as);
}

bool output_uses_stdout(const struct output_settings *settings)
{
	for (size_t i = 0; i < settings->files.count; i++)
		if (!strcmp(settings->files.items[i], "-"))
			return true;
	return false;
}

static const struct format *format_of(const char *name, const struct output_settings *settings)
{
	const struct format *format = format_by_suffix(name);

	return format ? format : default_format(settings);
}

static int add_files(struct pipeline *pipeline, const struct output_settings *settings)
{
	/* Before one of them is opened, which empties it. */
	for (size_t i = 0; i < settings->files.count; i++)
		if (check_format(pipeline, settings, format_of(settings->files.items[i], settings)))
			return -1;
	for (size_t i = 0; i < settings->files.count; i++) {
		const char *name = settings->files.items[i];
		const struct format *format = format_of(name, settings);
		struct out *out;
		int error;

		out = out_open(name, STDOUT_FILENO, &error);
		if (!out) {
			log_errno(-error, "cannot write to %s", name);
			return -1;
		}
		if (format_is_compressed(name) ||
		    (settings->compress && !strcmp(format->name, "iot")))
			out_compress(out);
		if (add_output(pipeline, out, format, settings, out_is_terminal(out)))
			return -1;
	}
	return 0;
}

static void report(void *ctx, const struct tee_report *report)
{
	struct pipeline *pipeline = ctx;

	if (report->error == -EPIPE) {
		if (pipeline->quiet)
			return;
		log_error("%s was closed by its reader; %lu events were not written to it",
			  report->name, report->missed);
		return;
	}
	pipeline->failed = true;
	if (report->missed)
		log_error("%s is not complete: %s; the last %lu events are missing", report->name,
			  strerror(-report->error), report->missed);
	else
		log_errno(-report->error, "%s is not complete", report->name);
}

static int check_settings(const struct output_settings *settings)
{
	const char *color = settings->color, *link = settings->pcap_link;

	if (!default_format(settings)) {
		log_error("there is no format '%s': --help lists them", settings->format);
		return -1;
	}
	if (color && strcmp(color, "auto") && strcmp(color, "always") && strcmp(color, "never")) {
		log_error("--color is auto, always or never, not '%s'", color);
		return -1;
	}
	if (link && strcmp(link, "pktap") && strcmp(link, "raw")) {
		log_error("--pcap-link is pktap or raw, not '%s'", link);
		return -1;
	}
	return 0;
}

/* PROTO:PORT. 0, or -1 after a message. */
static int parse_as(struct pipeline *pipeline, const struct opt_list *list)
{
	pipeline->as = own_zalloc((list->count + 1) * sizeof(*pipeline->as));
	for (size_t i = 0; i < list->count; i++) {
		char *name = own_strdup(list->items[i]), *colon = strchr(name, ':'), *end = NULL;
		unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

		if (colon)
			*colon = '\0';
		pipeline->as[i] = (struct decode_as){ name, (uint16_t)port };
		if (port && port <= UINT16_MAX && !*end && decode_is_protocol(name))
			continue;
		log_error("--as %s: it is a protocol and a port, as in http:8080", list->items[i]);
		return -1;
	}
	return 0;
}

/* What the outputs have borrowed. */
static void release(struct pipeline *pipeline)
{
	picking_free(pipeline->picking);
	pipeline->picking = NULL;
	for (struct decode_as *as = pipeline->as; as && as->protocol; as++)
		free((char *)as->protocol);
	free(pipeline->as);
	pipeline->as = NULL;
}

/* A default output, in the format that -f says or the one that is named. */
static int add_default(struct pipeline *pipeline, const struct output_settings *settings,
		       const struct pipeline_default *fallback, const char *format)
{
	const struct format *chosen = format ? format_by_name(format) : default_format(settings);

	if (check_format(pipeline, settings, chosen))
		return -1;
	return add_output(pipeline, out_from_fd(fallback->fd, fallback->name), chosen, settings,
			  fallback->is_terminal);
}

/* The outputs that -o names. -1 after a message. */
static int open_outputs(struct pipeline *pipeline, const struct output_settings *settings,
			const struct selection_settings *wanted)
{
	pipeline->tee = tee_new(report, pipeline);
	pipeline->picking = picking_make(wanted);
	if (!pipeline->picking || check_settings(settings) || parse_as(pipeline, &settings->as))
		return -1;
	return add_files(pipeline, settings);
}

static int give_up(struct pipeline *pipeline, struct selection *selection)
{
	sink_finish(tee_sink(pipeline->tee));
	selection_free(selection);
	release(pipeline);
	return -1;
}

/* Standard error's share of a running trace. */
static int add_live(struct pipeline *pipeline, const struct output_settings *settings)
{
	const struct pipeline_default error = { STDERR_FILENO, "standard error",
						isatty(STDERR_FILENO) };
	bool text =
		settings->live || !(settings->files.count || settings->summary || settings->into);
	int result = 0;

	if (settings->into)
		tee_add(pipeline->tee, settings->into, NULL);

	if (text)
		result = add_default(pipeline, settings, &error, NULL);
	else
		tee_add(pipeline->tee, alerts_new(), NULL);
	if (!result && settings->summary)
		result = add_default(pipeline, settings, &error, "summary");
	return result;
}

int pipeline_open(struct pipeline *pipeline, const struct output_settings *settings,
		  const struct selection_settings *wanted, struct selection *selection)
{
	struct queue_options queue = { .bytes = settings->queue ? settings->queue : QUEUE_BYTES,
				       .drop = settings->drop,
				       .idle = pipeline_idle,
				       .idle_ctx = pipeline };

	pipeline->chosen_calls = selection_chooses_calls(selection);
	if (open_outputs(pipeline, settings, wanted) || add_live(pipeline, settings))
		return give_up(pipeline, selection);
	pipeline->sink =
		queue_new(&queue, select_new(selection,
					     tally_new(&pipeline->limit, tee_sink(pipeline->tee))));
	return 0;
}

int pipeline_open_replay(struct pipeline *pipeline, const struct output_settings *settings,
			 const struct selection_settings *wanted, struct selection *selection,
			 const struct pipeline_default *fallback)
{
	bool shown = !settings->files.count;

	pipeline->chosen_calls = selection_chooses_calls(selection);
	if (open_outputs(pipeline, settings, wanted) ||
	    (shown && add_default(pipeline, settings, fallback, NULL)))
		return give_up(pipeline, selection);
	pipeline->quiet = shown;
	pipeline->sink = select_new(selection, tee_sink(pipeline->tee));
	return 0;
}

bool pipeline_is_dead(const struct pipeline *pipeline)
{
	return tee_is_dead(pipeline->tee);
}

bool pipeline_idle(void *ctx)
{
	struct pipeline *pipeline = ctx;

	return pipeline->tee && tee_idle(pipeline->tee);
}

void pipeline_finish(struct pipeline *pipeline)
{
	sink_finish(pipeline->sink);
	pipeline->sink = NULL;
	release(pipeline);
}
