/* Content-coding zstd, over base/zstd.h. */
#include "base/zstd.h"

#include "decode/coding.h"

#define PIECE (16U << 10)

static const char *run(struct zstd_reader *reader, struct span in, size_t max, struct buf *out)
{
	struct zstd_step step = { .in = in.data, .in_len = in.len };
	size_t used = 0;
	const char *why;
	int result = 0;

	/* A full piece may have left something behind, but not at a frame's end. */
	while (used < in.len || (!result && step.out_made == step.out_len)) {
		size_t room = coding_room(out, in.len, max, &why);

		if (!room)
			return why;
		room = room < PIECE ? room : PIECE;
		step = (struct zstd_step){ .in = in.data + used,
					   .in_len = in.len - used,
					   .out = buf_reserve(out, room),
					   .out_len = room };
		result = zstd_read(reader, &step);
		if (result < 0)
			return coding_corrupt;
		out->len += step.out_made;
		used += step.in_used;
		if (!step.in_used && !step.out_made)
			break;
	}
	return result == 1 && used == in.len ? NULL : coding_unfinished;
}

const char *coding_zstd(struct span in, size_t max, struct buf *out)
{
	struct zstd_reader *reader;
	const char *why;

	if (!in.len)
		return coding_unfinished;
	reader = zstd_reader_new();
	why = run(reader, in, max, out);
	zstd_reader_free(reader);
	return why;
}
