/*
 * Where a capture is read from: a file, a pipe, a terminal; compressed or not. A window slides over
 * its bytes. What has been taken can be gone back to as long as the window holds it, and in an
 * uncompressed file always.
 */
#ifndef STORE_INPUT_H
#define STORE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct input;

/* Bytes that can be looked at in one piece; input_fill takes no more. */
#define INPUT_WINDOW (256U << 10)

struct input_options {
	bool follow; /* at its end, wait for more */
	/*
	 * Called before waiting for bytes that are not there yet; NULL: not. True: again in some milliseconds,
	 * where there are still none.
	 */
	bool (*idle)(void *ctx);
	void *ctx;
};

/* Owns the descriptor. Compression is recognised by the first bytes. */
struct input *input_new(int fd, const struct input_options *options);
void input_free(struct input *input);

/* Tries to have n bytes in the window; returns how many there are, which is less only at the end. */
size_t input_fill(struct input *input, size_t n);
const uint8_t *input_data(const struct input *input);
void input_take(struct input *input, size_t n);

/* Reads or skips len bytes, however many; returns how many there were. */
uint64_t input_read(struct input *input, void *to, uint64_t len);
uint64_t input_skip(struct input *input, uint64_t len);

/* Position of input_data in the uncompressed bytes. */
uint64_t input_offset(const struct input *input);

/* The window is kept from here on as long as that is possible, for input_seek. */
void input_mark(struct input *input);

/* Goes back to an offset. False where it is out of reach; then the position stays. */
bool input_seek(struct input *input, uint64_t offset);

/* No more waiting: a follower has seen the end. */
void input_end_follow(struct input *input);

/* The first failure to read, a negative errno; 0: none. */
int input_error(const struct input *input);

bool input_is_compressed(const struct input *input);

/*
 * Compressed data that were no frame: input_fill gives nothing beyond them until input_resume, which
 * goes on at the next frame, if there is one. ret_bytes: compressed bytes that were skipped.
 */
bool input_is_broken(const struct input *input);
bool input_resume(struct input *input, uint64_t *ret_offset, uint64_t *ret_bytes);

/* For a progress bar: bytes taken from the descriptor, and how many it has (0: not known). */
void input_progress(const struct input *input, uint64_t *ret_done, uint64_t *ret_total);

#endif
