/* `iotrace export FILE -o OUT`: a capture in another format. */
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/replay.h"
#include "store/reader.h"

#include <stdio.h>
#include <unistd.h>

/* More than a call can be expected to move at once; what is longer needs --max-bytes. */
#define PAYLOAD (256U << 20)

struct export_settings {
	struct replay_settings replay;
	bool help;
};

#define AT(field) offsetof(struct export_settings, field)

static const struct opt_row export_options[] = {
	{ OPT_SIZE, 0, "max-bytes", "SIZE", "keep so much of each message (256M)",
	  AT(replay.max_bytes) },
	{ OPT_FLAG, 'h', "help", NULL, "print this and exit", AT(help) },
	{ .kind = OPT_END },
};

static const struct opt_group groups[] = {
	{ "What is read", export_options, 0 },
	{ "What is kept", selection_options, AT(replay.selection) },
	{ "Which messages are shown", picking_options, AT(replay.selection) },
	{ "Output", output_options, AT(replay.output) },
	{ 0 },
};

static int print_help(void)
{
	printf("Usage: iotrace export [OPTION]... FILE -o OUT\n\n"
	       "Converts a capture, .iot or .jsonl, to the format that OUT's suffix says.\n");
	opt_print_help(groups);
	printf("\nExit status: 0; 4 the file is damaged, all that is whole was written; 125 "
	       "failure.\n");
	return 0;
}

static int export(void *ctx, const char *file)
{
	const struct export_settings *settings = ctx;
	struct replay replay = {
		.settings = &settings->replay,
		.file = file,
		.payload_max = PAYLOAD,
		.progress = true,
		.fallback = { STDOUT_FILENO, "standard output", isatty(STDOUT_FILENO) },
		.needs_whole = true,
	};

	if (!settings->replay.output.files.count && !settings->replay.output.format) {
		log_error("iotrace export: name the output with -o, or a format with -t");
		return EXIT_IOTRACE_FAILED;
	}
	return replay_run(&replay);
}

int export_main(int argc, char **argv)
{
	struct export_settings settings = { 0 };
	const struct replay_command command = {
		.name = "export",
		.groups = groups,
		.settings = &settings,
		.replay = &settings.replay,
		.help = &settings.help,
		.print_help = print_help,
		.run = export,
	};

	return replay_command(&command, argc, argv);
}
