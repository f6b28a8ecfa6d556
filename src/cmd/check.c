/* `iotrace check GOLDEN -- PROGRAM`: is the traffic still what the golden says? */
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "cmd/cmd.h"
#include "cmd/drive.h"
#include "cmd/golden_file.h"
#include "cmd/verdict.h"
#include "golden/order.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct check_settings {
	struct trace_settings trace;
	struct verdict_settings verdict;
	const char *from, *level, *rules, *drive;
	uint64_t timeout;
	bool update, help;
};

#define AT(field) offsetof(struct check_settings, field)

static const struct opt_row check_options[] = {
	{ OPT_TEXT, 0, "from", "FILE", "compare that capture instead of running a program",
	  AT(from) },
	{ OPT_FLAG, 0, "update", NULL, "write the golden; never where CI is set", AT(update) },
	{ OPT_TEXT, 'l', "level", "LEVEL", "of a new golden: peers, requests or full (the default)",
	  AT(level) },
	{ OPT_TEXT, 0, "rules", "FILE",
	  "what is not compared (default: .iotrace-rules beside the golden)", AT(rules) },
	{ OPT_FLAG, 'h', "help", NULL, "print this and exit", AT(help) },
	{ .kind = OPT_END },
};

static const struct opt_row run_options[] = {
	{ OPT_TEXT, 0, "drive", "COMMAND",
	  "run by sh, untraced, when PROGRAM first listens; then PROGRAM gets SIGTERM", AT(drive) },
	{ OPT_TIME, 0, "timeout", "TIME", "end PROGRAM then: seconds, or with ms, s, m, h",
	  AT(timeout) },
	{ .kind = OPT_END },
};

static const struct opt_group groups[] = {
	{ "What is compared", check_options, 0 },
	{ "The run", run_options, 0 },
	{ "The verdict", verdict_options, AT(verdict) },
	{ "What is captured", trace_capture_options, AT(trace) },
	{ "The program", trace_program_options, AT(trace) },
	{ 0 },
};

struct check {
	struct check_settings *settings;
	const char *name; /* of the golden */
	bool ci;
	bool interrupted; /* the run was, by a signal */
	struct rules rules;
	struct golden_file golden;
	enum golden_level level;
	struct gather *gather;
	struct model *run;
	struct buf text; /* the run as a golden */
	struct problems problems;
	int status;
};

static int print_help(void)
{
	printf("Usage: iotrace check GOLDEN [OPTION]... -- PROGRAM [ARG]...\n"
	       "       iotrace check GOLDEN [OPTION]... --from FILE\n\n"
	       "Compares a program's traffic with a golden capture.\n");
	opt_print_help(groups);
	printf("\nExit status: 0 the same; 1 it differs; 2 usage or syntax; 3 there is no golden;\n"
	       "4 the capture is incomplete; 5 tracing was refused; 6 the program ended "
	       "otherwise;\n125 iotrace failed.\n");
	return 0;
}

static bool is_ci(void)
{
	const char *ci = getenv("CI");

	return ci && *ci && strcmp(ci, "0") != 0 && strcmp(ci, "false") != 0;
}

static void note(struct check *check, int status)
{
	check->status = check_worse(check->status, status);
}

/*** The run ***/

static void report_drive(struct check *check, const struct drive *drive)
{
	struct drive_outcome outcome;

	drive_outcome(drive, &outcome);
	if (outcome.timed_out) {
		problems_add(&check->problems,
			     "the program did not end in time (--timeout): it was "
			     "ended");
		note(check, CHECK_ENDED);
	}
	if (outcome.not_run) {
		problems_add(&check->problems,
			     "the program never listened: the command of --drive was not run");
		note(check, CHECK_FAILED);
	}
	if (outcome.failed) {
		problems_add(&check->problems, "the command of --drive failed: %s %d",
			     WIFSIGNALED(outcome.status) ? "signal" : "exit status",
			     WIFSIGNALED(outcome.status) ? WTERMSIG(outcome.status)
							 : WEXITSTATUS(outcome.status));
		note(check, CHECK_FAILED);
	}
}

/* 0, or an exit status where there is nothing to compare. */
static int run_program(struct check *check, int argc, char **argv, int at)
{
	struct check_settings *settings = check->settings;
	struct drive *drive = drive_new(settings->drive, settings->timeout);
	struct trace_outcome outcome = { 0 };
	int result = 0;

	if (!drive)
		return CHECK_FAILED;
	settings->trace.output.into = drive_sink(drive, gather_sink(check->gather));
	trace_program(&settings->trace, drive_hooks(drive), argc, argv, at, &outcome);
	if (!outcome.started)
		result = outcome.refused ? CHECK_REFUSED : CHECK_FAILED;
	else if (outcome.failed)
		note(check, CHECK_FAILED);
	if (outcome.started)
		report_drive(check, drive);
	check->interrupted = outcome.interrupted;
	drive_free(drive);
	return result;
}

static void report_doubts(struct check *check)
{
	const char *why;

	for (size_t i = 0; (why = gather_incomplete(check->gather, i)); i++) {
		problems_add(&check->problems, "the capture is incomplete and cannot vouch: %s",
			     why);
		note(check, CHECK_INCOMPLETE);
	}
}

static int gather_run(struct check *check, int argc, char **argv, int at)
{
	struct gather_options options = { .rules = &check->rules,
					  .level = check->level,
					  .environment = environ };
	int result;

	check->gather = gather_new(&options);
	result = check->settings->from ? golden_file_capture(check->settings->from, check->gather)
				       : run_program(check, argc, argv, at);
	if (result)
		return result;
	check->run = gather_model(check->gather);
	report_doubts(check);
	golden_file_unused(&check->rules);
	order_canonical(check->run);
	golden_write(&check->text, check->run);
	return 0;
}

/*** The verdict ***/

static void compare_ends(struct check *check, const struct comparison *comparison)
{
	struct buf was auto_buf = { 0 }, is auto_buf = { 0 };

	if (comparison->ended_same)
		return;
	model_add_ended(&was, check->golden.model);
	model_add_ended(&is, check->run);
	problems_add(&check->problems, "the program ended otherwise: %s, not %s", buf_cstr(&is),
		     buf_cstr(&was));
	note(check, CHECK_ENDED);
}

/* Beside the golden, for who wants to look, or to take it. */
static char *write_new(struct check *check)
{
	char *path auto_free = own_printf("%s.new", check->name);

	if (check->ci || check->status == CHECK_INCOMPLETE || golden_file_write(path, &check->text))
		return NULL;
	return own_printf("mv %s %s", path, check->name);
}

static void compare(struct check *check, uint64_t since)
{
	struct comparison comparison;
	struct verdict verdict = { .name = check->name, .comparison = &comparison };
	char *accept auto_free = NULL;

	compare_models(&comparison, check->golden.model, check->run);
	compare_ends(check, &comparison);
	if (!comparison.same)
		note(check, CHECK_DIFFERS);
	if (!comparison.same)
		accept = write_new(check);
	verdict.accept = accept;
	verdict.seconds = (double)(clock_monotonic() - since) / 1e9;
	if (verdict_tell(&check->settings->verdict, &verdict, &check->problems))
		note(check, CHECK_FAILED);
	comparison_done(&comparison);
}

static void tell_without(struct check *check)
{
	struct verdict verdict = { .name = check->name };

	if (verdict_tell(&check->settings->verdict, &verdict, &check->problems))
		note(check, CHECK_FAILED);
}

static void tell_missing(struct check *check)
{
	char *accept auto_free = NULL;

	note(check, CHECK_MISSING);
	if (check->run)
		accept = write_new(check);
	if (accept)
		problems_add(&check->problems, "there is no such golden; look at %s.new, then: %s",
			     check->name, accept);
	else
		problems_add(&check->problems, "there is no such golden%s",
			     check->ci
				     ? ": make one with --update where CI is not set, and commit it"
				     : "");
	tell_without(check);
}

/* Writes the golden, unless the run was no good. */
static void update(struct check *check)
{
	/* Who ends a server so, and it ends in order, has what it said until then. */
	if (check->interrupted && check->run->ended != ENDED_EXIT) {
		problems_add(&check->problems, "the run was interrupted");
		note(check, CHECK_INCOMPLETE);
	}
	if (!check->status && golden_file_write(check->name, &check->text))
		note(check, CHECK_FAILED);
	else if (!check->status)
		printf("%s: written\n", check->name);
	else
		problems_add(&check->problems, "the golden was not written");
	if (check->status)
		tell_without(check);
}

/*** From the command line to the exit status ***/

static int load(struct check *check)
{
	struct check_settings *settings = check->settings;
	int level = golden_file_level(settings->level), result;

	if (level < 0)
		return CHECK_USAGE;
	check->level = (enum golden_level)level;
	result = golden_file_rules(settings->rules, check->name, &check->rules);
	if (result || settings->update)
		return result;
	result = golden_file_load(check->name, &check->golden);
	if (result == CHECK_MISSING && !check->ci)
		return 0;
	if (result)
		return result;
	if (settings->level && check->golden.model->level != check->level) {
		log_error("%s is of level %s: --level is for new ones", check->name,
			  golden_level_names[check->golden.model->level]);
		return CHECK_USAGE;
	}
	check->level = check->golden.model->level;
	return 0;
}

static int check_run(struct check *check, int argc, char **argv, int at)
{
	uint64_t since = clock_monotonic();
	int result = load(check);

	if (result == CHECK_MISSING) {
		tell_missing(check);
		return check->status;
	}
	if (!result)
		result = gather_run(check, argc, argv, at);
	note(check, result);
	if (result == CHECK_REFUSED)
		problems_add(&check->problems, "tracing was refused");
	if (result)
		tell_without(check);
	else if (check->settings->update)
		update(check);
	else if (!check->golden.model)
		tell_missing(check);
	else
		compare(check, since);
	return check->status;
}

static bool is_usable(const struct check_settings *settings, const struct opt_list *words,
		      bool program)
{
	if (words->count != 1)
		log_error("iotrace check: name one golden; see iotrace check --help");
	else if (program == (settings->from != NULL))
		log_error("iotrace check: name a program behind --, or a capture with --from");
	else if (settings->from && (settings->drive || settings->timeout))
		log_error("--drive and --timeout are for a program that is run");
	else if (settings->update && is_ci())
		log_error("--update is refused where CI is set: goldens are made by people");
	else
		return true;
	return false;
}

int check_main(int argc, char **argv)
{
	struct check_settings settings = { 0 };
	struct check check = { .settings = &settings, .ci = is_ci() };
	struct opt_list words = { 0 };
	int at = opt_parse_mixed(groups, argc, argv, &settings, &words), result = CHECK_USAGE;

	if (at >= 0 && settings.help) {
		result = print_help();
	} else if (at >= 0 && is_usable(&settings, &words, at < argc)) {
		check.name = words.items[0];
		result = check_run(&check, argc, argv, at);
	}
	model_free(check.run);
	gather_free(check.gather);
	golden_file_done(&check.golden);
	rules_done(&check.rules);
	buf_done(&check.text);
	problems_done(&check.problems);
	opt_list_done(&words);
	trace_settings_done(&settings.trace);
	return result;
}
