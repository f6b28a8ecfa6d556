/* The registers of a stopped tracee, as far as injecting a system call and walking need them. */
#ifndef ABI_REGS_H
#define ABI_REGS_H

#include "abi/abi.h"

#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

struct regs {
	struct user_regs_struct user;
	bool narrow; /* system calls by the conventions of the 32-bit ABI */
};

/* Both need the thread in a ptrace-stop; 0 or -errno (-ESRCH: it is gone). */
int regs_get(pid_t tid, struct regs *ret_regs);
int regs_set(pid_t tid, const struct regs *regs);

/*
 * The ABI that this thread makes calls in now. 64-bit code can make 32-bit calls (int $0x80): whoever
 * knows the instruction says so by regs_set_narrow, before the call's arguments are looked at.
 */
const struct abi *regs_abi(const struct regs *regs);
void regs_set_narrow(struct regs *regs, bool narrow);

/* True if the two bytes are an instruction for 32-bit system calls. */
bool regs_is_narrow_call(const uint8_t code[2]);

uint64_t regs_ip(const struct regs *regs);
uint64_t regs_sp(const struct regs *regs);

/* The number of the call the thread is in (or was, at its exit stop). */
uint64_t regs_call_nr(const struct regs *regs);
uint64_t regs_call_arg(const struct regs *regs, unsigned int index);
void regs_set_call_arg(struct regs *regs, unsigned int index, uint64_t value);

int64_t regs_ret(const struct regs *regs);
void regs_set_ret(struct regs *regs, int64_t value);

/*
 * Changes the call that the thread is about to make at a syscall-entry- or seccomp-stop. On kernels
 * where the number is not among the registers this needs the tid; 0 or -errno.
 */
int regs_change_call(pid_t tid, struct regs *regs, uint64_t nr);

void regs_set_ip(struct regs *regs, uint64_t ip);
void regs_set_sp(struct regs *regs, uint64_t sp);

/* A general register by its number in the processor's encoding (x86-64: 0 rax, 1 rcx, … 15 r15). */
uint64_t regs_general(const struct regs *regs, unsigned int number);
void regs_set_general(struct regs *regs, unsigned int number, uint64_t value);

/* Result flags of comparing a with b (64 bits), as the processor would leave them. */
void regs_set_compared(struct regs *regs, uint64_t a, uint64_t b);

/* The base of the thread's local storage. */
uint64_t regs_thread_base(const struct regs *regs);

/* Arguments and result of the C calling convention, at a function's entry and behind its return. */
uint64_t regs_c_arg(const struct regs *regs, unsigned int index);
uint64_t regs_c_ret(const struct regs *regs);

/*
 * At a signal handler's first instruction: where from the stack pointer on the result is that the
 * interrupted code will see, and how many bytes it has. -1: not known for this ABI.
 */
int regs_signal_frame_ret(const struct regs *regs, size_t *ret_size);

/* A system call instruction and a jump to itself behind it. */
extern const struct regs_perch {
	uint8_t code[8];
	uint8_t len;
} regs_perch;

/* Puts the thread back in front of its system call instruction, about to make call nr. */
void regs_rewind(struct regs *regs, uint64_t nr);

/*
 * At a signal's stop, behind a call that it has ended with EINTR: unless a handler is run, for this signal or
 * another one, the call is made again. Not on aarch64, where it stays as it is.
 */
void regs_restart(struct regs *regs);

#endif
