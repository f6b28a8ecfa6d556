/* `iotrace rules`: the rules, and what they do to captures. */
#include "base/log.h"
#include "base/own.h"
#include "cmd/cmd.h"
#include "cmd/golden_file.h"
#include "cmd/opt.h"

#include <stdio.h>
#include <unistd.h>

struct rules_settings {
	const char *rules;
	bool explain, help;
};

#define AT(field) offsetof(struct rules_settings, field)

static const struct opt_row rules_options[] = {
	{ OPT_FLAG, 0, "explain", NULL,
	  "how often each rule was used in the captures, and whether it was needed", AT(explain) },
	{ OPT_TEXT, 0, "rules", "FILE", "a file of rules (default: .iotrace-rules, here)",
	  AT(rules) },
	{ OPT_FLAG, 'h', "help", NULL, "print this and exit", AT(help) },
	{ .kind = OPT_END },
};

static const struct opt_group groups[] = {
	{ "Options", rules_options, 0 },
	{ 0 },
};

static int print_help(void)
{
	printf("Usage: iotrace rules [OPTION]... [--explain CAPTURE...]\n\n"
	       "Lists what is not compared by check and diff.\n");
	opt_print_help(groups);
	printf("\nExit status: 0; 1 a rule was not used, or not needed; 2 usage or syntax;\n"
	       "4 a capture is incomplete.\n");
	return 0;
}

/* What one capture told of one rule. */
struct seen {
	uint64_t hits, sum;
};

/* *ret_incomplete is left as it is where nothing is missing. */
static int explain_capture(const char *name, struct rules *rules, struct seen *ret_seen,
			   bool *ret_incomplete)
{
	struct gather_options options = { .rules = rules,
					  .level = LEVEL_FULL,
					  .environment = environ };
	struct gather *gather = gather_new(&options);
	int result = golden_file_capture(name, gather);
	const char *why;

	if (!result)
		model_free(gather_model(gather));
	for (size_t i = 0; !result && (why = gather_incomplete(gather, i)); i++) {
		log_error("%s is incomplete: %s", name, why);
		*ret_incomplete = true;
	}
	gather_free(gather);
	for (size_t i = 0; i < rules->count; i++)
		ret_seen[i] = (struct seen){ rules->items[i].hits, rules->items[i].sum };
	return result;
}

static void print_builtin(const struct rules *rules, bool explain)
{
	printf("builtin %d\n", BUILTIN_VERSION);
	for (int i = 0; i < BUILTINS; i++) {
		printf("  %-20s %s%s", builtin_rows[i].name, builtin_rows[i].summary,
		       rules->off[i] ? " (kept by a rule)" : "");
		if (explain && rules->hits[i])
			printf(": used %lu times", rules->hits[i]);
		putchar('\n');
	}
}

/* The same values in every capture, and the same one each time: without the rule nothing would differ. */
static bool is_constant(const struct rules *rules, size_t rule, const struct seen *seen,
			size_t captures)
{
	const struct seen *before = NULL;

	if (rules->items[rule].action != RULE_MASK || captures < 2)
		return false;
	for (size_t c = 0; c < captures; c++) {
		const struct seen *now = &seen[c * rules->count + rule];
		uint64_t sum = now->sum - (before ? before->sum : 0);

		if (!sum || (before && sum != seen[rule].sum))
			return false;
		before = now;
	}
	return true;
}

/* 1 where one was not used or not needed. */
static int print_own(const struct rules *rules, const struct seen *seen, size_t captures)
{
	int result = 0;

	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->items[i];
		struct buf text auto_buf = { 0 };

		rule_add_text(&text, rule);
		printf("line %u: %s", rule->line, buf_cstr(&text));
		if (captures && !rule->hits) {
			printf(": NOT USED");
			result = 1;
		} else if (captures && is_constant(rules, i, seen, captures)) {
			printf(": NOT NEEDED, what it masks is the same in all captures");
			result = 1;
		} else if (captures) {
			printf(": used %lu times", rule->hits);
		}
		putchar('\n');
	}
	return result;
}

static int explain(const struct rules_settings *settings, const struct opt_list *words)
{
	struct rules rules = { 0 };
	struct seen *seen;
	bool incomplete = false;
	int result = golden_file_rules(settings->rules, "here", &rules);

	seen = own_zalloc((rules.count * words->count + 1) * sizeof(*seen));
	for (size_t i = 0; i < words->count && !result; i++)
		result = explain_capture(words->items[i], &rules, seen + i * rules.count,
					 &incomplete);
	if (!result) {
		print_builtin(&rules, settings->explain);
		result = print_own(&rules, seen, words->count);
		if (incomplete)
			result = check_worse(result, CHECK_INCOMPLETE);
	}
	free(seen);
	rules_done(&rules);
	return result;
}

int rules_main(int argc, char **argv)
{
	struct rules_settings settings = { 0 };
	struct opt_list words = { 0 };
	int at = opt_parse_mixed(groups, argc, argv, &settings, &words), result = CHECK_USAGE;

	for (; at >= 0 && at < argc; at++)
		opt_list_add(&words, argv[at]);
	if (at >= 0 && settings.help)
		result = print_help();
	else if (at >= 0 && settings.explain != (words.count > 0))
		log_error("iotrace rules: captures and --explain go together");
	else if (at >= 0)
		result = explain(&settings, &words);
	opt_list_done(&words);
	return result;
}
