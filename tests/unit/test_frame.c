/* Calls that are under way: on one stack, and on many in one thread. */
#include "unit.h"

#include "probe/frame.h"

#define STACK 65536U
#define BASE  0x7f0000000000ULL

static const struct site outer, inner;

static void push(struct frames *frames, const struct site *site, uint64_t sp, uint64_t session)
{
	struct frame *frame = frames_push(frames, sp);

	frame->site = site;
	frame->sp = sp;
	frame->session = session;
}

static void one_in_another(void **state)
{
	struct frames frames = { 0 };

	(void)state;
	push(&frames, &outer, BASE, 1);
	push(&frames, &inner, BASE - 200, 2);
	assert_int_equal(frames_around(&frames, BASE - 300)->session, 2);
	assert_ptr_equal(frames_find(&frames, &outer, BASE)->site, &outer);
	frames_remove(&frames, frames_find(&frames, &inner, BASE - 200));
	assert_int_equal(frames_around(&frames, BASE - 300)->session, 1);
	assert_null(frames_around(&frames, BASE));
	free(frames.frames);
}

/* A call that was left by longjmp is not taken for one that is under way. */
static void left_behind(void **state)
{
	struct frames frames = { 0 };

	(void)state;
	push(&frames, &inner, BASE - 200, 1);
	push(&frames, &inner, BASE, 2);
	assert_int_equal(frames.count, 1);
	push(&frames, &inner, BASE, 3);
	assert_int_equal(frames.count, 1);
	assert_int_equal(frames_around(&frames, BASE - 400)->session, 3);
	free(frames.frames);
}

/* Coroutines, each in the middle of a call, on stacks that lie one beside the other. */
static void many_stacks(void **state)
{
	struct frames frames = { 0 }, copy = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		push(&frames, &outer, BASE + (i * 7919 % 1000) * STACK, i * 7919 % 1000);
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(frames_around(&frames, BASE + i * STACK - 500)->session, i);
	frames_copy(&copy, &frames);
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(frames_find(&copy, &outer, BASE + i * STACK)->session, i);
	free(frames.frames);
	free(copy.frames);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_in_another),
		cmocka_unit_test(left_behind),
		cmocka_unit_test(many_stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
