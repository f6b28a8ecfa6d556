/* x86-64 and the 32-bit programs it runs: calling conventions of syscall(2). */
#include "abi/abi.h"
#include "abi/regs.h"

#include <errno.h>
#include <linux/audit.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>

#define X32_BIT 0x40000000U

/* libseccomp's tokens are the audit ones; x32 has its own, 32-bit words on the 64-bit machine. */
#define SCMP_X32 (EM_X86_64 | __AUDIT_ARCH_LE)

/* User code segments: 0x33 runs 64-bit code, 0x23 32-bit code (arch/x86/include/asm/segment.h). */
#define CS_64 0x33

const struct abi abi_native[] = {
	{ .name = "x86_64",
	  .audit_arch = AUDIT_ARCH_X86_64,
	  .scmp_arch = AUDIT_ARCH_X86_64,
	  .word = 8,
	  .mmap = "mmap" },
	{ .name = "i386",
	  .audit_arch = AUDIT_ARCH_I386,
	  .scmp_arch = AUDIT_ARCH_I386,
	  .word = 4,
	  .socketcall = 102,
	  .mmap = "mmap2" },
	{ .name = "x32",
	  .audit_arch = AUDIT_ARCH_X86_64,
	  .scmp_arch = SCMP_X32,
	  .word = 4,
	  .nr_bit = X32_BIT,
	  .mmap = "mmap" },
	{ .name = NULL },
};

#define REG(name) offsetof(struct user_regs_struct, name)

static const size_t args_64[6] = { REG(rdi), REG(rsi), REG(rdx), REG(r10), REG(r8), REG(r9) };
static const size_t args_32[6] = { REG(rbx), REG(rcx), REG(rdx), REG(rsi), REG(rdi), REG(rbp) };

static unsigned long long *arg_reg(struct regs *regs, unsigned int index)
{
	const size_t *args = regs->narrow ? args_32 : args_64;

	return (void *)((char *)&regs->user + args[index]);
}

int regs_get(pid_t tid, struct regs *ret_regs)
{
	if (ptrace(PTRACE_GETREGS, tid, 0, &ret_regs->user) < 0)
		return -errno;
	ret_regs->narrow = ret_regs->user.cs != CS_64;
	return 0;
}

void regs_set_narrow(struct regs *regs, bool narrow)
{
	regs->narrow = narrow;
}

bool regs_is_narrow_call(const uint8_t code[2])
{
	return code[0] == 0xcd && code[1] == 0x80;
}

int regs_set(pid_t tid, const struct regs *regs)
{
	return ptrace(PTRACE_SETREGS, tid, 0, &regs->user) < 0 ? -errno : 0;
}

const struct abi *regs_abi(const struct regs *regs)
{
	if (regs->narrow)
		return &abi_native[1];
	return abi_find(AUDIT_ARCH_X86_64, regs->user.orig_rax == -1ULL ? 0 : regs->user.orig_rax);
}

uint64_t regs_ip(const struct regs *regs)
{
	return regs->user.rip;
}

uint64_t regs_sp(const struct regs *regs)
{
	return regs->user.rsp;
}

uint64_t regs_call_nr(const struct regs *regs)
{
	return regs->user.orig_rax;
}

uint64_t regs_call_arg(const struct regs *regs, unsigned int index)
{
	return *arg_reg((struct regs *)regs, index);
}

void regs_set_call_arg(struct regs *regs, unsigned int index, uint64_t value)
{
	*arg_reg(regs, index) = value;
}

void regs_set_ip(struct regs *regs, uint64_t ip)
{
	regs->user.rip = ip;
}

void regs_set_sp(struct regs *regs, uint64_t sp)
{
	regs->user.rsp = sp;
}

static const size_t general[16] = { REG(rax), REG(rcx), REG(rdx), REG(rbx), REG(rsp), REG(rbp),
				    REG(rsi), REG(rdi), REG(r8),  REG(r9),  REG(r10), REG(r11),
				    REG(r12), REG(r13), REG(r14), REG(r15) };

static unsigned long long *general_reg(const struct regs *regs, unsigned int number)
{
	return (void *)((uintptr_t)&regs->user + general[number & 15]);
}

uint64_t regs_general(const struct regs *regs, unsigned int number)
{
	return *general_reg(regs, number);
}

void regs_set_general(struct regs *regs, unsigned int number, uint64_t value)
{
	*general_reg(regs, number) = value;
}

/* CF, PF, AF, ZF, SF, OF of eflags (Intel SDM volume 1, 3.4.3). */
void regs_set_compared(struct regs *regs, uint64_t a, uint64_t b)
{
	uint64_t diff = a - b, flags = 0;

	flags |= a < b ? 0x1U : 0;
	flags |= __builtin_parityll(diff & 0xff) ? 0 : 0x4U;
	flags |= (a ^ b ^ diff) & 0x10U;
	flags |= diff ? 0 : 0x40U;
	flags |= diff >> 63 ? 0x80U : 0;
	flags |= ((a ^ b) & (a ^ diff)) >> 63 ? 0x800U : 0;
	regs->user.eflags = (regs->user.eflags & ~0x8d5ULL) | flags;
}

uint64_t regs_thread_base(const struct regs *regs)
{
	return regs->user.fs_base;
}

/* System V ABI, 3.2.3. */
uint64_t regs_c_arg(const struct regs *regs, unsigned int index)
{
	static const unsigned int numbers[6] = { 7, 6, 2, 1, 8, 9 };

	return index < 6 ? regs_general(regs, numbers[index]) : 0;
}

uint64_t regs_c_ret(const struct regs *regs)
{
	return regs->user.rax;
}

/*
 * arch/x86/include/asm/sigframe.h. 64 bits: struct rt_sigframe, a return address, then struct ucontext
 * with struct sigcontext_64 at 40, of which ax is the 14th word. 32 bits: struct sigframe_ia32 has
 * struct sigcontext_32, with ax at 44, behind two words; struct rt_sigframe_ia32, for handlers with
 * SA_SIGINFO, behind four, the siginfo and the head of ucontext. Only there dx points at the siginfo.
 */
int regs_signal_frame_ret(const struct regs *regs, size_t *ret_size)
{
	if (regs->user.cs == CS_64) {
		*ret_size = 8;
		return 8 + 40 + 13 * 8;
	}
	*ret_size = 4;
	return (regs->user.rdx ? 4 * 4 + 128 + 20 : 2 * 4) + 44;
}

int64_t regs_ret(const struct regs *regs)
{
	return regs->narrow ? (int32_t)regs->user.rax : (int64_t)regs->user.rax;
}

void regs_set_ret(struct regs *regs, int64_t value)
{
	regs->user.rax = (unsigned long long)value;
}

int regs_change_call(pid_t tid, struct regs *regs, uint64_t nr)
{
	(void)tid;
	regs->user.orig_rax = nr;
	return 0;
}

const struct regs_perch regs_perch = { { 0x0f, 0x05, 0xeb, 0xfe }, 4 };

/*
 * `syscall` is 0f 05, `int $0x80` cd 80; behind the vdso's sysenter lies an int $0x80 of the same
 * length, for just this purpose (arch/x86/entry/vdso/vdso32/system_call.S).
 */
#define SYSCALL_LEN 2

void regs_rewind(struct regs *regs, uint64_t nr)
{
	regs->user.rip -= SYSCALL_LEN;
	regs->user.rax = nr;
	regs->user.orig_rax = -1ULL;
}

/* linux/errno.h; looked at when the last signal is done with (arch/x86/kernel/signal.c). */
#define ERESTARTNOHAND 514

void regs_restart(struct regs *regs)
{
	regs_set_ret(regs, -ERESTARTNOHAND);
}
