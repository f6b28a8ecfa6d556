/* Where the values of a call are: registers and memory, by what its row says. */
#include "probe/state.h"

#include "tracer/mem.h"

uint64_t value_word(const struct task *task, uint64_t addr, size_t size)
{
	uint64_t word = 0;

	mem_read_all(task->tid, addr, &word, size);
	return word;
}

uint64_t value_goroutine(const struct task *task, const struct regs *regs, bool registers)
{
	if (registers)
		return regs_general(regs, 14);
	return value_word(task, regs_thread_base(regs) - 8, 8);
}

static uint64_t c_argument(const struct frame *frame, unsigned int index)
{
	return index < 6 ? frame->args[index] : 0;
}

/* rax, rbx, rcx, rdi, rsi, r8 to r11 (abi-internal.md); before 1.17 on the stack. */
static uint64_t go_value(const struct task *task, const struct regs *regs, const struct site *site,
			 unsigned int index)
{
	static const uint8_t numbers[9] = { 0, 3, 1, 7, 6, 8, 9, 10, 11 };

	if (site->go_registers)
		return index < 9 ? regs_general(regs, numbers[index]) : 0;
	return value_word(task, regs_sp(regs) + 8 + 8UL * index, 8);
}

/* Words of arguments that a row's function has on the stack before its results (Read, Write: 4). */
#define GO_STACK_ARGS 4

static uint64_t argument(const struct task *task, const struct regs *regs,
			 const struct frame *frame, unsigned int index)
{
	if (frame->site->row->abi == ABI_GO)
		return go_value(task, regs, frame->site, index);
	return c_argument(frame, index);
}

/* A value that can be had at the entry. */
uint64_t value_at_entry(const struct task *task, const struct regs *regs, const struct frame *frame,
			struct place place)
{
	switch (place.kind) {
	case PLACE_ARG:
		return argument(task, regs, frame, place.index);
	case PLACE_FIELD:
	case PLACE_USED:
		return value_word(task, argument(task, regs, frame, place.index) + place.offset,
				  place.size);
	case PLACE_AT_ARG:
		return argument(task, regs, frame, place.index);
	case PLACE_RESULT:
	case PLACE_NONE:
		break;
	}
	return 0;
}

static uint64_t result(const struct task *task, const struct regs *regs, const struct site *site,
		       unsigned int index)
{
	if (site->row->abi == ABI_C)
		return regs_c_ret(regs);
	if (site->go_registers)
		return go_value(task, regs, site, index);
	return go_value(task, regs, site, GO_STACK_ARGS + index);
}

bool value_succeeded(const struct task *task, const struct regs *regs, const struct site *site)
{
	uint64_t value = result(task, regs, site, 0);

	switch (site->row->success) {
	case IF_POSITIVE:
		return site->row->abi == ABI_GO ? (int64_t)value > 0 : (int32_t)value > 0;
	case IF_ONE:
		return (int32_t)value == 1;
	case IF_NONZERO:
		return (int32_t)value != 0;
	case ALWAYS:
		break;
	}
	return true;
}

uint64_t value_length(const struct task *task, const struct regs *regs, const struct frame *frame)
{
	struct place place = frame->site->row->length;
	uint64_t after;

	switch (place.kind) {
	case PLACE_RESULT:
		after = result(task, regs, frame->site, place.index);
		return frame->site->row->abi == ABI_C && frame->site->row->is_tls ? (uint32_t)after
										  : after;
	case PLACE_AT_ARG:
		return value_word(task, frame->length, place.size);
	case PLACE_USED:
		after = value_word(task, c_argument(frame, place.index) + place.offset, place.size);
		return frame->before > after ? frame->before - after : 0;
	case PLACE_ARG:
	case PLACE_FIELD:
		return frame->length;
	case PLACE_NONE:
		break;
	}
	return 0;
}

/*
 * A buffer on the goroutine's own stack moves with it when it grows: runtime.g begins with the
 * stack's bounds.
 */
uint64_t value_buffer(const struct task *task, const struct regs *regs, const struct frame *frame)
{
	const struct site *site = frame->site;
	uint64_t high;

	if (site->row->buffer.kind == PLACE_RESULT)
		return result(task, regs, site, site->row->buffer.index);
	if (site->row->abi != ABI_GO || frame->buffer < frame->stack_low ||
	    frame->buffer >= frame->stack_high)
		return frame->buffer;
	high = value_word(task, value_goroutine(task, regs, site->go_registers) + 8, 8);
	return frame->buffer + (high - frame->stack_high);
}
