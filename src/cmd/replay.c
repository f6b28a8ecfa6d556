#include "cmd/replay.h"

#include "base/buf.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "store/reader.h"

#include <signal.h>
#include <sys/stat.h>

static void add_places(struct buf *text, const struct reader_damage *damage)
{
	const char *of = damage->in_compressed ? " of the compressed data" : "";

	if (damage->truncated)
		buf_addf(text, "ends in the middle of an event: from byte %lu%s on %lu are lost",
			 damage->offset, of, damage->bytes);
	else
		buf_addf(text, "is damaged at byte %lu%s: %lu bytes in %lu place%s cannot be read",
			 damage->offset, of, damage->bytes, damage->places,
			 damage->places == 1 ? "" : "s");
	if (damage->events)
		buf_addf(text, ", %lu events are missing there", damage->events);
}

/* What is wrong, as one sentence behind the file's name. */
static void describe(struct buf *text, const struct reader_damage *damage)
{
	if (damage->empty || damage->foreign) {
		buf_adds(text, damage->empty ? "is empty" : "is no capture");
		return;
	}
	if (damage->places)
		add_places(text, damage);
	if (damage->backwards)
		buf_addf(text, "%snumbers of %lu events go back, first at byte %lu",
			 text->len ? "; " : "", damage->backwards, damage->offset);
	if (damage->missing)
		buf_addf(text, "%sthe next part, %s, cannot be read", text->len ? "; " : "",
			 damage->missing);
	else if (damage->no_end)
		buf_addf(
			text,
			"%sit has no end: iotrace was ended by force or is still writing, and what "
			"followed event %lu is not there",
			text->len ? "; " : "", damage->last_seq);
}

/* Payload that the user did not ask to be cut. */
static uint64_t unwanted_cuts(const struct replay *replay, const struct reader *reader)
{
	return replay->settings->max_bytes || replay->cuts_payload ? 0 : reader_cut(reader);
}

/* Messages, and the exit status. */
static int report(const struct replay *replay, const struct reader *reader)
{
	struct buf text auto_buf = { 0 };

	if (reader_unknown(reader))
		log_error("%s: %lu events of a newer version were left out", replay->file,
			  reader_unknown(reader));
	if (unwanted_cuts(replay, reader))
		log_error("%s: %lu messages are longer than %lu bytes and were cut; --max-bytes "
			  "allows more",
			  replay->file, unwanted_cuts(replay, reader), replay->payload_max);
	if (reader_is_damaged(reader)) {
		describe(&text, reader_damage(reader));
		log_error("%s: %s", replay->file, buf_cstr(&text));
		return EXIT_DAMAGED;
	}
	return unwanted_cuts(replay, reader) && replay->needs_whole ? EXIT_IOTRACE_FAILED : 0;
}

static int pump(const struct replay *replay, struct reader *reader, struct pipeline *pipeline)
{
	struct progress progress = { 0 };
	uint64_t done, total;
	struct event *event;
	int result;

	if (replay->progress)
		progress_begin(&progress);
	while ((result = reader_next(reader, &event)) > 0) {
		sink_emit(pipeline->sink, event);
		event_unref(event);
		if (pipeline_is_dead(pipeline))
			break;
		if (progress.wanted) {
			reader_progress(reader, &done, &total);
			progress_update(&progress, done, total);
		}
	}
	progress_end(&progress);
	return result;
}

static int run(const struct replay *replay, struct reader *reader, struct pipeline *pipeline)
{
	int result = pump(replay, reader, pipeline), status = 0;

	pipeline_finish(pipeline);
	if (result < 0) {
		log_errno(-result, "cannot read %s", replay->file);
		return EXIT_IOTRACE_FAILED;
	}
	/* Who has seen enough does not want to hear of the rest. */
	if (!result)
		status = report(replay, reader);
	return pipeline->failed ? EXIT_IOTRACE_FAILED : status;
}

/* Opening it for writing would empty what is to be read. */
static bool writes_to(const struct output_settings *settings, const char *file)
{
	struct stat in, out;

	if (stat(file, &in) || !S_ISREG(in.st_mode))
		return false;
	for (size_t i = 0; i < settings->files.count; i++) {
		if (stat(settings->files.items[i], &out) || in.st_dev != out.st_dev ||
		    in.st_ino != out.st_ino)
			continue;
		log_error("%s is read: name another output", file);
		return true;
	}
	return false;
}

int replay_run(const struct replay *replay)
{
	const struct replay_settings *settings = replay->settings;
	struct pipeline pipeline = { 0 };
	struct reader_options options = {
		.payload_max = settings->max_bytes ? settings->max_bytes : replay->payload_max,
		.follow = settings->follow,
		.idle = pipeline_idle,
		.ctx = &pipeline,
	};
	struct selection *selection = selection_make(&settings->selection);
	struct reader *reader = NULL;
	int error = 0, result = EXIT_IOTRACE_FAILED;

	if (!selection)
		return result;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (!writes_to(&settings->output, replay->file)) {
		reader = reader_open(replay->file, &options, &error);
		if (!reader)
			log_errno(-error, "cannot open %s", replay->file);
	}
	if (!reader)
		selection_free(selection);
	else if (!pipeline_open_replay(&pipeline, &settings->output, &settings->selection,
				       selection, &replay->fallback))
		result = run(replay, reader, &pipeline);
	reader_free(reader);
	return result;
}

/* The one file of a command line; NULL after a message. */
static const char *only_file(const struct opt_list *words, const char *command)
{
	if (words->count == 1)
		return words->items[0];
	log_error("iotrace %s: name one capture, or - for standard input; see iotrace %s --help",
		  command, command);
	return NULL;
}

static void settings_done(struct replay_settings *settings)
{
	output_settings_done(&settings->output);
	selection_settings_done(&settings->selection);
}

int replay_command(const struct replay_command *command, int argc, char **argv)
{
	struct opt_list words = { 0 };
	int at = opt_parse_mixed(command->groups, argc, argv, command->settings, &words);
	int result = EXIT_IOTRACE_FAILED;
	const char *file;

	for (; at >= 0 && at < argc; at++)
		opt_list_add(&words, argv[at]);
	if (at >= 0 && *command->help) {
		result = command->print_help();
	} else if (at >= 0) {
		file = only_file(&words, command->name);
		if (file)
			result = command->run(command->settings, file);
	}
	opt_list_done(&words);
	settings_done(command->replay);
	return result;
}
