/*
 * libseccomp writes the comparison of architectures and numbers; it knows nothing of instruction
 * pointers, so each of its "return TRACE" becomes a jump to a tail of ours that looks at the page.
 */
#include "tracer/filter.h"

#include "abi/abi.h"
#include "base/own.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PROGRAM_MAX BPF_MAXINSNS

/*
 * A condition on arguments cannot be put on socketcall(2), which has them in memory: then the call
 * is traced whatever they are, and the tracer looks.
 */
static int add_socketcall(scmp_filter_ctx ctx, uint32_t action, const char *name)
{
	struct scmp_arg_cmp cmp = { .arg = 0,
				    .op = SCMP_CMP_MASKED_EQ,
				    .datum_a = 0xffffffffU,
				    .datum_b = abi_socketcall_number(name) };

	if (!cmp.datum_b)
		return 0;
	return seccomp_rule_add_array(ctx, action, seccomp_syscall_resolve_name("socketcall"), 1,
				      &cmp);
}

static int add_row(scmp_filter_ctx ctx, const struct sys_row *row, unsigned int wanted)
{
	const uint32_t action = row->op == OP_IO_URING && wanted & FILTER_NO_IO_URING
					? SCMP_ACT_ERRNO(ENOSYS)
					: SCMP_ACT_TRACE(FILTER_TRACE_DATA);
	int nr = seccomp_syscall_resolve_name(row->name);
	int result = 0;

	if (nr == __NR_SCMP_ERROR)
		return -ENOSYS;
	if (!row->conds[0].mask)
		return seccomp_rule_add(ctx, action, nr, 0);
	for (size_t i = 0; i < SYS_CONDS && !result; i++) {
		const struct sys_cond *cond = &row->conds[i];
		struct scmp_arg_cmp cmp = { .arg = cond->arg,
					    .op = SCMP_CMP_MASKED_EQ,
					    .datum_a = cond->mask,
					    .datum_b = cond->value };

		if (cond->mask)
			result = seccomp_rule_add_array(ctx, action, nr, 1, &cmp);
	}
	return result ? result : add_socketcall(ctx, action, row->name);
}

static int add_abis(scmp_filter_ctx ctx)
{
	int result;

	for (const struct abi *abi = abi_native; abi->name; abi++) {
		result = seccomp_arch_add(ctx, abi->scmp_arch);
		if (result && result != -EEXIST)
			return result;
	}
	return 0;
}

static int build(scmp_filter_ctx ctx, unsigned int wanted)
{
	int result = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);

	if (!result)
		result = add_abis(ctx);
	for (const struct sys_row *row = sys_rows; row->name && !result; row++)
		if (wanted & FILTER_WANT(row->when))
			result = add_row(ctx, row, wanted);
	return result;
}

/* libseccomp before 2.6 exports to a descriptor only. */
static int export(scmp_filter_ctx ctx, struct sock_filter *code, size_t *ret_len)
{
	int fd auto_close = memfd_create("iotrace-filter", MFD_CLOEXEC);
	ssize_t n;
	int result;

	if (fd < 0)
		return -errno;
	result = seccomp_export_bpf(ctx, fd);
	if (result)
		return result;
	n = pread(fd, code, PROGRAM_MAX * sizeof(*code), 0);
	if (n <= 0 || (size_t)n % sizeof(*code))
		return -EIO;
	*ret_len = (size_t)n / sizeof(*code);
	return 0;
}

#define IP_LOW  ((uint32_t)offsetof(struct seccomp_data, instruction_pointer))
#define IP_HIGH (IP_LOW + 4) /* little endian */

static size_t add_tail(struct sock_filter *code, size_t len)
{
	const uint32_t trace = SECCOMP_RET_TRACE | FILTER_TRACE_DATA;
	const uint32_t page = (uint32_t)FILTER_TRUSTED_PAGE;
	const uint32_t mask = ~(uint32_t)(FILTER_TRUSTED_SIZE - 1);
	const struct sock_filter tail[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_HIGH),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_LOW),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, page, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, trace),
	};

	for (size_t i = 0; i < len; i++)
		if (code[i].code == (BPF_RET | BPF_K) && code[i].k == trace)
			code[i] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA,
							       (uint32_t)(len - i - 1));
	memcpy(code + len, tail, sizeof(tail));
	return len + sizeof(tail) / sizeof(tail[0]);
}

int filter_make(unsigned int wanted, struct sock_fprog *ret_program)
{
	struct sock_filter *code auto_free = own_alloc((PROGRAM_MAX + 16) * sizeof(*code));
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	size_t len = 0;
	int result;

	if (!ctx)
		return -ENOMEM;
	result = build(ctx, wanted);
	if (!result)
		result = export(ctx, code, &len);
	seccomp_release(ctx);
	if (result)
		return result;
	if (len > PROGRAM_MAX - 16)
		return -E2BIG;
	ret_program->len = (unsigned short)add_tail(code, len);
	ret_program->filter = take_ptr(&code);
	return 0;
}

void filter_done(struct sock_fprog *program)
{
	free(program->filter);
	*program = (struct sock_fprog){ 0 };
}
