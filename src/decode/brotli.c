/* The only file that knows brotli. */
#include "base/own.h"
#include "decode/coding.h"

#include <brotli/decode.h>

#define PIECE (16U << 10)

static const char *run(BrotliDecoderState *state, struct span in, size_t max, struct buf *out)
{
	const uint8_t *next_in = in.data;
	size_t left = in.len;
	BrotliDecoderResult result;
	const char *why;

	do {
		size_t room = coding_room(out, in.len, max, &why), piece;
		uint8_t *next_out;

		if (!room)
			return why;
		piece = room = room < PIECE ? room : PIECE;
		next_out = (uint8_t *)buf_reserve(out, room);
		result = BrotliDecoderDecompressStream(state, &left, &next_in, &room, &next_out,
						       NULL);
		out->len += piece - room;
	} while (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
	if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT)
		return coding_unfinished;
	return result == BROTLI_DECODER_RESULT_SUCCESS ? NULL : coding_corrupt;
}

const char *coding_brotli(struct span in, size_t max, struct buf *out)
{
	BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	const char *why = coding_corrupt;

	if (state)
		why = run(state, in, max, out);
	BrotliDecoderDestroyInstance(state);
	return why;
}
