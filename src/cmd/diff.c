/* `iotrace diff A B`: two captures or goldens held against each other. */
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/golden_file.h"
#include "cmd/verdict.h"
#include "golden/order.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct diff_settings {
	struct verdict_settings verdict;
	const char *rules, *level;
	bool help;
};

#define AT(field) offsetof(struct diff_settings, field)

static const struct opt_row diff_options[] = {
	{ OPT_TEXT, 'l', "level", "LEVEL", "of captures: peers, requests or full (the default)",
	  AT(level) },
	{ OPT_TEXT, 0, "rules", "FILE", "what of captures is not compared", AT(rules) },
	{ OPT_FLAG, 'h', "help", NULL, "print this and exit", AT(help) },
	{ .kind = OPT_END },
};

static const struct opt_group groups[] = {
	{ "What is compared", diff_options, 0 },
	{ "The verdict", verdict_options, AT(verdict) },
	{ 0 },
};

/* One of both sides: a golden, or a capture made into one. */
struct side {
	const char *name;
	bool is_capture;
	struct golden_file file;
};

struct diff {
	const struct diff_settings *settings;
	struct rules rules;
	struct side sides[2];
	struct problems problems;
	int status;
};

static int print_help(void)
{
	printf("Usage: iotrace diff [OPTION]... A B\n\n"
	       "Compares two captures or goldens.\n");
	opt_print_help(groups);
	printf("\nExit status: 0 the same; 1 they differ; 2 usage or syntax; 4 a capture is "
	       "incomplete;\n125 iotrace failed.\n");
	return 0;
}

/* Reads no more than is needed to tell. */
static int look(struct side *side)
{
	struct buf start auto_buf = { 0 };
	int error = golden_file_read(side->name, 0, &start);

	if (error && error != -EFBIG) {
		log_errno(-error, "cannot read %s", side->name);
		return CHECK_USAGE;
	}
	side->is_capture = !golden_is(span_of(start.data, start.len));
	return 0;
}

static int load_capture(struct diff *diff, struct side *side, enum golden_level level)
{
	struct gather_options options = { .rules = &diff->rules,
					  .level = level,
					  .environment = environ };
	struct gather *gather = gather_new(&options);
	int result = golden_file_capture(side->name, gather);
	struct model *model = result ? NULL : gather_model(gather);
	const char *why;

	for (size_t i = 0; model && (why = gather_incomplete(gather, i)); i++) {
		problems_add(&diff->problems, "%s is incomplete: %s", side->name, why);
		diff->status = check_worse(diff->status, CHECK_INCOMPLETE);
	}
	if (model) {
		order_canonical(model);
		golden_write(&side->file.text, model);
		golden_file_parse(&side->file);
		result = side->file.model ? 0 : CHECK_FAILED;
	}
	model_free(model);
	gather_free(gather);
	return result;
}

/* Captures take the level of the golden that they are held against. */
static int load(struct diff *diff)
{
	int level = golden_file_level(diff->settings->level), result = 0;

	if (level < 0)
		return CHECK_USAGE;
	for (int i = 0; i < 2 && !result; i++)
		result = look(&diff->sides[i]);
	for (int i = 0; i < 2 && !result; i++) {
		if (diff->sides[i].is_capture)
			continue;
		result = golden_file_load(diff->sides[i].name, &diff->sides[i].file);
		if (!result)
			level = (int)diff->sides[i].file.model->level;
	}
	for (int i = 0; i < 2 && !result; i++)
		if (diff->sides[i].is_capture)
			result = load_capture(diff, &diff->sides[i], (enum golden_level)level);
	if (result)
		return result;
	if (diff->sides[0].file.model->level != diff->sides[1].file.model->level) {
		log_error("%s is of level %s, %s of level %s: they cannot be compared",
			  diff->sides[0].name, golden_level_names[diff->sides[0].file.model->level],
			  diff->sides[1].name,
			  golden_level_names[diff->sides[1].file.model->level]);
		return CHECK_USAGE;
	}
	return 0;
}

static int compare(struct diff *diff)
{
	struct side *a = &diff->sides[0], *b = &diff->sides[1];
	struct comparison comparison;
	struct verdict verdict = { .name = a->name, .other = b->name, .comparison = &comparison };

	order_hash(b->file.model);
	order_canonical(b->file.model);
	compare_models(&comparison, a->file.model, b->file.model);
	if (!comparison.ended_same) {
		struct buf was auto_buf = { 0 }, is auto_buf = { 0 };

		model_add_ended(&was, a->file.model);
		model_add_ended(&is, b->file.model);
		problems_add(&diff->problems, "the programs ended otherwise: %s, not %s",
			     buf_cstr(&is), buf_cstr(&was));
	}
	if (!comparison.same || !comparison.ended_same)
		diff->status = check_worse(diff->status, CHECK_DIFFERS);
	if (verdict_tell(&diff->settings->verdict, &verdict, &diff->problems))
		diff->status = check_worse(diff->status, CHECK_FAILED);
	comparison_done(&comparison);
	return diff->status;
}

static int run(struct diff *diff)
{
	int result = golden_file_rules(diff->settings->rules, NULL, &diff->rules);

	if (!result)
		result = load(diff);
	return result ? result : compare(diff);
}

int diff_main(int argc, char **argv)
{
	struct diff_settings settings = { 0 };
	struct diff diff = { .settings = &settings };
	struct opt_list words = { 0 };
	int at = opt_parse_mixed(groups, argc, argv, &settings, &words), result = CHECK_USAGE;

	for (; at >= 0 && at < argc; at++)
		opt_list_add(&words, argv[at]);
	if (at >= 0 && settings.help) {
		result = print_help();
	} else if (at >= 0 && words.count != 2) {
		log_error("iotrace diff: name two captures or goldens; see iotrace diff --help");
	} else if (at >= 0) {
		diff.sides[0].name = words.items[0];
		diff.sides[1].name = words.items[1];
		result = run(&diff);
	}
	for (int i = 0; i < 2; i++)
		golden_file_done(&diff.sides[i].file);
	rules_done(&diff.rules);
	problems_done(&diff.problems);
	opt_list_done(&words);
	return result;
}
