/* The only file that knows libelf. Files are read, not mapped: one that is cut later would kill us. */
#include "code/elf.h"

#include "base/own.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <string.h>
#include <unistd.h>

#ifdef __x86_64__
#define NATIVE_MACHINE  EM_X86_64
#define NATIVE_RELATIVE R_X86_64_RELATIVE
#else
#define NATIVE_MACHINE  EM_AARCH64
#define NATIVE_RELATIVE R_AARCH64_RELATIVE
#endif

struct elf {
	int fd;
	Elf *handle;
	GElf_Ehdr header;
};

struct elf *elf_open(const char *path)
{
	int fd auto_close = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct elf *elf;
	Elf *handle;

	if (fd < 0 || elf_version(EV_CURRENT) == EV_NONE)
		return NULL;
	handle = elf_begin(fd, ELF_C_READ, NULL);
	if (!handle)
		return NULL;
	elf = own_zalloc(sizeof(*elf));
	elf->handle = handle;
	if (elf_kind(handle) != ELF_K_ELF || !gelf_getehdr(handle, &elf->header)) {
		elf_end(handle);
		free(elf);
		return NULL;
	}
	elf->fd = take_fd(&fd);
	return elf;
}

void elf_free(struct elf *elf)
{
	if (!elf)
		return;
	elf_end(elf->handle);
	close(elf->fd);
	free(elf);
}

bool elf_is_native(const struct elf *elf)
{
	return elf->header.e_ident[EI_CLASS] == ELFCLASS64 &&
	       elf->header.e_ident[EI_DATA] == ELFDATA2LSB &&
	       elf->header.e_machine == NATIVE_MACHINE;
}

/* The first section of that type behind `after`, NULL if there is none. */
static Elf_Scn *next_of_type(struct elf *elf, Elf_Scn *after, uint32_t type, GElf_Shdr *ret_header)
{
	while ((after = elf_nextscn(elf->handle, after)))
		if (gelf_getshdr(after, ret_header) && ret_header->sh_type == type)
			return after;
	return NULL;
}

static int entries(const GElf_Shdr *header, const Elf_Data *data)
{
	size_t count = header->sh_entsize ? data->d_size / header->sh_entsize : 0;

	return count < INT32_MAX ? (int)count : 0;
}

bool elf_needs(struct elf *elf, const char *prefix)
{
	GElf_Shdr header;
	Elf_Scn *section = next_of_type(elf, NULL, SHT_DYNAMIC, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	const char *name;
	GElf_Dyn dyn;

	for (int i = 0; data && i < entries(&header, data); i++) {
		if (!gelf_getdyn(data, i, &dyn) || dyn.d_tag == DT_NULL)
			break;
		if (dyn.d_tag != DT_NEEDED)
			continue;
		name = elf_strptr(elf->handle, header.sh_link, dyn.d_un.d_val);
		if (name && !strncmp(name, prefix, strlen(prefix)))
			return true;
	}
	return false;
}

/* Calls each(ctx, name, symbol) for what a symbol table defines; true if one call was false. */
static bool each_symbol(struct elf *elf, uint32_t table,
			bool (*each)(void *ctx, const char *name, const GElf_Sym *sym), void *ctx)
{
	GElf_Shdr header;
	Elf_Scn *section = next_of_type(elf, NULL, table, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	const char *name;
	GElf_Sym sym;

	for (int i = 0; data && i < entries(&header, data); i++) {
		if (!gelf_getsym(data, i, &sym) || sym.st_shndx == SHN_UNDEF)
			continue;
		name = elf_strptr(elf->handle, header.sh_link, sym.st_name);
		if (name && *name && !each(ctx, name, &sym))
			return true;
	}
	return false;
}

struct wanted {
	const char *name;
	struct elf_range range;
	bool found;
};

static bool find_name(void *ctx, const char *name, const GElf_Sym *sym)
{
	struct wanted *wanted = ctx;

	if (strcmp(name, wanted->name))
		return true;
	wanted->found = true;
	wanted->range = (struct elf_range){ sym->st_value, sym->st_size };
	return false;
}

bool elf_exports(struct elf *elf, const char *name)
{
	struct wanted wanted = { .name = name };

	return each_symbol(elf, SHT_DYNSYM, find_name, &wanted);
}

bool elf_symbol(struct elf *elf, const char *name, struct elf_range *ret_range)
{
	struct wanted wanted = { .name = name };

	if (!each_symbol(elf, SHT_SYMTAB, find_name, &wanted))
		each_symbol(elf, SHT_DYNSYM, find_name, &wanted);
	if (wanted.found)
		*ret_range = wanted.range;
	return wanted.found;
}

struct functions {
	bool (*each)(void *ctx, const char *name, struct elf_range range);
	void *ctx;
};

static bool pass_function(void *ctx, const char *name, const GElf_Sym *sym)
{
	struct functions *functions = ctx;

	if (GELF_ST_TYPE(sym->st_info) != STT_FUNC || !sym->st_value)
		return true;
	return functions->each(functions->ctx, name,
			       (struct elf_range){ sym->st_value, sym->st_size });
}

void elf_each_function(struct elf *elf,
		       bool (*each)(void *ctx, const char *name, struct elf_range range), void *ctx)
{
	struct functions functions = { each, ctx };

	if (!each_symbol(elf, SHT_SYMTAB, pass_function, &functions))
		each_symbol(elf, SHT_DYNSYM, pass_function, &functions);
}

bool elf_section(struct elf *elf, const char *name, struct elf_range *ret_range)
{
	size_t strings;
	Elf_Scn *section = NULL;
	const char *found;
	GElf_Shdr header;

	if (elf_getshdrstrndx(elf->handle, &strings))
		return false;
	while ((section = elf_nextscn(elf->handle, section))) {
		if (!gelf_getshdr(section, &header))
			continue;
		found = elf_strptr(elf->handle, strings, header.sh_name);
		if (!found || strcmp(found, name))
			continue;
		*ret_range = (struct elf_range){ header.sh_addr, header.sh_size };
		return true;
	}
	return false;
}

bool elf_segment(struct elf *elf, size_t index, struct elf_segment *ret_segment)
{
	GElf_Phdr header;
	size_t count;

	if (elf_getphdrnum(elf->handle, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getphdr(elf->handle, (int)i, &header))
			return false;
		if (header.p_type != PT_LOAD || index--)
			continue;
		*ret_segment = (struct elf_segment){
			.addr = header.p_vaddr,
			.offset = header.p_offset,
			.file_size = header.p_filesz,
			.executable = header.p_flags & PF_X,
			.writable = header.p_flags & PF_W,
		};
		return true;
	}
	return false;
}

size_t elf_read(struct elf *elf, uint64_t addr, void *data, size_t len)
{
	struct elf_segment segment;
	uint64_t skip;
	ssize_t n;

	for (size_t i = 0; elf_segment(elf, i, &segment); i++) {
		skip = addr - segment.addr;
		if (addr < segment.addr || skip >= segment.file_size)
			continue;
		if (len > segment.file_size - skip)
			len = (size_t)(segment.file_size - skip);
		n = pread(elf->fd, data, len, (off_t)(segment.offset + skip));
		return n > 0 ? (size_t)n : 0;
	}
	return 0;
}

uint64_t elf_offset_addr(struct elf *elf, uint64_t offset)
{
	struct elf_segment segment;

	for (size_t i = 0; elf_segment(elf, i, &segment); i++)
		if (segment.executable && offset >= segment.offset &&
		    offset - segment.offset < segment.file_size)
			return segment.addr + (offset - segment.offset);
	return 0;
}

/* A relative relocation of that address; its addend is what the loader adds the bias to. */
static bool find_addend(struct elf *elf, uint64_t addr, uint64_t *ret_word)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	Elf_Data *data;
	GElf_Rela rela;

	while ((section = next_of_type(elf, section, SHT_RELA, &header))) {
		data = elf_getdata(section, NULL);
		for (int i = 0; data && i < entries(&header, data); i++) {
			if (!gelf_getrela(data, i, &rela) || rela.r_offset != addr ||
			    GELF_R_TYPE(rela.r_info) != NATIVE_RELATIVE)
				continue;
			*ret_word = (uint64_t)rela.r_addend;
			return true;
		}
	}
	return false;
}

bool elf_word(struct elf *elf, uint64_t addr, uint64_t *ret_word)
{
	uint64_t word;

	if (find_addend(elf, addr, ret_word))
		return true;
	if (elf_read(elf, addr, &word, sizeof(word)) != sizeof(word))
		return false;
	*ret_word = word;
	return true;
}
