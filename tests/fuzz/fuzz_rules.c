/* Rules, a NUL, and what they are used on: no rules and no value make it crash or hang. */
#include "fuzz.h"
#include "golden/scan.h"

#include <string.h>

static void use(struct rules *rules, struct span value)
{
	struct values values = { 0 };
	struct scan scan;
	struct buf out = { 0 };
	struct place place = { SPAN("GET"), SPAN("localhost:80"), value, value };
	static char *environment[] = { (char *)(uintptr_t) "A_TOKEN=abcdefgh", NULL };

	scan_init(&scan, rules, &values, environment);
	scan_port(&scan, 40000);
	scan.place = &place;
	scan_add(&scan, &out, value, ESCAPE_TEXT);
	scan_add(&scan, &out, value, ESCAPE_JSON);
	for (int what = WHAT_HEADER; what <= WHAT_PATH; what++)
		rules_find(rules, (enum rule_what)what, value, &place);
	rules_find_action(rules, RULE_IGNORE, WHAT_EXCHANGE, &place);
	scan_done(&scan);
	values_done(&values);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
	size_t len = nul ? (size_t)(nul - data) : size;
	struct rules rules = { 0 };
	struct rules_error error;
	struct buf text = { 0 };

	if (rules_parse(&rules, span_of(data, len), &error)) {
		for (size_t i = 0; i < rules.count; i++)
			rule_add_text(&text, &rules.items[i]);
		use(&rules, nul ? span_of(nul + 1, size - len - 1) : (struct span){ 0 });
	}
	rules_done(&rules);
	buf_done(&text);
	return 0;
}
