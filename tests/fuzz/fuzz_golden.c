/*
 * Any bytes as a golden. What is read is written the same way ever after, and is the same as itself. The
 * first byte 'J' makes the rest JSON in a body's place.
 */
#include "fuzz.h"
#include "golden/compare.h"
#include "golden/golden.h"
#include "golden/json_tree.h"
#include "golden/order.h"
#include "golden/report.h"

#include <stdlib.h>

static void hold(struct model *golden, struct model *run)
{
	struct comparison comparison;
	struct verdict verdict = { .name = "golden", .comparison = &comparison };
	struct buf out = { 0 };

	order_hash(run);
	order_canonical(run);
	compare_models(&comparison, golden, run);
	report_text(&out, &verdict, true);
	report_junit(&out, &verdict);
	report_annotations(&out, &verdict);
	report_summary(&out, &verdict);
	report_html(&out, &verdict);
	buf_done(&out);
	comparison_done(&comparison);
}

static void read_golden(struct span text)
{
	struct golden_error error;
	struct model *model = golden_parse(text, &error), *again, *half;
	struct buf out = { 0 }, twice = { 0 };

	if (!model)
		return;
	golden_write(&out, model);
	again = golden_parse(span_of(out.data, out.len), &error);
	if (!again)
		abort();
	golden_write(&twice, again);
	if (out.len != twice.len || memcmp(out.data, twice.data, out.len))
		abort();
	/* Against another one: what is left of it when it is cut. */
	half = golden_parse(span_cut(text, 0, text.len / 2), &error);
	if (half)
		hold(model, half);
	hold(again, model);
	model_free(half);
	model_free(again);
	model_free(model);
	buf_done(&out);
	buf_done(&twice);
}

static void read_json(struct span text)
{
	struct arena arena = { 0 };
	struct json *json = json_parse(&arena, text);
	struct buf out = { 0 };

	for (; json; json = json->first)
		if (json->kind == JSON_STRING)
			json_decode(&out, json->text);
	buf_done(&out);
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && data[0] == 'J')
		read_json(span_of(data + 1, size - 1));
	else
		read_golden(span_of(data, size));
	return 0;
}
