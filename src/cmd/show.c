/* `iotrace show FILE`: prints a capture as a live trace would be. */
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/pager.h"
#include "cmd/replay.h"
#include "store/reader.h"

#include <stdio.h>
#include <unistd.h>

struct show_settings {
	struct replay_settings replay;
	bool no_pager, help;
};

#define AT(field) offsetof(struct show_settings, field)

static const struct opt_row show_options[] = {
	{ OPT_FLAG, 0, "follow", NULL, "go on while it is being written, until its end",
	  AT(replay.follow) },
	{ OPT_SIZE, 0, "max-bytes", "SIZE", "show so much of each message (16M)",
	  AT(replay.max_bytes) },
	{ OPT_FLAG, 0, "no-pager", NULL, "straight to the terminal, not into $PAGER",
	  AT(no_pager) },
	{ OPT_FLAG, 'h', "help", NULL, "print this and exit", AT(help) },
	{ .kind = OPT_END },
};

static const struct opt_group groups[] = {
	{ "What is read", show_options, 0 },
	{ "What is kept", selection_options, AT(replay.selection) },
	{ "Which messages are shown", picking_options, AT(replay.selection) },
	{ "Output", output_options, AT(replay.output) },
	{ 0 },
};

static int print_help(void)
{
	printf("Usage: iotrace show [OPTION]... FILE\n\n"
	       "Prints a capture: .iot or .jsonl, compressed or not, - for standard input.\n");
	opt_print_help(groups);
	printf("\nExit status: 0; 4 the file is damaged, all that is whole was shown; 125 "
	       "failure.\n");
	return 0;
}

static int show(void *ctx, const char *file)
{
	const struct show_settings *settings = ctx;
	struct replay replay = {
		.settings = &settings->replay,
		.file = file,
		.payload_max = READER_PAYLOAD,
		.fallback = { .name = "standard output", .is_terminal = isatty(STDOUT_FILENO) },
	};
	struct pager pager;
	int result;

	pager_start(&pager, !settings->no_pager && !settings->replay.follow &&
				    !settings->replay.output.files.count);
	replay.fallback.fd = pager.fd;
	result = replay_run(&replay);
	pager_finish(&pager);
	return result;
}

int show_main(int argc, char **argv)
{
	struct show_settings settings = { 0 };
	const struct replay_command command = {
		.name = "show",
		.groups = groups,
		.settings = &settings,
		.replay = &settings.replay,
		.help = &settings.help,
		.print_help = print_help,
		.run = show,
	};

	return replay_command(&command, argc, argv);
}
