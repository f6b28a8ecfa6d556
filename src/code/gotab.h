/*
 * Go's table of functions (pclntab), which the runtime needs and strip(1) leaves in place: names and
 * addresses of all functions of a Go program. Layouts of Go 1.2 to 1.26 (debug/gosym/pclntab.go,
 * runtime/symtab.go of those releases). Hostile like all of a file.
 */
#ifndef CODE_GOTAB_H
#define CODE_GOTAB_H

#include "code/elf.h"

struct gotab;

/* NULL where the file is no Go program. The elf is borrowed for gotab's life. */
struct gotab *gotab_open(struct elf *elf);
void gotab_free(struct gotab *gotab);

/* The function of that name, or false. */
bool gotab_find(const struct gotab *gotab, const char *name, struct elf_range *ret_range);

/* Calls each(ctx, name, range) for all functions, until it returns false. */
void gotab_each(const struct gotab *gotab,
		bool (*each)(void *ctx, const char *name, struct elf_range range), void *ctx);

/* True where arguments are passed in registers (Go 1.17 on x86-64). */
bool gotab_uses_registers(const struct gotab *gotab);

#endif
