#include "store/input.h"

#include "base/own.h"
#include "base/zstd.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How often a follower looks for more. */
#define FOLLOW_NS 50000000L
#define IDLE_MS   20

#define RAW (128U << 10)

struct input {
	int fd;
	bool follow;
	struct input_options options;
	bool seekable, ended;
	int error;
	uint64_t total; /* the file's size, 0: not known */
	off_t base;     /* where in the file we began */

	/* The window: data[mark..pos..end], of which the part before pos has been taken. */
	uint8_t *data;
	size_t mark, pos, end;
	uint64_t end_offset; /* of data[end] */

	struct zstd_reader *zstd; /* NULL: not compressed */
	uint8_t *raw;
	size_t raw_pos, raw_end;
	uint64_t raw_offset;  /* of raw[raw_end] */
	uint64_t frame_start; /* of the frame that is read, or of the next one */
	bool in_frame, broken;
};

static uint64_t raw_position(const struct input *input)
{
	return input->raw_offset - (input->raw_end - input->raw_pos);
}

static bool has_bytes(const struct input *input, int timeout_ms)
{
	struct pollfd pfd = { .fd = input->fd, .events = POLLIN };

	return poll(&pfd, 1, timeout_ms) > 0;
}

static bool idle(const struct input *input)
{
	return input->options.idle && input->options.idle(input->options.ctx);
}

static void await_bytes(const struct input *input)
{
	bool there = has_bytes(input, 0);

	while (!there && idle(input))
		there = has_bytes(input, IDLE_MS);
}

/* At most len bytes; 0 at the end, also after a failure. */
static size_t read_some(struct input *input, uint8_t *to, size_t len)
{
	const struct timespec nap = { .tv_nsec = FOLLOW_NS };
	ssize_t n;

	while (!input->ended) {
		if (!input->seekable)
			await_bytes(input);
		n = read(input->fd, to, len);
		if (n > 0)
			return (size_t)n;
		if (!n && input->follow) {
			idle(input);
			nanosleep(&nap, NULL);
		} else if (!n) {
			input->ended = true;
		} else if (errno == EAGAIN) {
			poll(&(struct pollfd){ .fd = input->fd, .events = POLLIN }, 1, -1);
		} else if (errno != EINTR) {
			input->error = -errno;
			input->ended = true;
		}
	}
	return 0;
}

static bool refill_raw(struct input *input)
{
	size_t left = input->raw_end - input->raw_pos, n;

	if (left == RAW)
		return true;
	memmove(input->raw, input->raw + input->raw_pos, left);
	input->raw_pos = 0;
	input->raw_end = left;
	n = read_some(input, input->raw + left, RAW - left);
	input->raw_end += n;
	input->raw_offset += n;
	return n > 0;
}

static size_t decompress(struct input *input, uint8_t *to, size_t len)
{
	struct zstd_step step = { .out = to, .out_len = len };
	int result;

	while (!input->broken) {
		step.in = input->raw + input->raw_pos;
		step.in_len = input->raw_end - input->raw_pos;
		result = zstd_read(input->zstd, &step);
		input->raw_pos += step.in_used;
		if (result < 0)
			input->broken = true;
		else if (step.in_used || step.out_made)
			input->in_frame = result == 0;
		if (result == 1)
			input->frame_start = raw_position(input);
		if (step.out_made)
			return step.out_made;
		if (result >= 0 && input->raw_pos == input->raw_end && !refill_raw(input)) {
			input->broken = input->in_frame;
			return 0;
		}
	}
	return 0;
}

static size_t get(struct input *input, uint8_t *to, size_t len)
{
	return input->zstd ? decompress(input, to, len) : read_some(input, to, len);
}

/* Makes room behind the window's end, if possible without losing what is marked. */
static void slide(struct input *input, size_t n)
{
	size_t keep = input->mark;

	if (input->pos + n <= INPUT_WINDOW)
		return;
	if (input->pos - keep + n > INPUT_WINDOW)
		keep = input->pos;
	memmove(input->data, input->data + keep, input->end - keep);
	input->pos -= keep;
	input->end -= keep;
	input->mark = input->mark > keep ? input->mark - keep : 0;
}

size_t input_fill(struct input *input, size_t n)
{
	size_t got;

	if (input->end - input->pos >= n)
		return input->end - input->pos;
	slide(input, n);
	while (input->end - input->pos < n) {
		got = get(input, input->data + input->end, INPUT_WINDOW - input->end);
		if (!got)
			break;
		input->end += got;
		input->end_offset += got;
	}
	return input->end - input->pos;
}

const uint8_t *input_data(const struct input *input)
{
	return input->data + input->pos;
}

void input_take(struct input *input, size_t n)
{
	assert(n <= input->end - input->pos);
	input->pos += n;
}

/* From here on the window begins anew. */
static void empty_window(struct input *input)
{
	input->mark = input->pos = input->end = 0;
}

uint64_t input_read(struct input *input, void *to, uint64_t len)
{
	size_t ready = input->end - input->pos, n;
	uint64_t done = ready < len ? ready : len;

	memcpy(to, input->data + input->pos, done);
	input->pos += done;
	/* Little is read by way of the window, which reads ahead. */
	if (len - done < INPUT_WINDOW / 2 && done < len) {
		ready = input_fill(input, len - done);
		n = ready < len - done ? ready : len - done;
		memcpy((uint8_t *)to + done, input_data(input), n);
		input->pos += n;
		return done + n;
	}
	if (done < len)
		empty_window(input);
	while (done < len) {
		n = get(input, (uint8_t *)to + done, len - done);
		if (!n)
			break;
		done += n;
		input->end_offset += n;
	}
	return done;
}

uint64_t input_skip(struct input *input, uint64_t len)
{
	uint64_t done = 0;
	size_t ready, n;

	while (done < len) {
		ready = input_fill(input, 1);
		if (!ready)
			break;
		n = ready < len - done ? ready : len - done;
		input->pos += n;
		done += n;
	}
	return done;
}

uint64_t input_offset(const struct input *input)
{
	return input->end_offset - (input->end - input->pos);
}

void input_mark(struct input *input)
{
	input->mark = input->pos;
}

bool input_seek(struct input *input, uint64_t offset)
{
	uint64_t start = input->end_offset - input->end;

	if (offset >= start && offset <= input->end_offset) {
		input->pos = (size_t)(offset - start);
		input->mark = input->pos;
		return true;
	}
	if (!input->seekable || input->zstd ||
	    lseek(input->fd, input->base + (off_t)offset, SEEK_SET) < 0)
		return false;
	empty_window(input);
	input->end_offset = offset;
	input->ended = false;
	return true;
}

void input_end_follow(struct input *input)
{
	input->follow = false;
}

int input_error(const struct input *input)
{
	return input->error;
}

bool input_is_compressed(const struct input *input)
{
	return input->zstd != NULL;
}

bool input_is_broken(const struct input *input)
{
	return input->broken;
}

/* The next frame's beginning in the raw bytes, or their end. */
static bool find_frame(struct input *input)
{
	do {
		for (; input->raw_end - input->raw_pos >= 4; input->raw_pos++)
			if (zstd_is_frame(input->raw + input->raw_pos, 4))
				return true;
	} while (refill_raw(input));
	input->raw_pos = input->raw_end;
	return false;
}

bool input_resume(struct input *input, uint64_t *ret_offset, uint64_t *ret_bytes)
{
	uint64_t from = raw_position(input);
	bool found;

	zstd_reader_reset(input->zstd);
	input->broken = input->in_frame = false;
	/* Not the same frame again. */
	if (from == input->frame_start && input->raw_pos < input->raw_end)
		input->raw_pos++;
	found = find_frame(input);
	input->frame_start = raw_position(input);
	*ret_offset = from;
	*ret_bytes = input->frame_start - from;
	return found;
}

void input_progress(const struct input *input, uint64_t *ret_done, uint64_t *ret_total)
{
	*ret_done = input->zstd ? input->raw_offset : input_offset(input);
	*ret_total = input->total;
}

static void begin_zstd(struct input *input)
{
	input->zstd = zstd_reader_new();
	input->raw = own_alloc(RAW);
	memcpy(input->raw, input->data, input->end);
	input->raw_end = input->end;
	input->raw_offset = input->end;
	input->end_offset = 0;
	empty_window(input);
}

struct input *input_new(int fd, const struct input_options *options)
{
	struct input *input = own_zalloc(sizeof(*input));
	struct stat st;

	input->fd = fd;
	input->options = *options;
	input->data = own_alloc(INPUT_WINDOW);
	if (!fstat(fd, &st) && S_ISREG(st.st_mode)) {
		input->seekable = true;
		input->follow = options->follow;
		input->base = lseek(fd, 0, SEEK_CUR);
		input->total = (uint64_t)(st.st_size - input->base);
	}
	while (input->end < 4) {
		size_t n = read_some(input, input->data + input->end, 4 - input->end);

		if (!n)
			break;
		input->end += n;
		input->end_offset += n;
	}
	if (zstd_is_frame(input->data, input->end))
		begin_zstd(input);
	return input;
}

void input_free(struct input *input)
{
	if (!input)
		return;
	zstd_reader_free(input->zstd);
	free(input->raw);
	free(input->data);
	close(input->fd);
	free(input);
}
