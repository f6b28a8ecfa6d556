#include "base/maps.h"

#include "base/own.h"
#include "base/proc.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The list of mappings of a process with very many libraries. */
#define TEXT_MAX (4U << 20)

static bool parse(char *line, struct mapping *ret_mapping)
{
	unsigned int major, minor;
	int path = 0;

	if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %n", &ret_mapping->start, &ret_mapping->end,
		   ret_mapping->flags, &ret_mapping->offset, &major, &minor, &ret_mapping->inode,
		   &path) < 7)
		return false;
	ret_mapping->device = (uint64_t)major << 32 | minor;
	ret_mapping->path = path ? line + path : "";
	return true;
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; (text = strchr(text, '\n')); text++)
		count++;
	return count;
}

int maps_read(pid_t pid, struct maps *ret_maps)
{
	char *text auto_free = own_alloc(TEXT_MAX), *save = NULL;
	ssize_t len = proc_read(pid, "maps", text, TEXT_MAX);

	if (len < 0)
		return (int)len;
	*ret_maps = (struct maps){ .items = own_alloc((count_lines(text) + 1) *
						      sizeof(*ret_maps->items)) };
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (parse(line, &ret_maps->items[ret_maps->count]))
			ret_maps->count++;
	ret_maps->text = take_ptr(&text);
	return 0;
}

void maps_done(struct maps *maps)
{
	free(maps->items);
	free(maps->text);
}

const struct mapping *maps_find(const struct maps *maps, uint64_t addr)
{
	for (size_t i = 0; i < maps->count; i++)
		if (addr >= maps->items[i].start && addr < maps->items[i].end)
			return &maps->items[i];
	return NULL;
}

/* Valgrind's tools are programs of their own: PREFIX/valgrind/memcheck-amd64-linux. */
static bool is_valgrind(const char *path, const char *name)
{
	static const char folder[] = "/valgrind/", suffix[] = "-linux";
	size_t len = strlen(name);

	return (size_t)(name - path) >= sizeof(folder) - 1 &&
	       !memcmp(name - sizeof(folder) + 1, folder, sizeof(folder) - 1) &&
	       len >= sizeof(suffix) && !strcmp(name + len - sizeof(suffix) + 1, suffix);
}

const char *maps_translator(const struct maps *maps)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct mapping *mapping = &maps->items[i];
		const char *slash = strrchr(mapping->path, '/');

		if (slash && mapping->flags[2] == 'x' &&
		    (is_valgrind(mapping->path, slash + 1) ||
		     !strcmp(slash + 1, "libdynamorio.so") || !strcmp(slash + 1, "pinbin")))
			return mapping->path;
	}
	return NULL;
}
