/* The command table. */
#include "base/log.h"
#include "cmd/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct command commands[] = {
	{ NULL, "[OPTION]... -- PROGRAM [ARG]...",
	  "start PROGRAM and trace it and all its children", trace_main },
	{ NULL, "[OPTION]... -p PID[,PID]...", "attach to running processes", trace_main },
	{ NULL, "[OPTION]... --name NAME", "attach to every process of that name", trace_main },
	{ "probes", "probes [-p PID] [FILE]...", "list what would be probed in a file or process",
	  probes_main },
	{ "show", "show [OPTION]... FILE", "print a capture", show_main },
	{ "export", "export [OPTION]... FILE -o OUT", "convert a capture", export_main },
	{ "summary", "summary [OPTION]... FILE", "totals per process and connection",
	  summary_main },
	{ "check", "check GOLDEN [OPTION]... -- PROGRAM [ARG]... | --from FILE",
	  "compare traffic with a golden capture", check_main },
	{ "diff", "diff [OPTION]... A B", "compare two captures or goldens", diff_main },
	{ "rules", "rules [--explain CAPTURE...]", "what is not compared", rules_main },
	{ "learn", "learn [-n N] -- PROGRAM [ARG]...", "propose rules for what differs",
	  learn_main },
	{ 0 },
};

static int run(int argc, char **argv)
{
	for (const struct command *command = commands; command->run; command++)
		if (command->name && argc > 1 && !strcmp(argv[1], command->name))
			return command->run(argc - 1, argv + 1);
	if (extcap_is_meant(argc, argv))
		return extcap_main(argc, argv);
	return trace_main(argc, argv);
}

/* What was printed and could not be written is no success. */
static bool is_all_written(void)
{
	bool failed = ferror(stdout);

	if (fflush(stdout))
		log_errno(errno, "cannot write to standard output");
	else if (failed)
		log_error("cannot write to standard output");
	else
		return true;
	return false;
}

int main(int argc, char **argv)
{
	int result = run(argc, argv);

	return is_all_written() ? result : EXIT_IOTRACE_FAILED;
}
