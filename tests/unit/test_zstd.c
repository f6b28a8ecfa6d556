#include "base/zstd.h"

#include "unit.h"

/* All that the frames hold, read by pieces of that size; the last result in *ret_result. */
static struct buf decode(const struct buf *packed, size_t piece, int *ret_result)
{
	struct zstd_reader *reader = zstd_reader_new();
	struct buf plain = { 0 };
	struct zstd_step step = { 0 };
	size_t at = 0;

	*ret_result = 0;
	do {
		step.in = packed->data + at;
		step.in_len = packed->len - at < piece ? packed->len - at : piece;
		step.out = buf_reserve(&plain, piece);
		step.out_len = piece;
		*ret_result = zstd_read(reader, &step);
		at += step.in_used;
		plain.len += step.out_made;
	} while (*ret_result >= 0 && (at < packed->len || step.out_made));
	zstd_reader_free(reader);
	return plain;
}

static void add_noise(struct buf *buf, size_t len)
{
	uint64_t random = 7;

	for (size_t i = 0; i < len; i++)
		buf_addc(buf, (char)(unit_random(&random) % 7 + 'a'));
}

static void round_trip(void **state)
{
	static const size_t pieces[] = { 1, 7, 1000, 1 << 20 };
	struct zstd_writer *writer = zstd_writer_new();
	struct buf plain auto_buf = { 0 }, packed auto_buf = { 0 };
	int result;

	(void)state;
	add_noise(&plain, 300000);
	for (size_t at = 0; at < plain.len; at += 1000)
		zstd_write(writer, &packed, plain.data + at, 1000,
			   at % 50000 == 49000 ? ZSTD_ENDED
			   : at % 3000         ? ZSTD_MORE
					       : ZSTD_FLUSHED);
	assert_true(zstd_is_frame(packed.data, packed.len));
	assert_true(packed.len < plain.len / 2);
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct buf back = decode(&packed, pieces[i], &result);

		assert_int_equal(back.len, plain.len);
		assert_memory_equal(back.data, plain.data, plain.len);
		buf_done(&back);
	}
	zstd_writer_free(writer);
}

/* What was flushed can be read although the frame has no end. */
static void flushed(void **state)
{
	struct zstd_writer *writer = zstd_writer_new();
	struct buf packed auto_buf = { 0 }, back;
	int result;

	(void)state;
	zstd_write(writer, &packed, "hello", 5, ZSTD_FLUSHED);
	back = decode(&packed, 100, &result);
	assert_int_equal(back.len, 5);
	assert_memory_equal(back.data, "hello", 5);
	buf_done(&back);
	zstd_writer_free(writer);
}

static void no_frame(void **state)
{
	struct buf garbage auto_buf = { 0 }, back;
	int result;

	(void)state;
	assert_false(zstd_is_frame("\x28\xb5\x2f", 3));
	assert_false(zstd_is_frame("abcd", 4));
	add_noise(&garbage, 100);
	back = decode(&garbage, 10, &result);
	assert_true(result < 0);
	buf_done(&back);
}

/* A frame that wants a window of 2 GiB is hostile. */
static void large_window(void **state)
{
	static const char frame[] = "\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00";
	struct buf packed auto_buf = { 0 }, back;
	int result;

	(void)state;
	buf_add(&packed, frame, sizeof(frame) - 1);
	back = decode(&packed, 100, &result);
	assert_true(result < 0);
	buf_done(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(flushed),
		cmocka_unit_test(no_frame),
		cmocka_unit_test(large_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
