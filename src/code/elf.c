/* The only file that knows libelf. Files are read, not mapped: one that is cut later would kill us.
 */
#include "code/elf.h"

#include "base/own.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <string.h>
#include <unistd.h>

struct elf {
	int fd;
	Elf *handle;
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
	if (elf_kind(handle) != ELF_K_ELF) {
		elf_end(handle);
		return NULL;
	}
	elf = own_zalloc(sizeof(*elf));
	elf->fd = take_fd(&fd);
	elf->handle = handle;
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

/* The first section of that type, NULL if there is none. */
static Elf_Scn *section_of_type(struct elf *elf, uint32_t type, GElf_Shdr *ret_header)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf->handle, section)))
		if (gelf_getshdr(section, ret_header) && ret_header->sh_type == type)
			return section;
	return NULL;
}

static size_t entries(const GElf_Shdr *header, const Elf_Data *data)
{
	return header->sh_entsize ? data->d_size / header->sh_entsize : 0;
}

bool elf_needs(struct elf *elf, const char *prefix)
{
	GElf_Shdr header;
	Elf_Scn *section = section_of_type(elf, SHT_DYNAMIC, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	const char *name;
	GElf_Dyn dyn;

	for (size_t i = 0; data && i < entries(&header, data); i++) {
		if (!gelf_getdyn(data, (int)i, &dyn) || dyn.d_tag == DT_NULL)
			break;
		if (dyn.d_tag != DT_NEEDED)
			continue;
		name = elf_strptr(elf->handle, header.sh_link, dyn.d_un.d_val);
		if (name && !strncmp(name, prefix, strlen(prefix)))
			return true;
	}
	return false;
}

bool elf_exports(struct elf *elf, const char *name)
{
	GElf_Shdr header;
	Elf_Scn *section = section_of_type(elf, SHT_DYNSYM, &header);
	Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
	const char *found;
	GElf_Sym sym;

	for (size_t i = 0; data && i < entries(&header, data); i++) {
		if (!gelf_getsym(data, (int)i, &sym) || sym.st_shndx == SHN_UNDEF)
			continue;
		found = elf_strptr(elf->handle, header.sh_link, sym.st_name);
		if (found && !strcmp(found, name))
			return true;
	}
	return false;
}
