#include "decode/coding.h"

#include "decode/limits.h"

#include <string.h>

const char coding_corrupt[] = "the encoded content is damaged";
const char coding_too_long[] = "the decoded content is longer than what is kept";
const char coding_bomb[] = "the content grows out of all proportion when decoded";
const char coding_unfinished[] = "the encoded content is not complete";
static const char unknown[] = "this content-coding is not known";
static const char too_many[] = "too many content-codings on top of each other";

struct coding {
	const char *name;
	const char *(*undo)(struct span in, size_t max, struct buf *out);
};

static const char *undo_nothing(struct span in, size_t max, struct buf *out)
{
	buf_add(out, in.data, in.len < max ? in.len : max);
	return in.len > max ? coding_too_long : NULL;
}

static const struct coding codings[] = {
	{ "gzip", coding_gzip }, { "x-gzip", coding_gzip }, { "deflate", coding_deflate },
	{ "br", coding_brotli }, { "zstd", coding_zstd },   { "identity", undo_nothing },
	{ .name = NULL },
};

static const struct coding *find(struct span name)
{
	for (const struct coding *coding = codings; coding->name; coding++)
		if (span_equal_nocase(name, span_text(coding->name)))
			return coding;
	return NULL;
}

/* Takes the last coding off the list; empty names are skipped. */
static struct span take_last(struct span *list)
{
	struct span name;
	size_t at;

	do {
		for (at = list->len; at && list->data[at - 1] != ','; at--)
			continue;
		name = span_trim(span_cut(*list, at, list->len), " \t");
		*list = span_cut(*list, 0, at ? at - 1 : 0);
	} while (!name.len && list->len);
	return name;
}

size_t coding_room(const struct buf *out, size_t in_len, size_t max, const char **ret_why)
{
	size_t bound = max;

	*ret_why = coding_too_long;
	if (in_len < (SIZE_MAX - CODING_GRACE) / CODING_RATIO &&
	    in_len * CODING_RATIO + CODING_GRACE < bound) {
		bound = in_len * CODING_RATIO + CODING_GRACE;
		*ret_why = coding_bomb;
	}
	return bound > out->len ? bound - out->len : 0;
}

bool coding_is_any(struct span list)
{
	struct span name;

	while (list.len) {
		name = take_last(&list);
		if (name.len && !span_equal_nocase(name, SPAN("identity")))
			return true;
	}
	return false;
}

const char *coding_undo(struct span list, struct span in, size_t max, struct buf *out)
{
	struct buf before auto_buf = { 0 };
	const char *why = NULL, *now;

	for (unsigned int i = 0; list.len; i++) {
		struct span name = take_last(&list);
		const struct coding *coding = find(name);

		if (!name.len)
			break;
		if (!coding || i == CODINGS_MAX) {
			out->len = 0;
			return coding ? too_many : unknown;
		}
		if (i) {
			buf_done(&before);
			before = *out;
			*out = (struct buf){ 0 };
			in = span_of(before.data, before.len);
		}
		now = coding->undo(in, max, out);
		why = why ? why : now;
	}
	return why;
}
