/* aarch64: calling conventions of syscall(2); registers by PTRACE_GETREGSET (NT_PRSTATUS). */
#include "abi/abi.h"
#include "abi/regs.h"

#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#ifndef NT_ARM_SYSTEM_CALL
#define NT_ARM_SYSTEM_CALL 0x404
#endif

const struct abi abi_native[] = {
	{ .name = "aarch64",
	  .audit_arch = AUDIT_ARCH_AARCH64,
	  .scmp_arch = AUDIT_ARCH_AARCH64,
	  .word = 8,
	  .mmap = "mmap" },
	{ .name = NULL },
};

/* x8 holds the number, x0 to x5 the arguments, x0 the result. */
#define NR_REG 8

int regs_get(pid_t tid, struct regs *ret_regs)
{
	struct iovec iov = { &ret_regs->user, sizeof(ret_regs->user) };

	return ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov) < 0 ? -errno : 0;
}

int regs_set(pid_t tid, const struct regs *regs)
{
	struct iovec iov = { (void *)(uintptr_t)&regs->user, sizeof(regs->user) };

	return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &iov) < 0 ? -errno : 0;
}

void regs_set_narrow(struct regs *regs, bool narrow)
{
	regs->narrow = narrow;
}

bool regs_is_narrow_call(const uint8_t code[2])
{
	(void)code;
	return false;
}

const struct abi *regs_abi(const struct regs *regs)
{
	(void)regs;
	return &abi_native[0];
}

uint64_t regs_ip(const struct regs *regs)
{
	return regs->user.pc;
}

uint64_t regs_sp(const struct regs *regs)
{
	return regs->user.sp;
}

uint64_t regs_call_nr(const struct regs *regs)
{
	return regs->user.regs[NR_REG];
}

uint64_t regs_call_arg(const struct regs *regs, unsigned int index)
{
	return regs->user.regs[index];
}

void regs_set_call_arg(struct regs *regs, unsigned int index, uint64_t value)
{
	regs->user.regs[index] = value;
}

void regs_set_ip(struct regs *regs, uint64_t ip)
{
	regs->user.pc = ip;
}

void regs_set_sp(struct regs *regs, uint64_t sp)
{
	regs->user.sp = sp;
}

uint64_t regs_general(const struct regs *regs, unsigned int number)
{
	return regs->user.regs[number % 31];
}

void regs_set_general(struct regs *regs, unsigned int number, uint64_t value)
{
	regs->user.regs[number % 31] = value;
}

/* N, Z, C, V of pstate (Arm ARM, C6.2 SUBS). */
void regs_set_compared(struct regs *regs, uint64_t a, uint64_t b)
{
	uint64_t diff = a - b, flags = 0;

	flags |= diff >> 63 ? 1ULL << 31 : 0;
	flags |= diff ? 0 : 1ULL << 30;
	flags |= a >= b ? 1ULL << 29 : 0;
	flags |= ((a ^ b) & (a ^ diff)) >> 63 ? 1ULL << 28 : 0;
	regs->user.pstate = (regs->user.pstate & ~0xf0000000ULL) | flags;
}

uint64_t regs_thread_base(const struct regs *regs)
{
	(void)regs;
	return 0;
}

uint64_t regs_c_arg(const struct regs *regs, unsigned int index)
{
	return index < 8 ? regs->user.regs[index] : 0;
}

uint64_t regs_c_ret(const struct regs *regs)
{
	return regs->user.regs[0];
}

int regs_signal_frame_ret(const struct regs *regs, size_t *ret_size)
{
	(void)regs;
	(void)ret_size;
	return -1;
}

int64_t regs_ret(const struct regs *regs)
{
	return (int64_t)regs->user.regs[0];
}

void regs_set_ret(struct regs *regs, int64_t value)
{
	regs->user.regs[0] = (uint64_t)value;
}

/* At a stop the kernel has the number in a place of its own (Linux 3.19). */
int regs_change_call(pid_t tid, struct regs *regs, uint64_t nr)
{
	int number = (int)nr;
	struct iovec iov = { &number, sizeof(number) };

	regs->user.regs[NR_REG] = nr;
	return ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &iov) < 0 ? -errno : 0;
}

/* svc #0 */
#define SYSCALL_LEN 4

/* svc #0; b . */
const struct regs_perch regs_perch = { { 0x01, 0x00, 0x00, 0xd4, 0x00, 0x00, 0x00, 0x14 }, 8 };

void regs_rewind(struct regs *regs, uint64_t nr)
{
	regs->user.pc -= SYSCALL_LEN;
	regs->user.regs[NR_REG] = nr;
}

/* The first argument is where the result stands now, and the kernel decides before the stop (do_signal). */
void regs_restart(struct regs *regs)
{
	(void)regs;
}
