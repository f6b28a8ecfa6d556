#include "captures.h"

#include "samples.h"
#include "unit.h"
#include "view/format.h"

static const struct format_options options;

void capture_add_event(struct capture *capture, struct event *event)
{
	int fd = unit_file();
	struct sink *sink =
		format_by_name(capture->format)->open(out_from_fd(fd, "test"), &options);
	size_t len, tag = !strcmp(capture->format, "iot") && capture->count ? 3 : 0;
	char *data;

	sink_emit(sink, event);
	assert_int_equal(sink_finish(sink), 0);
	data = unit_content(fd, &len);
	/* Only the first event of a file is tagged. */
	buf_add(&capture->bytes, data + tag, len - tag);
	free(data);
	close(fd);
	capture->ends = realloc(capture->ends, (capture->count + 1) * sizeof(*capture->ends));
	assert_non_null(capture->ends);
	capture->ends[capture->count++] = capture->bytes.len;
}

void capture_add(struct capture *capture, const char *sample)
{
	struct event *event = sample_make(sample);

	assert_non_null(event);
	event->seq = capture->count + 1;
	event->time += capture->count;
	capture_add_event(capture, event);
	event_unref(event);
}

void capture_fill(struct capture *capture, size_t size)
{
	size_t number = 0;

	capture_add(capture, "start");
	while (capture->bytes.len < size) {
		if (!sample_name(++number))
			number = 1;
		if (strcmp(sample_name(number), "end") != 0)
			capture_add(capture, sample_name(number));
	}
	capture_add(capture, "end");
}

void capture_done(struct capture *capture)
{
	buf_done(&capture->bytes);
	free(capture->ends);
	*capture = (struct capture){ 0 };
}

int capture_file(const void *data, size_t len)
{
	int fd = unit_file();

	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

struct read_back capture_read(const void *data, size_t len, uint64_t payload_max)
{
	const struct reader_options reading = { .payload_max = payload_max ? payload_max
									   : READER_PAYLOAD };
	struct reader *reader =
		reader_from_fd(capture_file(data, len), "/nowhere/run.iot", &reading);
	struct read_back back = { 0 };
	struct capture lines = { .format = "jsonl" };
	struct event *event;

	while ((back.result = reader_next(reader, &event)) > 0) {
		capture_add_event(&lines, event);
		event_unref(event);
	}
	back.count = lines.count;
	back.lines = lines.bytes;
	free(lines.ends);
	back.damage = *reader_damage(reader);
	back.damage.missing = back.damage.missing ? "yes" : NULL;
	back.damaged = reader_is_damaged(reader);
	back.cut = reader_cut(reader);
	back.unknown = reader_unknown(reader);
	reader_free(reader);
	return back;
}

void read_back_done(struct read_back *back)
{
	buf_done(&back->lines);
}
