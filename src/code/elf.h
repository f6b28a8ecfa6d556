/* Object files. The input is hostile: every offset in it is checked, by libelf or here. */
#ifndef CODE_ELF_H
#define CODE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf;

/* Opens a file for reading. NULL where it is no ELF file that we can read. */
struct elf *elf_open(const char *path);
void elf_free(struct elf *elf);

/* True if it asks for a shared library whose name begins with prefix. */
bool elf_needs(struct elf *elf, const char *prefix);

/* True if its dynamic symbol table defines name. */
bool elf_exports(struct elf *elf, const char *name);

#endif
