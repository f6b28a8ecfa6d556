/* `iotrace summary FILE`: totals per process and connection of a capture. */
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/replay.h"
#include "store/reader.h"

#include <stdio.h>
#include <unistd.h>

struct summary_settings {
	struct replay_settings replay;
	bool json, help;
};

#define AT(field) offsetof(struct summary_settings, field)

static const struct opt_row summary_options[] = {
	{ OPT_FLAG, 0, "json", NULL, "as JSON, for programs", AT(json) },
	{ OPT_LIST, 'o', "output", "FILE",
	  "write there (repeatable); '-' is stdout, '|CMD' a command", AT(replay.output.files) },
	{ OPT_FLAG, 'h', "help", NULL, "print this and exit", AT(help) },
	{ .kind = OPT_END },
};

static const struct opt_group groups[] = {
	{ "Output", summary_options, 0 },
	{ "What is counted", selection_options, AT(replay.selection) },
	{ 0 },
};

static int print_help(void)
{
	printf("Usage: iotrace summary [OPTION]... FILE\n\n"
	       "Totals of a capture: per process and connection.\n");
	opt_print_help(groups);
	printf("\nExit status: 0; 4 the file is damaged, all that is whole was counted; 125 "
	       "failure.\n");
	return 0;
}

static int summarize(void *ctx, const char *file)
{
	struct summary_settings *settings = ctx;
	/* Payload is only looked at where it decides what is counted. */
	struct replay replay = {
		.settings = &settings->replay,
		.file = file,
		.payload_max = settings->replay.selection.match.count ? READER_PAYLOAD : 0,
		.cuts_payload = true,
		.fallback = { STDOUT_FILENO, "standard output", isatty(STDOUT_FILENO) },
		.progress = true,
	};

	settings->replay.output.format = settings->json ? "summary-json" : "summary";
	return replay_run(&replay);
}

int summary_main(int argc, char **argv)
{
	struct summary_settings settings = { 0 };
	const struct replay_command command = {
		.name = "summary",
		.groups = groups,
		.settings = &settings,
		.replay = &settings.replay,
		.help = &settings.help,
		.print_help = print_help,
		.run = summarize,
	};

	return replay_command(&command, argc, argv);
}
