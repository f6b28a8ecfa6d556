/*
 * Seccomp's strict mode, for processes that have our filter: read, write, _exit and sigreturn are
 * allowed (seccomp(2)), anything else ends the process.
 */
#include "abi/abi.h"
#include "tracer/engine.h"
#include "tracer/filter.h"
#include "tracer/inject.h"

#include <linux/seccomp.h>
#include <stddef.h>

#define ABI_MAX 3
static const char *const allowed[] = { "read", "write", "exit", "rt_sigreturn", "sigreturn" };
#define ALLOWED (sizeof(allowed) / sizeof(allowed[0]))

/* Per ABI: its calls, each compared and allowed; ABIs that are not ours may do nothing. */
static size_t add_abi(struct sock_filter *code, size_t at, const struct abi *abi)
{
	size_t start = at++;
	int nr;

	code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  (uint32_t)offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ALLOWED; i++) {
		nr = abi_nr(abi, allowed[i]);
		if (nr < 0)
			continue;
		code[at++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1);
		code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						  SECCOMP_RET_TRACE | FILTER_STRICT_DATA);
	code[start] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, abi->audit_arch, 0,
						   (uint8_t)(at - start - 1));
	return at;
}

static size_t make_program(struct sock_filter *code)
{
	size_t at = 0;

	code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  (uint32_t)offsetof(struct seccomp_data, arch));
	for (const struct abi *abi = abi_native; abi->name; abi++)
		if (!abi->nr_bit)
			at = add_abi(code, at, abi);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						  SECCOMP_RET_TRACE | FILTER_STRICT_DATA);
	return at;
}

int tracer_strict(struct tracer *tracer, struct task *task)
{
	struct sock_filter code[2 + ABI_MAX * (3 + 2 * ALLOWED)];
	struct sock_fprog program = { .filter = code };
	struct inject in;
	int result = inject_begin(&in, tracer, task);

	program.len = (unsigned short)make_program(code);
	if (!result)
		result = inject_filter(&in, &program, false);
	if (result)
		inject_end(&in);
	else
		inject_end_call(&in, 0);
	return result;
}
