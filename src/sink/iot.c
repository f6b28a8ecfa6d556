/* The native capture (iotrace/capture.h), as one file or, with --rotate, as several. */
#include "base/own.h"
#include "sink/format.h"
#include "store/repeat.h"

#include <string.h>

struct iot {
	struct sink sink;
	struct out *out;
	struct repeat *repeat;
	uint64_t rotate;     /* bytes of a part; 0: there is one */
	char *name;          /* of the first part */
	struct event *start; /* begins each part */
	uint64_t part;
	bool begun; /* the current part */
};

static void add_event(struct iot *iot, const struct event *event)
{
	const struct encode_options options = {
		.tagged = !iot->begun,
		.part = event->type == EVENT_IOTRACE ? iot->part : 0,
	};
	size_t payload = encode_payload_len(event);

	iot->begun = true;
	repeat_event(iot->repeat, out_buf(iot->out), event, &options);
	if (payload)
		out_write(iot->out, event->data.payload, payload);
}

static size_t without(const char *name, size_t len, const char *suffix)
{
	size_t more = strlen(suffix);

	return len > more && !memcmp(name + len - more, suffix, more) ? len - more : len;
}

/* "run.iot" becomes "run.7.iot". */
static char *part_name(const char *name, uint64_t part)
{
	size_t len = without(name, without(name, strlen(name), ".zst"), ".iot");

	return own_printf("%.*s.%lu%s", (int)len, name, part, name + len);
}

static void next_part(struct iot *iot)
{
	char *name auto_free = part_name(iot->name, ++iot->part);
	const char *slash = strrchr(name, '/');

	encode_next(out_buf(iot->out), slash ? slash + 1 : name);
	out_next(iot->out, name);
	iot->begun = false;
	if (iot->start)
		add_event(iot, iot->start);
}

static void iot_emit(struct sink *sink, struct event *event)
{
	struct iot *iot = (struct iot *)sink;

	if (event->type == EVENT_IOTRACE && iot->rotate) {
		event_unref(iot->start);
		iot->start = event_ref(event);
	}
	if (iot->rotate && event->type != EVENT_END &&
	    out_written(iot->out) + out_buf(iot->out)->len >= iot->rotate)
		next_part(iot);
	add_event(iot, event);
	out_end_record(iot->out);
}

static int iot_finish(struct sink *sink)
{
	struct iot *iot = (struct iot *)sink;
	int result = out_close(iot->out);

	event_unref(iot->start);
	repeat_free(iot->repeat);
	free(iot->name);
	free(iot);
	return result;
}

struct sink *iot_new(struct out *out, const struct format_options *options)
{
	struct iot *iot = own_zalloc(sizeof(*iot));

	iot->sink = (struct sink){ .emit = iot_emit, .finish = iot_finish };
	iot->out = out;
	iot->repeat = repeat_new();
	iot->rotate = out_is_file(out) ? options->rotate : 0;
	iot->name = own_strdup(out_name(out));
	return &iot->sink;
}
