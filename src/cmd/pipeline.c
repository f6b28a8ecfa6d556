#include "cmd/pipeline.h"

#include "base/log.h"
#include "base/own.h"
#include "sink/alerts.h"
#include "sink/format.h"
#include "sink/queue.h"
#include "sink/tee.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define QUEUE_BYTES (64U << 20)

#define AT(field) offsetof(struct output_settings, field)

const struct opt_row output_options[] = {
	{ OPT_LIST, 'o', "output", "FILE",
	  "write there (repeatable); '-' is stdout, '|CMD' a command", AT(files) },
	{ OPT_TEXT, 'f', "format", "FORMAT", "text, hex or jsonl, where no suffix says it",
	  AT(format) },
	{ OPT_FLAG, 0, "live", NULL, "text on standard error although there is an -o", AT(live) },
	{ OPT_TEXT, 0, "color", "WHEN", "auto (the default), always or never", AT(color) },
	{ OPT_SIZE, 0, "queue", "SIZE", "events in memory before the program has to wait (64M)",
	  AT(queue) },
	{ OPT_FLAG, 0, "drop", NULL, "when that is full, lose data (and say so) instead of waiting",
	  AT(drop) },
	{ .kind = OPT_END },
};

static bool wants_color(const char *when, const struct out *out)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (when && !strcmp(when, "always"))
		return true;
	if (when && !strcmp(when, "never"))
		return false;
	/* https://no-color.org: set and not empty. */
	if ((no_color && *no_color) || (term && !strcmp(term, "dumb")))
		return false;
	return out_is_terminal(out);
}

static void add_output(struct tee *tee, struct out *out, const struct format *format,
		       const struct output_settings *settings)
{
	struct format_options options = { .color = wants_color(settings->color, out) };

	tee_add(tee, format->open(out, &options), out);
}

static const struct format *default_format(const struct output_settings *settings)
{
	return format_by_name(settings->format ? settings->format : "text");
}

bool output_uses_stdout(const struct output_settings *settings)
{
	for (size_t i = 0; i < settings->files.count; i++)
		if (!strcmp(settings->files.items[i], "-"))
			return true;
	return false;
}

static int add_files(struct tee *tee, const struct output_settings *settings)
{
	for (size_t i = 0; i < settings->files.count; i++) {
		const char *name = settings->files.items[i];
		const struct format *format = format_by_suffix(name);
		struct out *out;
		int error;

		out = out_open(name, STDOUT_FILENO, &error);
		if (!out) {
			log_errno(-error, "cannot write to %s", name);
			return -1;
		}
		add_output(tee, out, format ? format : default_format(settings), settings);
	}
	return 0;
}

static void report(void *ctx, const struct tee_report *report)
{
	struct pipeline *pipeline = ctx;

	if (report->error == -EPIPE) {
		log_error("%s was closed by its reader; %lu events were not written to it",
			  report->name, report->missed);
		return;
	}
	pipeline->failed = true;
	log_error("%s is not complete: %s; the last %lu events are missing", report->name,
		  strerror(-report->error), report->missed);
}

static int check_settings(const struct output_settings *settings)
{
	const char *color = settings->color;

	if (!default_format(settings)) {
		log_error("there is no format '%s': --help lists them", settings->format);
		return -1;
	}
	if (color && strcmp(color, "auto") && strcmp(color, "always") && strcmp(color, "never")) {
		log_error("--color is auto, always or never, not '%s'", color);
		return -1;
	}
	return 0;
}

int pipeline_open(struct pipeline *pipeline, const struct output_settings *settings,
		  struct selection *selection)
{
	struct queue_options queue = { .bytes = settings->queue ? settings->queue : QUEUE_BYTES,
				       .drop = settings->drop,
				       .idle = tee_flush };
	struct tee *tee;

	tee = tee_new(report, pipeline);
	if (check_settings(settings) || add_files(tee, settings)) {
		sink_finish(tee_sink(tee));
		selection_free(selection);
		return -1;
	}
	if (!settings->files.count || settings->live)
		add_output(tee, out_from_fd(STDERR_FILENO, "standard error"),
			   default_format(settings), settings);
	else
		tee_add(tee, alerts_new(), NULL);
	queue.idle_ctx = tee;
	pipeline->sink = queue_new(
		&queue, select_new(selection, tally_new(&pipeline->limit, tee_sink(tee))));
	return 0;
}

void pipeline_finish(struct pipeline *pipeline)
{
	sink_finish(pipeline->sink);
	pipeline->sink = NULL;
}
