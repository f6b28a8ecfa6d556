/* `iotrace learn -n 5 -- PROGRAM`: runs it several times and proposes rules for what differs. */
#include "golden/learn.h"
#include "base/log.h"
#include "base/own.h"
#include "cmd/cmd.h"
#include "cmd/drive.h"
#include "cmd/golden_file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNS_MAX 100

struct learn_settings {
	struct trace_settings trace;
	const char *rules, *drive;
	uint64_t runs, timeout;
	bool help;
};

#define AT(field) offsetof(struct learn_settings, field)

static const struct opt_row learn_options[] = {
	{ OPT_COUNT, 'n', "runs", "N", "run it so often (5)", AT(runs) },
	{ OPT_TEXT, 0, "rules", "FILE", "rules that are there already (default: .iotrace-rules)",
	  AT(rules) },
	{ OPT_TEXT, 0, "drive", "COMMAND", "as for check", AT(drive) },
	{ OPT_TIME, 0, "timeout", "TIME", "end a run then", AT(timeout) },
	{ OPT_FLAG, 'h', "help", NULL, "print this and exit", AT(help) },
	{ .kind = OPT_END },
};

static const struct opt_group groups[] = {
	{ "The runs", learn_options, 0 },
	{ "What is captured", trace_capture_options, AT(trace) },
	{ "The program", trace_program_options, AT(trace) },
	{ 0 },
};

static int print_help(void)
{
	printf("Usage: iotrace learn [OPTION]... -- PROGRAM [ARG]...\n\n"
	       "Runs a program several times and proposes rules for what differs.\n");
	opt_print_help(groups);
	printf("\nExit status: 0 the runs are the same; 1 there are proposals; 2 usage or syntax;\n"
	       "4 something differs for which there is no rule, or a run is incomplete; 5 tracing "
	       "was\nrefused; 125 iotrace failed.\n");
	return 0;
}

struct learning {
	struct learn_settings *settings;
	struct rules rules;
	struct model *runs[RUNS_MAX];
	size_t count;
	int status;
};

/* A trace leaves its process as it is (signals are blocked, limits raised): one for each run. */
static int record(struct learning *learning, const char *file, int argc, char **argv, int at)
{
	struct learn_settings *settings = learning->settings;
	struct trace_outcome outcome = { 0 };
	struct drive *drive;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return log_errno(errno, "cannot start a process"), CHECK_FAILED;
	if (pid) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		return WIFEXITED(status) ? WEXITSTATUS(status) : CHECK_FAILED;
	}
	drive = drive_new(settings->drive, settings->timeout);
	if (!drive)
		_exit(CHECK_FAILED);
	opt_list_add(&settings->trace.output.files, file);
	settings->trace.output.format = "iot";
	settings->trace.output.into = drive_sink(drive, NULL);
	trace_program(&settings->trace, drive_hooks(drive), argc, argv, at, &outcome);
	_exit(outcome.refused                      ? CHECK_REFUSED
	      : !outcome.started || outcome.failed ? CHECK_FAILED
						   : 0);
}

static int add_run(struct learning *learning, const char *file)
{
	struct gather_options options = { .rules = &learning->rules,
					  .level = LEVEL_FULL,
					  .environment = environ,
					  .explain = true };
	struct gather *gather = gather_new(&options);
	int result = golden_file_capture(file, gather);
	const char *why;

	if (!result)
		learning->runs[learning->count++] = gather_model(gather);
	for (size_t i = 0; !result && (why = gather_incomplete(gather, i)); i++) {
		log_error("run %zu is incomplete: %s", learning->count, why);
		learning->status = check_worse(learning->status, CHECK_INCOMPLETE);
	}
	gather_free(gather);
	return result;
}

static int run_once(struct learning *learning, int argc, char **argv, int at)
{
	const char *tmp = getenv("TMPDIR");
	char *file auto_free = own_printf("%s/iotrace-learn-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	int fd auto_close = mkstemp(file), result;

	if (fd < 0)
		return log_errno(errno, "cannot make a temporary file"), CHECK_FAILED;
	result = record(learning, file, argc, argv, at);
	if (!result)
		result = add_run(learning, file);
	unlink(file);
	return result;
}

static int print(const struct learned *learned, size_t runs)
{
	int result = 0;

	if (!learned->count)
		printf("# %zu runs, no difference: no rules are needed\n", runs);
	for (size_t i = 0; i < learned->count; i++) {
		const struct proposal *proposal = &learned->items[i];
		struct buf text auto_buf = { 0 };

		for (const char *c = proposal->rule ? proposal->rule : proposal->what; *c; c++)
			buf_addc(&text, *c > 0 && *c < ' ' ? '?' : *c);
		if (proposal->rule) {
			printf("%s\n", buf_cstr(&text));
			result = check_worse(result, CHECK_DIFFERS);
		} else {
			printf("# refused: %s\n", buf_cstr(&text));
			result = check_worse(result, CHECK_INCOMPLETE);
		}
	}
	return result;
}

static int learn_all(struct learning *learning, int argc, char **argv, int at)
{
	const struct learn_settings *settings = learning->settings;
	struct learned learned;
	int result = golden_file_rules(settings->rules, "here", &learning->rules);

	for (uint64_t i = 0; i < settings->runs && !result; i++)
		result = run_once(learning, argc, argv, at);
	if (result)
		return result;
	learn(&learned, learning->runs, learning->count);
	result = check_worse(learning->status, print(&learned, learning->count));
	learned_done(&learned);
	return result;
}

int learn_main(int argc, char **argv)
{
	struct learn_settings settings = { .runs = 5 };
	struct learning learning = { .settings = &settings };
	struct opt_list words = { 0 };
	int at = opt_parse_mixed(groups, argc, argv, &settings, &words), result = CHECK_USAGE;

	if (at >= 0 && settings.help)
		result = print_help();
	else if (at >= 0 && (at == argc || words.count))
		log_error("iotrace learn: name a program behind --; see iotrace learn --help");
	else if (at >= 0 && (settings.runs < 2 || settings.runs > RUNS_MAX))
		log_error("-n is a number of runs from 2 to %d", RUNS_MAX);
	else if (at >= 0)
		result = learn_all(&learning, argc, argv, at);
	for (size_t i = 0; i < learning.count; i++)
		model_free(learning.runs[i]);
	rules_done(&learning.rules);
	opt_list_done(&words);
	trace_settings_done(&settings.trace);
	return result;
}
