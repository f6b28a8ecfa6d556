#include "sink/tee.h"

#include "base/own.h"

#include <errno.h>

struct output {
	struct sink *sink;
	struct out *out;
	char *name;
	int error;
	uint64_t pending; /* events that may still be in the buffer */
	uint64_t missed;
};

struct tee {
	struct sink sink;
	void (*report)(void *ctx, const struct tee_report *report);
	void *ctx;
	struct output *outputs;
	size_t count;
};

/* Has what was emitted been written? What was still buffered when it failed is missing, too. */
static void check(struct output *output)
{
	if (!output->out || output->error)
		return;
	output->error = out_error(output->out);
	if (output->error)
		output->missed += output->pending;
	if (output->error || !out_buf(output->out)->len)
		output->pending = 0;
}

static void tee_emit(struct sink *sink, struct event *event)
{
	struct tee *tee = (struct tee *)sink;

	for (size_t i = 0; i < tee->count; i++) {
		struct output *output = &tee->outputs[i];

		if (output->error) {
			output->missed++;
			continue;
		}
		sink_emit(output->sink, event);
		output->pending++;
		check(output);
	}
}

static int tee_finish(struct sink *sink)
{
	struct tee *tee = (struct tee *)sink;
	int result = 0, error;

	for (size_t i = 0; i < tee->count; i++) {
		struct output *output = &tee->outputs[i];

		error = sink_finish(output->sink);
		if (error) {
			struct tee_report report = { output->name, error,
						     output->missed + output->pending };

			tee->report(tee->ctx, &report);
			result = result ? result : error;
		}
		free(output->name);
	}
	free(tee->outputs);
	free(tee);
	return result;
}

struct tee *tee_new(void (*report)(void *ctx, const struct tee_report *report), void *ctx)
{
	struct tee *tee = own_zalloc(sizeof(*tee));

	tee->sink = (struct sink){ .emit = tee_emit, .finish = tee_finish };
	tee->report = report;
	tee->ctx = ctx;
	return tee;
}

struct sink *tee_sink(struct tee *tee)
{
	return &tee->sink;
}

void tee_add(struct tee *tee, struct sink *sink, struct out *out)
{
	tee->outputs = own_realloc(tee->outputs, (tee->count + 1) * sizeof(*tee->outputs));
	tee->outputs[tee->count++] = (struct output){
		.sink = sink, .out = out, .name = own_strdup(out ? out_name(out) : "")
	};
}

bool tee_is_dead(const struct tee *tee)
{
	for (size_t i = 0; i < tee->count; i++)
		if (!tee->outputs[i].error)
			return false;
	return tee->count > 0;
}

bool tee_idle(struct tee *tee)
{
	bool again = false;

	for (size_t i = 0; i < tee->count; i++) {
		struct output *output = &tee->outputs[i];

		if (output->error)
			continue;
		again |= sink_idle(output->sink);
		if (output->out)
			out_flush(output->out);
		check(output);
	}
	return again;
}
