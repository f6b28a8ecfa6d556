/* The processors and calling conventions that a traced program can have on this machine. */
#ifndef ABI_ABI_H
#define ABI_ABI_H

#include "abi/sys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct abi {
	const char *name;
	uint32_t audit_arch; /* as PTRACE_GET_SYSCALL_INFO reports it */
	uint32_t scmp_arch;  /* libseccomp's token */
	unsigned int word;   /* bytes of a pointer and a long */
	uint32_t nr_bit;     /* set in every number of this ABI (x32) */
	uint32_t socketcall; /* number of socketcall(2), 0: none */
	const char *mmap;    /* the call that maps memory, its offset argument 0 */
};

/* The ABIs of this machine; the last has no name. */
extern const struct abi abi_native[];

/* The ABI of a call, NULL where it is none of ours. */
const struct abi *abi_find(uint32_t audit_arch, uint64_t nr);

/* The row of a call, NULL where it is not traced. Any nr is safe. */
const struct sys_row *abi_row(const struct abi *abi, uint64_t nr);

/* True for socketcall(2): its argument 0 says which call, the arguments lie at argument 1. */
bool abi_is_socketcall(const struct abi *abi, uint64_t nr);
const struct sys_row *abi_socketcall_row(uint64_t call);

/* The number that socketcall has for a call by name, 0 if it has none. */
unsigned int abi_socketcall_number(const char *name);

/* True if the call has that name. */
bool abi_is_named(const struct abi *abi, int nr, const char *name);

/* The number of a call by name, -1 where the ABI has none. */
int abi_nr(const struct abi *abi, const char *name);

/* True if the row's conditions let this call through. */
bool sys_row_holds(const struct sys_row *row, const uint64_t args[6]);

/* Fills the tables; call it once, before any of the above. */
void abi_init(void);

#endif
