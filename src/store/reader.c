#include "store/reader.h"

#include "base/own.h"
#include "store/beginning.h"
#include "store/decode.h"
#include "store/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What may be read again while the next whole event is looked for: hostile files make it much. */
#define SEARCH_BYTES (256U << 20)

/* How often a follower looks for the next part. */
#define FOLLOW_NS 50000000L

struct reader {
	struct reader_options options;
	char *name;
	struct input *input;
	struct source source;
	struct decoder *decoder;
	struct reader_damage damage;
	char *next;        /* name of the part to go on with; NULL: none */
	char *missing;     /* … which could not be opened */
	bool begun, ended; /* an `iotrace` event was seen; the last event was `end` */
	bool gap;          /* something was lost before the next event */
	bool awaits_part;  /* the next event must be a later part's first */
	uint64_t part;
	uint64_t seq;    /* the last event's */
	uint64_t steady; /* … or the one before, where its own may be damaged: it is not the next */
	uint64_t search_left;
	uint64_t cut, unknown;
	bool over;
};

/* Something was lost, from an offset on. */
static void add_damage(struct reader *reader, uint64_t offset, uint64_t bytes, bool compressed)
{
	struct reader_damage *damage = &reader->damage;

	if (!damage->places++) {
		damage->offset = offset;
		damage->in_compressed = compressed;
	}
	damage->bytes += bytes;
	reader->gap = true;
}

static void note_end(struct reader *reader)
{
	if (reader->begun && !reader->ended)
		reader->damage.no_end = true;
}

/* An `iotrace` event: false where it is the copy that begins a further part. */
static bool note_start(struct reader *reader)
{
	uint64_t part = decoder_part(reader->decoder);

	if (part && reader->begun) {
		reader->part = part;
		free(take_ptr(&reader->next));
		return false;
	}
	/* Several captures behind each other. */
	note_end(reader);
	reader->begun = true;
	reader->part = part;
	reader->seq = reader->steady = 0;
	return true;
}

static void note_seq(struct reader *reader, const struct event *event)
{
	struct reader_damage *damage = &reader->damage;

	if (event->seq > reader->seq) {
		if (reader->gap)
			damage->events += event->seq - reader->seq - 1;
		reader->steady = event->seq == reader->seq + 1 ? event->seq : reader->seq;
		reader->seq = event->seq;
	} else {
		if (!damage->backwards++ && !damage->places)
			damage->offset = input_offset(reader->input);
		/* It was the one before that was wrong. */
		if (event->seq > reader->steady)
			reader->seq = event->seq;
	}
	reader->gap = false;
	damage->last_seq = reader->seq;
}

/* A part that was named must begin a later one, or we would go in a circle. */
static bool is_right_part(struct reader *reader, const struct event *event)
{
	if (!reader->awaits_part)
		return true;
	reader->awaits_part = false;
	if (event->type == EVENT_IOTRACE && decoder_part(reader->decoder) > reader->part)
		return true;
	reader->damage.missing = reader->name;
	reader->over = true;
	return false;
}

/* True where the event is to be given. */
static bool note_event(struct reader *reader, const struct event *event)
{
	if (!is_right_part(reader, event))
		return false;
	if (event->type == EVENT_IOTRACE && !note_start(reader))
		return false;
	note_seq(reader, event);
	reader->ended = event->type == EVENT_END;
	if (reader->ended)
		input_end_follow(reader->input);
	reader->cut += decoder_was_cut(reader->decoder);
	return true;
}

static void note_next(struct reader *reader)
{
	free(reader->next);
	reader->next = own_strdup(decoder_next_file(reader->decoder));
	input_end_follow(reader->input);
}

/* What a decoded item means: 1 and an event, or 0. */
static int take_decoded(struct reader *reader, int decoded, struct event *event,
			struct event **ret_event)
{
	if (decoded == DECODED_NEXT)
		note_next(reader);
	if (decoded == DECODED_UNKNOWN)
		reader->unknown++;
	if (decoded != DECODED_EVENT)
		return 0;
	if (!note_event(reader, event)) {
		event_unref(event);
		return 0;
	}
	*ret_event = event;
	return 1;
}

static int decode(struct reader *reader, struct event **ret_event)
{
	beginning_take_tag(reader->input);
	return decoder_read(reader->decoder, &reader->source, ret_event);
}

/* Believable as the event behind what was lost: bytes of a payload can look like one. */
static bool goes_on(struct reader *reader, int decoded, const struct event *event)
{
	if (decoded < 0)
		return false;
	if (decoded == DECODED_EVENT && event->seq <= reader->steady &&
	    event->type != EVENT_IOTRACE)
		return false;
	return beginning_is_here(reader->input) || !input_fill(reader->input, 1);
}

/*
 * The item at `start` is not whole. Looks for the next event that is, from the byte behind it on as
 * far as the input can go back.
 */
static int resume(struct reader *reader, uint64_t start, struct event **ret_event)
{
	struct input *input = reader->input;
	struct event *event = NULL;
	uint64_t found, spent;
	int decoded;

	if (input_seek(input, start))
		input_skip(input, 1);
	while (beginning_find(input)) {
		found = input_offset(input);
		input_mark(input);
		decoded = decode(reader, &event);
		if (goes_on(reader, decoded, event)) {
			add_damage(reader, start, found - start, false);
			return take_decoded(reader, decoded, event, ret_event);
		}
		if (decoded == DECODED_EVENT)
			event_unref(event);
		spent = input_offset(input) - found;
		if (spent > reader->search_left)
			break;
		reader->search_left -= spent;
		if (input_seek(input, found))
			input_skip(input, 1);
	}
	input_skip(input, UINT64_MAX);
	add_damage(reader, start, input_offset(input) - start, false);
	reader->damage.truncated = reader->damage.places == 1;
	return 0;
}

/* Compressed data are damaged, or end in a frame; the item at `start` is lost. */
static void resume_frame(struct reader *reader, uint64_t start)
{
	struct input *input = reader->input;
	uint64_t offset, bytes, lost;
	bool more;

	input_skip(input, UINT64_MAX);
	lost = input_offset(input) - start;
	more = input_resume(input, &offset, &bytes);
	/* One that was ended by force ends in the middle of a frame, and need not have lost more. */
	if (more || bytes || lost)
		add_damage(reader, offset, more || bytes ? bytes : lost, true);
	if (!more && lost)
		reader->damage.truncated = reader->damage.places == 1;
}

/* 1 and an event; 0 where there was none, but there may be more; -ENODATA at the end. */
static int next_cbor(struct reader *reader, struct event **ret_event)
{
	struct input *input = reader->input;
	uint64_t start = input_offset(input);
	struct event *event = NULL;
	int decoded;

	input_mark(input);
	if (!input_fill(input, 1)) {
		if (!input_is_broken(input))
			return -ENODATA;
		resume_frame(reader, start);
		return 0;
	}
	decoded = decode(reader, &event);
	if (decoded >= 0)
		return take_decoded(reader, decoded, event, ret_event);
	if (input_is_broken(input)) {
		resume_frame(reader, start);
		return 0;
	}
	return resume(reader, start, ret_event);
}

/* Past the line that we are in; false where it has no end. */
static bool end_line(struct input *input)
{
	const uint8_t *data, *newline;
	size_t ready;

	while ((ready = input_fill(input, 1))) {
		data = input_data(input);
		newline = memchr(data, '\n', ready);
		input_take(input, newline ? (size_t)(newline - data) + 1 : ready);
		if (newline)
			return true;
	}
	return false;
}

/* Behind an object there may be nothing but the line's end. */
static bool at_line_end(struct input *input)
{
	while (input_fill(input, 1)) {
		switch (*input_data(input)) {
		case ' ':
		case '\t':
		case '\r':
			input_take(input, 1);
			break;
		case '\n':
			return true;
		default:
			return false;
		}
	}
	return true;
}

static int next_json(struct reader *reader, struct event **ret_event)
{
	struct input *input = reader->input;
	uint64_t start = input_offset(input);
	struct event *event = NULL;
	bool complete, blank;
	int decoded;

	blank = at_line_end(input);
	if (!input_fill(input, 1)) {
		if (!input_is_broken(input))
			return -ENODATA;
		resume_frame(reader, start);
		return 0;
	}
	if (blank) {
		input_take(input, 1);
		return 0;
	}
	decoded = decoder_read(reader->decoder, &reader->source, &event);
	if (decoded >= 0 && at_line_end(input)) {
		end_line(input);
		return take_decoded(reader, decoded, event, ret_event);
	}
	if (decoded == DECODED_EVENT)
		event_unref(event);
	complete = end_line(input);
	if (input_is_broken(input)) {
		resume_frame(reader, start);
		return 0;
	}
	add_damage(reader, start, input_offset(input) - start, false);
	reader->damage.truncated = !complete && reader->damage.places == 1;
	return 0;
}

/* What the capture is written in, by its first bytes; false where it is none. */
static bool recognise(struct reader *reader)
{
	struct input *input = reader->input;
	size_t ready = input_fill(input, 1);
	bool json = ready && memchr("{ \t\r\n", *input_data(input), 5);

	/* Damaged at its beginning, or no capture? */
	if (ready && !json && !beginning_is_here(input) && !beginning_is_near(input)) {
		ready = input_fill(input, INPUT_WINDOW);
		json = memmem(input_data(input), ready, "\n{\"type\":\"", 10) != NULL;
		if (!json)
			return false;
	}
	reader->source =
		(struct source){ .ops = json ? &source_json : &source_cbor, .input = input };
	return true;
}

/* Begins with a file; false where it is no capture. */
static bool start(struct reader *reader, int fd)
{
	const struct input_options options = { reader->options.follow, reader->options.idle,
					       reader->options.ctx };

	input_free(reader->input);
	reader->input = input_new(fd, &options);
	reader->damage.foreign = !recognise(reader);
	reader->over = reader->damage.foreign;
	return !reader->over;
}

/* The name of a file beside ours; NULL where the capture names something else. */
static char *beside(const char *name, const char *file)
{
	const char *slash = strrchr(name, '/');

	if (!*file || strchr(file, '/') || !strcmp(file, "..") || !strcmp(file, ".") ||
	    !strcmp(name, "-"))
		return NULL;
	return own_printf("%.*s%s", slash ? (int)(slash + 1 - name) : 0, name, file);
}

static int open_part(const struct reader *reader, const char *name)
{
	const struct timespec nap = { .tv_nsec = FOLLOW_NS };
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	while (fd < 0 && errno == ENOENT && reader->options.follow) {
		nanosleep(&nap, NULL);
		fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	}
	return fd;
}

/* Goes on with the part that was named, if it can be read. */
static bool next_part(struct reader *reader)
{
	char *file auto_free = take_ptr(&reader->next);
	char *name = beside(reader->name, file);
	int fd = name ? open_part(reader, name) : -1;

	if (fd < 0) {
		free(name);
		reader->missing = take_ptr(&file);
		reader->damage.missing = reader->missing;
		return false;
	}
	free(reader->name);
	reader->name = name;
	reader->awaits_part = true;
	return start(reader, fd);
}

/* At an input's end: true where it goes on elsewhere. */
static bool at_end(struct reader *reader)
{
	if (reader->next && !reader->over && next_part(reader))
		return true;
	if (!reader->over && !reader->damage.places && !input_offset(reader->input) &&
	    !reader->begun)
		reader->damage.empty = true;
	note_end(reader);
	reader->over = true;
	return false;
}

int reader_next(struct reader *reader, struct event **ret_event)
{
	int result = 0;

	while (!reader->over) {
		result = reader->source.ops == &source_json ? next_json(reader, ret_event)
							    : next_cbor(reader, ret_event);
		if (result == 1)
			return 1;
		if (result == -ENODATA && !at_end(reader))
			break;
	}
	return input_error(reader->input);
}

struct reader *reader_from_fd(int fd, const char *name, const struct reader_options *options)
{
	struct reader *reader = own_zalloc(sizeof(*reader));

	reader->options = *options;
	reader->name = own_strdup(name);
	reader->search_left = SEARCH_BYTES;
	reader->decoder = decoder_new(options->payload_max);
	start(reader, fd);
	return reader;
}

struct reader *reader_open(const char *name, const struct reader_options *options, int *ret_error)
{
	int fd;

	if (!strcmp(name, "-"))
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	*ret_error = fd < 0 ? -errno : 0;
	return fd < 0 ? NULL : reader_from_fd(fd, name, options);
}

const struct reader_damage *reader_damage(const struct reader *reader)
{
	return &reader->damage;
}

bool reader_is_damaged(const struct reader *reader)
{
	const struct reader_damage *damage = &reader->damage;

	return damage->empty || damage->foreign || damage->places || damage->no_end ||
	       damage->backwards || damage->missing;
}

uint64_t reader_cut(const struct reader *reader)
{
	return reader->cut;
}

uint64_t reader_unknown(const struct reader *reader)
{
	return reader->unknown;
}

void reader_progress(const struct reader *reader, uint64_t *ret_done, uint64_t *ret_total)
{
	input_progress(reader->input, ret_done, ret_total);
}

void reader_free(struct reader *reader)
{
	if (!reader)
		return;
	input_free(reader->input);
	decoder_free(reader->decoder);
	free(reader->next);
	free(reader->missing);
	free(reader->name);
	free(reader);
}
