/*
 * Number → row, per ABI. libseccomp is asked by number, as its answers by name are pseudo numbers
 * for what i386 also reaches through socketcall.
 */
#include "abi/abi.h"

#include <linux/audit.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS 1024
#define ABIS    4

static const struct sys_row *rows[ABIS][NUMBERS];

/* For tests: as if a row were not there. */
static bool is_omitted(const char *name)
{
	const char *omitted = getenv("IOTRACE_TEST_OMIT");

	return omitted && !strcmp(omitted, name);
}

static const struct sys_row *row_by_name(const char *name)
{
	if (is_omitted(name))
		return NULL;
	for (const struct sys_row *row = sys_rows; row->name; row++)
		if (!strcmp(row->name, name))
			return row;
	return NULL;
}

static uint32_t base_nr(const struct abi *abi, uint64_t nr)
{
	return (uint32_t)nr & ~abi->nr_bit;
}

void abi_init(void)
{
	for (size_t i = 0; abi_native[i].name; i++) {
		for (int nr = 0; nr < NUMBERS; nr++) {
			char *name = seccomp_syscall_resolve_num_arch(
				abi_native[i].scmp_arch, nr | (int)abi_native[i].nr_bit);

			if (name)
				rows[i][nr] = row_by_name(name);
			free(name);
		}
	}
}

const struct abi *abi_find(uint32_t audit_arch, uint64_t nr)
{
	const struct abi *found = NULL;

	for (const struct abi *abi = abi_native; abi->name; abi++)
		if (abi->audit_arch == audit_arch && (nr & abi->nr_bit) == abi->nr_bit)
			if (!found || abi->nr_bit)
				found = abi;
	return found;
}

const struct sys_row *abi_row(const struct abi *abi, uint64_t nr)
{
	if ((uint32_t)nr < abi->nr_bit || base_nr(abi, nr) >= NUMBERS)
		return NULL;
	return rows[abi - abi_native][base_nr(abi, nr)];
}

/* linux/net.h */
static const char *const socketcalls[] = {
	[1] = "socket",    [2] = "bind",        [3] = "connect",     [4] = "listen",
	[5] = "accept",    [6] = "getsockname", [7] = "getpeername", [8] = "socketpair",
	[9] = "send",      [10] = "recv",       [11] = "sendto",     [12] = "recvfrom",
	[13] = "shutdown", [14] = "setsockopt", [15] = "getsockopt", [16] = "sendmsg",
	[17] = "recvmsg",  [18] = "accept4",    [19] = "recvmmsg",   [20] = "sendmmsg",
};

#define SOCKETCALLS (sizeof(socketcalls) / sizeof(socketcalls[0]))

bool abi_is_socketcall(const struct abi *abi, uint64_t nr)
{
	return abi->socketcall && nr == abi->socketcall;
}

const struct sys_row *abi_socketcall_row(uint64_t call)
{
	return call && call < SOCKETCALLS ? row_by_name(socketcalls[call]) : NULL;
}

unsigned int abi_socketcall_number(const char *name)
{
	for (unsigned int i = 1; i < SOCKETCALLS; i++)
		if (!strcmp(socketcalls[i], name))
			return i;
	return 0;
}

bool abi_is_named(const struct abi *abi, int nr, const char *name)
{
	char *found = seccomp_syscall_resolve_num_arch(abi->scmp_arch, nr);
	bool same = found && !strcmp(found, name);

	free(found);
	return same;
}

int abi_nr(const struct abi *abi, const char *name)
{
	int nr = seccomp_syscall_resolve_name_arch(abi->scmp_arch, name);

	/* By name, what socketcall also reaches has a pseudo number. */
	for (int i = 0; nr < 0 && i < NUMBERS; i++)
		if (abi_is_named(abi, i | (int)abi->nr_bit, name))
			nr = i | (int)abi->nr_bit;
	return nr < 0 ? -1 : nr;
}

bool sys_row_holds(const struct sys_row *row, const uint64_t args[6])
{
	bool any = false;

	for (size_t i = 0; i < SYS_CONDS; i++) {
		const struct sys_cond *cond = &row->conds[i];

		if (!cond->mask)
			continue;
		any = true;
		if (((uint32_t)args[cond->arg] & cond->mask) == cond->value)
			return true;
	}
	return !any;
}
