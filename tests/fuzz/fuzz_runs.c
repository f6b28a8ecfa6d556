/*
 * Two runs of a program that says anything, the second with some digits changed. The golden of a run is
 * read again and is the same as the run, however its bytes are cut; what is proposed for the difference
 * are rules.
 */
#include "../unit/piece.h"
#include "../unit/runs.h"
#include "base/own.h"
#include "fuzz.h"
#include "golden/compare.h"
#include "golden/learn.h"

#include <stdlib.h>
#include <string.h>

#define SAID_MAX 15

struct script {
	struct buf said[SAID_MAX];
	bool udp;
};

static void parse(struct script *script, struct span text)
{
	struct piece piece;
	size_t turn = 0;

	while (piece_next(&text, &piece)) {
		if (piece.kind >= PIECE_END)
			continue;
		turn += piece.in != (turn & 1);
		if (turn == SAID_MAX)
			return;
		buf_add(&script->said[turn], piece.bytes.data, piece.bytes.len);
	}
}

static struct model *model_of(const struct script *script, size_t chunk, struct rules *rules)
{
	struct run run = { .explain = true, .doubtful = true };

	run.conns[0].udp = script->udp;
	run.conns[0].chunk = script->udp ? 0 : chunk;
	for (size_t i = 0; i < SAID_MAX; i++) {
		run.conns[0].said[i] = script->said[i].len ? script->said[i].data : "";
		run.conns[0].lens[i] = script->said[i].len;
	}
	return run_model(&run, "", LEVEL_FULL, rules);
}

static _Noreturn void fail(const char *what, const struct buf *one, const struct buf *other)
{
	fprintf(stderr, "%s:\n%.*s\n--- and\n%.*s\n", what, (int)one->len, one->data,
		(int)other->len, other->data);
	abort();
}

static void hold(struct buf *golden, struct model *run)
{
	struct golden_error error;
	struct comparison comparison;
	struct model *model = golden_parse(span_of(golden->data, golden->len), &error);

	if (!model)
		fail(error.text, golden, golden);
	compare_models(&comparison, model, run);
	if (!comparison.same)
		fail("it is not the same as itself", golden, &comparison.diff);
	comparison_done(&comparison);
	model_free(model);
}

/* What a decoder could make nothing of is told from where it noticed. */
static bool is_whole(const struct buf *golden)
{
	static const char *const signs[] = { "exchange data", "(not complete)", "(no answer)",
					     "not decoded", "exchange  \n" };

	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
		if (memmem(golden->data, golden->len, signs[i], strlen(signs[i])))
			return false;
	return true;
}

static void check_golden(const struct script *script)
{
	static const size_t chunks[] = { 0, 1, 7 };
	struct buf first = { 0 }, text = { 0 };

	for (size_t i = 0; i < sizeof(chunks) / sizeof(*chunks); i++) {
		struct rules rules = { 0 };
		struct model *model = model_of(script, chunks[i], &rules);

		text.len = 0;
		golden_write(i ? &text : &first, model);
		if (i && is_whole(&first) &&
		    (text.len != first.len || memcmp(text.data, first.data, text.len)))
			fail("cutting makes a difference", &first, &text);
		hold(i ? &text : &first, model);
		model_free(model);
		rules_done(&rules);
	}
	buf_done(&first);
	buf_done(&text);
}

static void check_learn(const struct script *one, const struct script *other)
{
	struct rules rules[2] = { 0 }, again = { 0 };
	struct model *models[2] = { model_of(one, 0, &rules[0]), model_of(other, 0, &rules[1]) };
	struct rules_error error;
	struct learned learned;
	struct buf text = { 0 };

	learn(&learned, models, 2);
	for (size_t i = 0; i < learned.count; i++)
		if (learned.items[i].rule)
			buf_addf(&text, "%s\n", learned.items[i].rule);
	if (!rules_parse(&again, span_of(text.data, text.len), &error))
		fail(error.text, &text, &text);
	learned_done(&learned);
	buf_done(&text);
	rules_done(&again);
	for (int i = 0; i < 2; i++) {
		model_free(models[i]);
		rules_done(&rules[i]);
	}
}

/* Every so many digits. */
static void change(struct script *script, unsigned int every)
{
	unsigned int digits = 0;

	for (size_t i = 0; i < SAID_MAX; i++)
		for (size_t at = 0; at < script->said[i].len; at++) {
			char *c = &script->said[i].data[at];

			if (*c >= '0' && *c <= '9' && ++digits % every == 0)
				*c = *c == '9' ? '1' : (char)(*c + 1);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script script = { 0 }, changed = { 0 };

	if (!size)
		return 0;
	script.udp = changed.udp = data[0] & 4;
	parse(&script, span_of(data + 1, size - 1));
	parse(&changed, span_of(data + 1, size - 1));
	change(&changed, 1 + (data[0] >> 4));
	check_golden(&script);
	check_learn(&script, &changed);
	for (size_t i = 0; i < SAID_MAX; i++) {
		buf_done(&script.said[i]);
		buf_done(&changed.said[i]);
	}
	return 0;
}
