/*
 * Object files. The input is hostile: every offset in it is checked, by libelf or here. Addresses
 * are those of the file (virtual addresses before relocation), not of a process.
 */
#ifndef CODE_ELF_H
#define CODE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct elf;

struct elf_range {
	uint64_t addr;
	uint64_t size; /* 0: not known */
};

struct elf_segment {
	uint64_t addr, offset, file_size;
	bool executable, writable;
};

/* Opens a file for reading. NULL where it is no ELF file that we can read. */
struct elf *elf_open(const char *path);
void elf_free(struct elf *elf);

/* True for 64-bit code of the processor that we are built for. */
bool elf_is_native(const struct elf *elf);

/* True if it asks for a shared library whose name begins with prefix. */
bool elf_needs(struct elf *elf, const char *prefix);

/* True if its dynamic symbol table defines name. */
bool elf_exports(struct elf *elf, const char *name);

/*
 * Calls each(ctx, name, range) for the functions that .symtab and .dynsym define; a name may come
 * twice. Stops when it returns false.
 */
void elf_each_function(struct elf *elf,
		       bool (*each)(void *ctx, const char *name, struct elf_range range),
		       void *ctx);

/* A defined symbol of any type. */
bool elf_symbol(struct elf *elf, const char *name, struct elf_range *ret_range);

bool elf_section(struct elf *elf, const char *name, struct elf_range *ret_range);

/* The loadable segments, by index; false behind the last. */
bool elf_segment(struct elf *elf, size_t index, struct elf_segment *ret_segment);

/* Reads what the file holds at an address: up to len bytes, the number read; 0 where there is nothing. */
size_t elf_read(struct elf *elf, uint64_t addr, void *data, size_t len);

/* The address of a file offset that is mapped executable, 0 where there is none. */
uint64_t elf_offset_addr(struct elf *elf, uint64_t offset);

/*
 * The pointer-sized word at an address as the loader will make it, less the load bias: what the file
 * says, or the addend of a relative relocation. False where there is nothing.
 */
bool elf_word(struct elf *elf, uint64_t addr, uint64_t *ret_word);

#endif
