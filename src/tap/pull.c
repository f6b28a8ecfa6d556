/*
 * A thread that is stopped inside the agent is put back to its own code, in front of its call or behind
 * it, with the registers that it would have there: then signal handlers, unwinders, profilers and the
 * kernel's restarting of calls see what they would without us. Its record is finished from here.
 */
#include "tap/pull.h"
#include "abi/regs.h"
#include "tap/agent_blob.h"
#include "tracer/brk.h"
#include "tracer/space_io.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>

/* SYS_SECCOMP of asm-generic/siginfo.h, which glibc does not have. */
#define TRAPPED_BY_SECCOMP 1

#define LENGTH 2 /* of a system call instruction */

static bool is_restart(const struct pull *pull)
{
	int64_t ret = (int64_t)pull->user->rax;

	return (int64_t)pull->user->orig_rax >= 0 && ret <= -512 && ret >= -516;
}

/* In front of the call; it has not been made. */
static void to_front(struct pull *pull, uint64_t nr)
{
	pull->user->rax = nr;
	pull->user->rip = pull->fault ? pull->stub + STUB_UNTRUSTED : pull->site;
}

/* Behind it; rax is what the program, or the kernel that will restart it, is to find. */
static void to_back(struct pull *pull)
{
	/* Where the tracer has seen it interrupted. */
	if (pull->task->call.ip == pull->user->rip)
		pull->task->call.ip = pull->site + LENGTH;
	pull->user->rip = pull->site + LENGTH;
	/* As the instruction leaves them. */
	pull->user->rcx = pull->site + LENGTH;
	pull->user->r11 = pull->user->eflags;
}

static bool find_stub(struct pull *pull, uint64_t addr)
{
	pull->stub = addr;
	pull->site = (uint64_t)(uintptr_t)map_get(&pull->tapped->stubs, addr);
	return pull->site != 0;
}

bool pull_finish(struct pull *pull)
{
	if (pull->dying)
		return true;
	pull->tap->stats.pulled++;
	pull->task->has_seen = false;
	return !regs_set(pull->task->tid, &pull->regs);
}

/* In the entry, before the frame is there: only the stack pointer has changed. */
static void from_entry(struct pull *pull)
{
	if (!find_stub(pull, pull->user->rcx))
		return;
	if (pull->user->rip >= TAP_LOWERED_AT)
		pull->user->rsp += FRAME_RED_ZONE + FRAME_SIZE;
	to_front(pull, pull->user->rax);
	pull_finish(pull);
}

static void from_untrusted(struct pull *pull)
{
	if (!find_stub(pull, pull->user->rcx) &&
	    !find_stub(pull, pull->user->rcx - STUB_UNTRUSTED) &&
	    !find_stub(pull, pull->user->rcx - STUB_SYSCALL))
		return;
	to_front(pull, pull->user->rax);
	pull_finish(pull);
}

/* The end, when the stack pointer is the program's again. */
static void from_raised(struct pull *pull)
{
	if (!find_stub(pull, pull->user->rcx))
		return;
	if (pull->user->r11)
		to_front(pull, pull->user->rax);
	else
		to_back(pull);
	pull_finish(pull);
}

static void from_plain(struct pull *pull)
{
	uint64_t ip = pull->user->rip, stub = pull->user->rcx;
	bool pushed = ip == TAP_PLAIN_SYSCALL_AT || ip == TAP_PLAIN_DONE_AT;
	bool lowered = ip > TAP_PLAIN_AT && ip < TAP_PLAIN_RAISED_AT;

	if (pushed && space_peek(pull->task->proc, pull->user->rsp, &stub, sizeof(stub)))
		return;
	if (!find_stub(pull, stub))
		return;
	pull->user->rsp += (lowered ? FRAME_RED_ZONE : 0) + (pushed ? sizeof(stub) : 0);
	if (ip <= TAP_PLAIN_SYSCALL_AT)
		to_front(pull, pull->user->rax);
	else
		to_back(pull);
	pull_finish(pull);
}

bool pull_find_magic(const struct pull *pull, uint64_t magic, size_t len, uint64_t *ret_addr)
{
	uint64_t words[PULL_SEARCH_MAX / 8], addr = pull->user->rsp & ~7ULL;

	/* The stack may end before that. */
	while (len && space_peek(pull->task->proc, addr, words, len))
		len -= 64;
	for (size_t i = 0; i < len / 8; i++)
		if (words[i] == (magic ^ (addr + i * 8))) {
			*ret_addr = addr + i * 8;
			return true;
		}
	return false;
}

static bool find_frame(const struct pull *pull, uint64_t *ret_addr, struct ring_frame *ret_frame)
{
	*ret_addr = pull->user->rsp;
	/* It may have no magic any more. */
	if ((pull->user->rip < TAP_LEAVE_AT || pull->user->rip >= TAP_RAISED_AT) &&
	    !pull_find_magic(pull, FRAME_MAGIC_VALUE, PULL_SEARCH_MAX, ret_addr))
		return false;
	return !space_peek(pull->task->proc, *ret_addr, ret_frame, sizeof(*ret_frame));
}

/* What is in registers only, between a change of a shared counter and its note in the frame. */
void pull_complete(const struct pull *pull, struct ring_frame *frame)
{
	uint64_t ip = pull->user->rip, amount = pull->user->rsi;

	if (ip == TAP_TAKEN_AT || ip == TAP_GIVING_AT)
		frame->credit += amount;
	if (ip == TAP_RESERVED_AT)
		frame->position = pull->user->rax;
	if (ip == TAP_RESERVED_AT || ip == TAP_PLACED_AT)
		frame->credit -= amount;
	if (ip == TAP_RESERVED_AT || ip == TAP_PLACED_AT || ip == TAP_CHARGED_AT)
		frame->reserved = amount;
}

/* A record that is being written: it is there, or its place is made a hole that readers skip. */
static void settle_record(const struct pull *pull, struct ring_frame *frame)
{
	struct ring *ring = pull->tapped->ring;

	if (!frame->reserved)
		return;
	if (drain_was_published(ring, frame->position)) {
		frame->written = frame->target;
		frame->told = 1;
	} else {
		drain_fill_hole(ring, frame->position, frame->reserved);
	}
	/* Before what is told of the frame: its earlier records. */
	drain_process(pull->tap, pull->tapped);
}

static void give_credit(const struct pull *pull, const struct ring_frame *frame)
{
	if (frame->credit <= RING_SIZE)
		atomic_fetch_add(&pull->tapped->ring->header->credit, (int64_t)frame->credit);
}

void pull_settle(const struct pull *pull, struct ring_frame *frame)
{
	settle_record(pull, frame);
	give_credit(pull, frame);
}

static bool was_made(const struct pull *pull, const struct ring_frame *frame)
{
	uint64_t ip = pull->user->rip;

	if (frame->state == FRAME_BEFORE)
		return false;
	return frame->state != FRAME_CALLING || ip < TAP_SYSCALL_AT || ip >= TAP_RETURNED_AT;
}

/* The call has not ended and will be made anew, or fail with EINTR: the tracer finds out which. */
static void suspend(struct pull *pull, const struct ring_frame *frame)
{
	struct task *task = pull->task;

	task->call.abi = pull->tap->abi;
	task->call.row = abi_row(pull->tap->abi, frame->nr);
	task->call.nr = frame->nr;
	memcpy(task->call.args, frame->args, sizeof(task->call.args));
	task->call.ip = pull->site + LENGTH;
	task->call.sp = pull->user->rsp;
	if (task->call.row)
		tracer_suspend_call(pull->tap->tracer, task);
}

static bool is_all_told(const struct tap *tap, const struct ring_frame *frame, int64_t result)
{
	if (frame->fd_state == RING_FD_OTHER)
		return true;
	if (frame->state == FRAME_PUBLISHED || (result == -EAGAIN && !tap->options.errors))
		return true;
	return frame->told && !record_left(tap, frame, result);
}

void pull_restore(const struct pull *pull, const struct ring_frame *frame)
{
	struct user_regs_struct *user = pull->user;

	user->rdi = frame->args[0];
	user->rsi = frame->args[1];
	user->rdx = frame->args[2];
	user->r10 = frame->args[3];
	user->r8 = frame->args[4];
	user->r9 = frame->args[5];
	user->rbx = frame->saved[0];
	user->rbp = frame->saved[1];
	user->r12 = frame->saved[2];
	user->r13 = frame->saved[3];
	user->r14 = frame->saved[4];
	user->r15 = frame->saved[5];
}

/* By us alone: attached processes are not to notice, and the tracer has it made again. */
static bool is_interrupt(const struct pull *pull)
{
	return pull->task->interrupted && (int64_t)pull->user->rax == -EINTR;
}

/* What has become of the call. */
enum fate { NOT_MADE, NOT_ENDED, ENDED };

static enum fate fate_of(const struct pull *pull, const struct ring_frame *frame)
{
	if (frame->traced || !was_made(pull, frame))
		return NOT_MADE;
	if (frame->state == FRAME_CALLING &&
	    (is_restart(pull) || pull->refused || is_interrupt(pull)))
		return NOT_ENDED;
	return ENDED;
}

/* What it has left half done; it is out of the agent, or will never go on. */
static void settle(struct pull *pull, struct ring_frame *frame, enum fate fate, int64_t result)
{
	pull_settle(pull, frame);
	if (fate == NOT_ENDED && !pull->refused && !pull->dying)
		suspend(pull, frame);
	if (fate == ENDED && !is_all_told(pull->tap, frame, result))
		record_frame(pull->tap, pull->tapped, pull->task, frame, pull->user->rsp, result);
}

/* In the middle: what the program had is in the frame. */
static void from_frame(struct pull *pull)
{
	const uint64_t none = 0;
	struct ring_frame frame;
	enum fate fate;
	uint64_t addr;
	int64_t result;

	if (!find_frame(pull, &addr, &frame) || !find_stub(pull, frame.stub))
		return;
	pull_complete(pull, &frame);
	/* A mask of the agent's instead of the program's. */
	if (frame.args[1] == addr + offsetof(struct ring_frame, count))
		frame.args[1] = frame.iov;
	fate = fate_of(pull, &frame);
	result = frame.state == FRAME_CALLING ? (int64_t)pull->user->rax : frame.result;
	pull_restore(pull, &frame);
	pull->user->rsp = addr + FRAME_SIZE + FRAME_RED_ZONE;
	if (fate == ENDED)
		pull->user->rax = (uint64_t)result;
	if (fate == NOT_MADE)
		to_front(pull, frame.nr);
	else
		to_back(pull);
	/* If it was killed just now, it is still where it was, and told at its exit-stop. */
	if (!pull_finish(pull))
		return;
	settle(pull, &frame, fate, result);
	if (!pull->dying)
		space_poke(pull->task->proc, addr, &none, sizeof(none));
}

void pull_tell(struct tap *tap, struct tapped *tapped, struct task *task)
{
	const uint32_t told = FRAME_PUBLISHED;
	struct pull pull = { .tap = tap, .tapped = tapped, .task = task };
	struct ring_frame frame;
	uint64_t addr;

	pull.user = &pull.regs.user;
	if (regs_get(task->tid, &pull.regs) || !find_frame(&pull, &addr, &frame) ||
	    frame.state != FRAME_DONE)
		return;
	record_frame(tap, tapped, task, &frame, addr + FRAME_SIZE + FRAME_RED_ZONE, frame.result);
	space_poke(task->proc, addr + FRAME_STATE, &told, sizeof(told));
}

static void from_text(struct pull *pull)
{
	uint64_t ip = pull->user->rip;

	if (ip < TAP_FRAMED_AT)
		from_entry(pull);
	else if (ip >= TAP_RAISED_AT && ip < TAP_UNTRUSTED_AT)
		from_raised(pull);
	else if (ip >= TAP_UNTRUSTED_AT && ip < TAP_PLAIN_AT)
		from_untrusted(pull);
	else if (ip >= TAP_PLAIN_AT && ip < TAP_SYSCALL_AT)
		from_plain(pull);
	else
		from_frame(pull);
}

/* At the trap of a call that is to be traced: it goes on from there (attach.c). */
static bool is_at_ask(const struct pull *pull, struct stop stop)
{
	const uint64_t ip = pull->user->rip;
	siginfo_t info = { 0 };

	return stop.kind == STOP_SIGNAL && stop.code == SIGTRAP &&
	       (brk_stands(pull->task, ip) || brk_stands(pull->task, ip - 1)) &&
	       !ptrace(PTRACE_GETSIGINFO, pull->task->tid, 0, &info) && info.si_code > 0;
}

/* In a stub, at one of its instructions. */
static bool from_stub(struct pull *pull, struct stop stop)
{
	static const uint8_t before[] = { 0, 7, STUB_UNTRUSTED, STUB_SYSCALL };
	uint64_t ip = pull->user->rip;

	if ((find_stub(pull, ip - STUB_UNTRUSTED) || find_stub(pull, ip - STUB_SYSCALL)) &&
	    is_at_ask(pull, stop))
		return true;
	for (size_t i = 0; i < sizeof(before); i++)
		if (find_stub(pull, ip - before[i])) {
			to_front(pull, pull->user->rax);
			return pull_finish(pull);
		}
	if (!find_stub(pull, ip - STUB_SYSCALL - LENGTH))
		return false;
	to_back(pull);
	return pull_finish(pull);
}

/* Between a short jump and the long one. */
static bool from_hole(struct pull *pull, struct stop stop)
{
	uint8_t code = 0;

	pull->site = (uint64_t)(uintptr_t)map_get(&pull->tapped->holes, pull->user->rip);
	/* Or something else is mapped there by now. */
	if (!pull->site || space_peek(pull->task->proc, pull->user->rip, &code, sizeof(code)) ||
	    code != 0xe9)
		return false;
	/* Who has run into a trap at the instruction in front of it stands there, too. */
	if ((stop.kind != STOP_SIGNAL || stop.code == SIGTRAP) &&
	    brk_stands(pull->task, pull->user->rip - 1))
		return false;
	pull->user->rip = pull->site;
	return pull_finish(pull);
}

/* A trap that stood at a site while it was changed: by now there is a jump. */
static bool from_trap(struct pull *pull)
{
	uint64_t site = pull->user->rip - 1;
	siginfo_t info = { 0 };
	uint8_t code = 0;

	if (!(map_get(&pull->tapped->sites, site) || hook_jump_at(pull->tapped, site)) ||
	    space_peek(pull->task->proc, site, &code, sizeof(code)) || code == 0xcc)
		return false;
	/* Somebody can have sent one, to a thread that just comes from there. */
	if (ptrace(PTRACE_GETSIGINFO, pull->task->tid, 0, &info) || info.si_code <= 0)
		return false;
	pull->user->rip = site;
	return pull_finish(pull);
}

/* si_code is positive where the kernel made the signal for what the thread did. */
static bool is_own_fault(const siginfo_t *info)
{
	return (info->si_signo == SIGSEGV || info->si_signo == SIGBUS) && info->si_code > 0;
}

/* The address of the call that a filter has trapped is part of what the program is told. */
static void move_trap(const struct pull *pull, siginfo_t *info)
{
	if (!pull->refused || !pull->site)
		return;
	info->si_call_addr = (void *)(uintptr_t)(pull->site + LENGTH);
	ptrace(PTRACE_SETSIGINFO, pull->task->tid, 0, info);
}

static bool in_text(uint64_t ip)
{
	return ip >= RING_TEXT && ip < RING_TEXT + RING_TEXT_SIZE;
}

static bool go_behind_copy(struct pull *pull)
{
	pull->task->has_seen = false;
	pull->user->rip = TAP_COPY_END_AT;
	return !regs_set(pull->task->tid, &pull->regs);
}

bool pull_out(struct tap *tap, struct tapped *tapped, struct task *task, struct stop stop)
{
	struct pull pull = { .tap = tap, .tapped = tapped, .task = task };
	siginfo_t info = { 0 };

	pull.user = &pull.regs.user;
	pull.dying = stop.kind == STOP_EXIT;
	if (regs_get(task->tid, &pull.regs))
		return false;
	task->seen = pull.regs;
	task->has_seen = true;
	if (stop.kind == STOP_SIGNAL && stop.code == SIGTRAP && from_trap(&pull))
		return true;
	if ((pull.user->rip == TAP_WAIT_TRAP_AT || pull.user->rip == TAP_WAIT_TRAP_AT + 1) &&
	    is_at_ask(&pull, stop))
		return false;
	if (!in_text(pull.user->rip)) {
		if (!from_stub(&pull, stop) && !pull_from_hook(&pull))
			from_hole(&pull, stop);
		return false;
	}
	if (stop.kind == STOP_SIGNAL)
		ptrace(PTRACE_GETSIGINFO, task->tid, 0, &info);
	pull.fault = is_own_fault(&info);
	pull.refused = info.si_signo == SIGSYS && info.si_code == TRAPPED_BY_SECCOMP;
	if (pull.fault && pull.user->rip >= TAP_COPY_BEGIN_AT && pull.user->rip < TAP_COPY_END_AT)
		return go_behind_copy(&pull);
	if (!pull_from_hook(&pull))
		from_text(&pull);
	move_trap(&pull, &info);
	return pull.fault && pull.site;
}
