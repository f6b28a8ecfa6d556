#include "tracer/catcher.h"

#include "base/clock.h"
#include "base/proc.h"
#include "tracer/engine.h"
#include "tracer/space.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>

/* What is where in its pages: data, code, a table of traps and copies, the copies. */
#define PAGE        4096U
#define DATA_ACTION 0U
#define DATA_OWN    32U /* the program's own action */
#define DATA_FOUND  64U /* what was there when we leave */
#define DATA_NONE   96U /* the default action */
#define CODE        PAGE
#define TABLE       (2 * PAGE)
#define ENTRIES     1024U
#define COPIES      (TABLE + ENTRIES * (unsigned int)sizeof(struct entry))
#define COPY_SIZE   32U
#define SIZE        (COPIES + ENTRIES * COPY_SIZE)

struct entry {
	uint64_t trap;
	uint64_t copy;
};

/* The kernel's struct sigaction (arch/x86/include/asm/signal.h). */
struct action {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

#define RESTORER_FLAG 0x04000000U

#ifdef __x86_64__
/*
 * handler(signal, siginfo, ucontext). What is no trap of ours goes to the program's own handler; a trap
 * of the kernel's with no trap instruction in front of it comes from a stop that we were in the middle of.
 * gregs[REG_RIP] is at 168 of the ucontext, si_code at 8 of the siginfo, SI_KERNEL is 0x80.
 */
__asm__(".pushsection .rodata\n"
	"catcher_code:\n"
	"	mov 168(%rdx), %rax\n"
	"	dec %rax\n"
	"	cmpl $0x80, 8(%rsi)\n"
	"	jne 3f\n"
	"	lea catcher_code + 4096(%rip), %rcx\n"
	"1:	mov (%rcx), %r8\n"
	"	test %r8, %r8\n"
	"	je 2f\n"
	"	add $16, %rcx\n"
	"	cmp %rax, %r8\n"
	"	jne 1b\n"
	"	mov -8(%rcx), %rax\n"
	"	mov %rax, 168(%rdx)\n"
	"	ret\n"
	"2:	cmpb $0xcc, (%rax)\n"
	"	jne 4f\n"
	"3:	mov catcher_code - 4096 + 32(%rip), %rax\n"
	"	cmp $1, %rax\n"
	"	je 4f\n"
	"	jb 5f\n"
	"	jmp *%rax\n"
	"4:	ret\n"
	/* rt_sigaction(SIGTRAP, default), getpid, gettid, tgkill(SIGTRAP) */
	"5:	mov $5, %edi\n"
	"	lea catcher_code - 4096 + 96(%rip), %rsi\n"
	"	xor %edx, %edx\n"
	"	mov $8, %r10d\n"
	"	mov $13, %eax\n"
	"	syscall\n"
	"	mov $39, %eax\n"
	"	syscall\n"
	"	mov %eax, %edi\n"
	"	mov $186, %eax\n"
	"	syscall\n"
	"	mov %eax, %esi\n"
	"	mov $5, %edx\n"
	"	mov $234, %eax\n"
	"	syscall\n"
	"	ret\n"
	"catcher_restorer:\n"
	"	mov $15, %eax\n"
	"	syscall\n"
	"catcher_end:\n"
	".popsection\n");

extern const uint8_t catcher_code[], catcher_restorer[], catcher_end[];

static size_t code_size(void)
{
	return (size_t)(catcher_end - catcher_code);
}

static const uint8_t *code_bytes(void)
{
	return catcher_code;
}

static uint64_t restorer_offset(void)
{
	return (uint64_t)(catcher_restorer - catcher_code);
}
#else
static size_t code_size(void)
{
	return 0;
}

static const uint8_t *code_bytes(void)
{
	return NULL;
}

static uint64_t restorer_offset(void)
{
	return 0;
}
#endif

/* 0 where it succeeded. */
static int call(struct inject *in, const char *name, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
		int64_t *ret_result)
{
	const uint64_t args[6] = { a, b, c, d, (uint64_t)-1 };
	int result = inject_call(in, abi_nr(in->abi, name), args, ret_result);

	if (result)
		return result;
	return *ret_result < 0 && *ret_result > -4096 ? (int)*ret_result : 0;
}

static int act(struct inject *in, uint64_t from, uint64_t to)
{
	int64_t ignored;

	return call(in, "rt_sigaction", SIGTRAP, from, to, sizeof(uint64_t), &ignored);
}

/* The code is there: now the action. */
static int install(struct inject *in, struct space *space, pid_t pid, uint64_t addr)
{
	struct action action;
	int result = act(in, 0, addr + DATA_OWN);

	if (!result)
		result = space_read(space, pid, addr + DATA_OWN, &action, sizeof(action));
	if (result)
		return result;
	action.flags &= SA_NODEFER;
	action.flags |= SA_SIGINFO | SA_ONSTACK | RESTORER_FLAG;
	action.handler = addr + CODE;
	action.restorer = addr + CODE + restorer_offset();
	result = space_write(space, pid, addr + DATA_ACTION, &action, sizeof(action));
	return result ? result : act(in, addr + DATA_ACTION, 0);
}

static int put_in(struct inject *in, struct space *space, pid_t pid, uint64_t *ret_addr)
{
	int64_t addr, ignored;
	int result = call(in, "mmap", 0, SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			  &addr);

	if (result)
		return result;
	*ret_addr = (uint64_t)addr;
	result = call(in, "mprotect", *ret_addr, PAGE, PROT_READ | PROT_WRITE, 0, &ignored);
	if (!result)
		result = space_write(space, pid, *ret_addr + CODE, code_bytes(), code_size());
	/* So that nobody takes the end for unused: it is to go (rescue.c). */
	if (!result)
		result = space_write(space, pid, *ret_addr + SIZE - 1, "\xcc", 1);
	if (!result)
		result = install(in, space, pid, *ret_addr);
	if (result)
		call(in, "munmap", *ret_addr, SIZE, 0, 0, &ignored);
	return result;
}

void catcher_ensure(struct tracer *tracer, struct task *task)
{
	struct space *space = task->proc->space;
	struct inject in;
	uint64_t addr = 0;
	int result;

	if (!task->proc->attached || space->catcher || space->catcher_refused || !code_size())
		return;
	result = inject_begin(&in, tracer, task);
	if (!result)
		result = put_in(&in, space, task->proc->pid, &addr);
	if (inject_end(&in) || result)
		space->catcher_refused = true;
	else
		space->catcher = addr;
	tracer->catching |= space->catcher != 0;
}

bool catcher_is_in(const struct proc *proc)
{
	return proc->space && proc->space->catcher;
}

/* How long it is taken for granted that the handler is still there: a look costs some 30 us. */
#define LOOK_NS 50000000ULL

static bool is_time_to_look(struct task *task)
{
	uint64_t now = clock_monotonic();

	if (task->trapped && now - task->proc->space->looked < LOOK_NS)
		return false;
	task->trapped = true;
	task->proc->space->looked = now;
	return true;
}

/* A sandbox that it has entered since could end it for our call. */
static bool is_lost(const struct task *task)
{
	const struct space *space = task->proc->space;
	struct proc_signals signals;

	return !proc_signals(task->tid, &signals) && !(signals.caught & PROC_SIGNAL(SIGTRAP)) &&
	       proc_status(task->tid, "Seccomp") == space->sandbox;
}

bool catcher_unmask(struct task *task)
{
	const uint64_t trap = PROC_SIGNAL(SIGTRAP);
	uint64_t mask;

	if (!task->proc->attached || !catcher_is_in(task->proc) ||
	    ptrace(PTRACE_GETSIGMASK, task->tid, sizeof(mask), &mask) < 0 || !(mask & trap))
		return false;
	mask &= ~trap;
	return !ptrace(PTRACE_SETSIGMASK, task->tid, sizeof(mask), &mask);
}

/* Calls that a thread of any C library makes at most before its own function is called. */
#define FIRST_CALLS 8

void catcher_follow(struct task *task)
{
	struct space *space = task->proc->space;

	if (catcher_unmask(task) && space->masks && task->proc->told_inside)
		task->starting = FIRST_CALLS;
}

void catcher_renew(struct tracer *tracer, struct task *task)
{
	struct space *space = task->proc->space;
	enum task_at at = task->at;
	struct inject in;

	if (!task->proc->attached || !space->catcher || !is_time_to_look(task) || !is_lost(task))
		return;
	space->masks = true;
	task->at = TASK_AT_ANY;
	task->has_seen = false;
	if (!inject_begin(&in, tracer, task))
		act(&in, space->catcher + DATA_ACTION, 0);
	inject_end(&in);
	task->at = at;
}

/* `jmp *0(%rip)` and the address behind it. */
static size_t add_jump(uint8_t *to, uint64_t target)
{
	memcpy(to, "\xff\x25\x00\x00\x00\x00", 6);
	memcpy(to + 6, &target, sizeof(target));
	return 14;
}

/* What does the same as the instruction, and goes on behind it. */
static void copy_insn(const struct brk *brk, const uint8_t *code, uint8_t copy[COPY_SIZE])
{
	uint64_t next = brk->addr + brk->insn.len;

	if (brk->insn.kind == INSN_CALL) {
		/* push 14(%rip), which is behind the jump */
		memcpy(copy, "\xff\x35\x0e\x00\x00\x00", 6);
		memcpy(copy + 6 + add_jump(copy + 6, brk->insn.target), &next, sizeof(next));
	} else if (brk->insn.kind == INSN_JUMP) {
		add_jump(copy, brk->insn.target);
	} else {
		memcpy(copy, code, brk->insn.len);
		add_jump(copy + brk->insn.len, next);
	}
}

bool catcher_add(struct space *space, pid_t pid, const struct brk *brk, const uint8_t *code)
{
	uint8_t copy[COPY_SIZE] = { 0 };
	struct entry entry = { brk->addr, brk->displaced };
	/* One address can be planted again, with something else behind it. */
	uint64_t number = (uintptr_t)map_get(&space->caught, brk->addr);

	if (!number)
		number = map_count(&space->caught) + 1;
	/* The last entry is the end. */
	if (!space->catcher || number >= ENTRIES)
		return false;
	if (!entry.copy) {
		entry.copy = space->catcher + COPIES + number * COPY_SIZE;
		copy_insn(brk, code, copy);
		if (space_write(space, pid, entry.copy, copy, sizeof(copy)))
			return false;
	}
	if (space_write(space, pid, space->catcher + TABLE + (number - 1) * sizeof(entry), &entry,
			sizeof(entry)))
		return false;
	map_put(&space->caught, brk->addr, (void *)(uintptr_t)number);
	return true;
}

void catcher_remove(struct inject *in, struct space *space)
{
	pid_t pid = in->task->proc->pid;
	uint64_t addr = space->catcher, found = 0;
	int64_t ignored;

	if (!addr)
		return;
	space->catcher = 0;
	map_done(&space->caught);
	/* The program may have changed it meanwhile: then that stays. */
	if (act(in, addr + DATA_OWN, addr + DATA_FOUND) ||
	    space_read(space, pid, addr + DATA_FOUND, &found, sizeof(found)))
		return;
	if (found != addr + CODE)
		act(in, addr + DATA_FOUND, 0);
	call(in, "munmap", addr, SIZE, 0, 0, &ignored);
}
