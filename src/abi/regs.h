/* The registers of a stopped tracee, as far as injecting a system call and walking need them. */
#ifndef ABI_REGS_H
#define ABI_REGS_H

#include "abi/abi.h"

#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

struct regs {
	struct user_regs_struct user;
};

/* Both need the thread in a ptrace-stop; 0 or -errno (-ESRCH: it is gone). */
int regs_get(pid_t tid, struct regs *ret_regs);
int regs_set(pid_t tid, const struct regs *regs);

/* The ABI that this thread makes calls in now. */
const struct abi *regs_abi(const struct regs *regs);

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

/* Puts the thread back in front of its system call instruction, about to make call nr. */
void regs_rewind(struct regs *regs, uint64_t nr);

#endif
