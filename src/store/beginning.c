#include "store/beginning.h"

#include "iotrace/capture.h"

#include <string.h>

static const char type_key[] = "\x64" CAPTURE_TYPE_KEY; /* as CBOR writes a text of 4 bytes */
#define TYPE_KEY_LEN (sizeof(type_key) - 1)

#define TAG_LEN (sizeof(CAPTURE_TAG_BYTES) - 1)

/* A map's head of 2 bytes and the key. */
#define LONGEST (2 + TYPE_KEY_LEN)

/* The first byte of a map: with up to 23 members, with a byte that counts them, or indefinite. */
static size_t head_len(uint8_t first)
{
	if ((first >= 0xa1 && first <= 0xb7) || first == 0xbf)
		return 1;
	return first == 0xb8 ? 2 : 0;
}

static bool is_map(const uint8_t *data, size_t len)
{
	size_t head = len ? head_len(data[0]) : 0;

	return head && len >= head + TYPE_KEY_LEN && !memcmp(data + head, type_key, TYPE_KEY_LEN);
}

/* Or as much of it as there is. */
static bool is_tag(const uint8_t *data, size_t len)
{
	return len && !memcmp(data, CAPTURE_TAG_BYTES, len < TAG_LEN ? len : TAG_LEN);
}

bool beginning_is_here(struct input *input)
{
	size_t ready = input_fill(input, LONGEST);

	return is_tag(input_data(input), ready) || is_map(input_data(input), ready);
}

bool beginning_is_near(struct input *input)
{
	size_t ready = input_fill(input, INPUT_WINDOW);

	return memmem(input_data(input), ready, type_key, TYPE_KEY_LEN) != NULL;
}

void beginning_take_tag(struct input *input)
{
	size_t ready = input_fill(input, TAG_LEN);

	if (ready >= TAG_LEN && is_tag(input_data(input), ready))
		input_take(input, TAG_LEN);
}

bool beginning_find(struct input *input)
{
	const uint8_t *data, *key;
	size_t ready, at;

	while ((ready = input_fill(input, LONGEST)) > TYPE_KEY_LEN) {
		data = input_data(input);
		key = memmem(data + 1, ready - 1, type_key, TYPE_KEY_LEN);
		/* Of what does not hold the key, the end may be its beginning. */
		at = key ? (size_t)(key - data) : ready - TYPE_KEY_LEN;
		for (size_t head = 1; key && head <= 2 && head <= at; head++) {
			if (head_len(data[at - head]) == head) {
				input_take(input, at - head);
				return true;
			}
		}
		input_take(input, at);
	}
	input_take(input, ready);
	return false;
}
