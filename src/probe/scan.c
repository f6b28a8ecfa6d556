/* What a process has mapped, and what of it is to be probed. */
#include "base/maps.h"
#include "base/own.h"
#include "probe/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void note_refused(struct probes *probes, struct task *task, const struct module *module,
			 const struct site *site, int error)
{
	const char *why = error == -EOPNOTSUPP ? "its first instruction can neither be carried out "
						 "nor moved"
					       : strerror(-error);
	char text[4700];

	snprintf(text, sizeof(text), "%s in %s cannot be probed: %s", site->name, module->path,
		 why);
	probes->ops->note(probes->ctx, task, text);
}

/* A file's executable mapping, of those of its process, and where the file's addresses begin in it. */
struct mapped {
	const struct maps *maps;
	const struct mapping *mapping;
	uint64_t bias;
};

/* Programs map parts of their code again, elsewhere: around a part is memory of others. */
static bool holds(const struct mapped *in, uint64_t addr)
{
	const struct mapping *at = maps_find(in->maps, addr), *mapping = in->mapping;

	return at && at->inode == mapping->inode && at->device == mapping->device &&
	       at->flags[2] == 'x' && at->start - at->offset == mapping->start - mapping->offset;
}

static bool holds_all(const struct mapped *in, const struct site *site)
{
	bool all = holds(in, in->bias + site->addr);

	for (size_t i = 0; i < site->ret_count && all; i++)
		all = holds(in, in->bias + site->rets[i]);
	return all;
}

/* 0, or what brk_plant says. The returns first: an entry without them would be half a call. */
static int plant(struct probes *probes, struct task *task, const struct site *site, uint64_t bias)
{
	brk_hit *ret = probe_ret_handler(site);
	int error = 0;

	for (size_t i = 0; i < site->ret_count && !error; i++)
		error = brk_plant(probes->tracer, task, bias + site->rets[i], ret, probes,
				  (void *)site);
	if (!error)
		error = brk_plant(probes->tracer, task, bias + site->addr,
				  probe_entry_handler(site), probes, (void *)site);
	if (!error)
		busy_planted(probed_of(probes, task->proc), site, bias,
			     brk_is_given(task, bias + site->addr));
	return error;
}

/* True if nothing is left to be done in this mapping. */
static bool plant_module(struct probes *probes, struct task *task, const struct module *module,
			 const struct mapped *in)
{
	struct probed *probed = probed_of(probes, task->proc);
	const uint64_t bias = in->bias;
	bool may_call = task->at != TASK_AT_OTHER, complete = true;
	int error;

	for (size_t i = 0; i < module->count; i++) {
		const struct site *site = &module->sites[i];

		if (!holds_all(in, site))
			continue;
		/* What lets it survive a SIGKILL of iotrace comes with that. */
		if (task->proc->attached && may_call)
			brk_reserve(probes->tracer, task, bias + site->addr);
		if (site->row->abi == ABI_GO) {
			probed->has_go = true;
			probed->go_registers = site->go_registers;
		}
		error = plant(probes, task, site, bias);
		if (error == -EOPNOTSUPP && may_call &&
		    !brk_reserve(probes->tracer, task, bias + site->addr))
			error = plant(probes, task, site, bias);
		if (error == -EOPNOTSUPP && !may_call)
			complete = false;
		else if (error && error != -ESRCH)
			note_refused(probes, task, module, site, error);
	}
	return complete;
}

/* The file, as seen from here: map_files needs privileges, the path must still be the same file. */
static bool find_file(const struct task *task, const struct mapping *mapping, char *path,
		      size_t cap, struct stat *st)
{
	snprintf(path, cap, "/proc/%d/map_files/%lx-%lx", task->proc->pid, mapping->start,
		 mapping->end);
	if (!stat(path, st))
		return true;
	snprintf(path, cap, "/proc/%d/root%s", task->proc->pid, mapping->path);
	return !stat(path, st) && st->st_ino == mapping->inode;
}

static void mark_found(struct probes *probes, const struct module *module)
{
	for (size_t i = 0; i < module->count; i++) {
		const struct probe_row *row = module->sites[i].row;

		if (row >= probes->user && row < probes->user + probes->user_count)
			probes->user_found[row - probes->user] = true;
	}
}

static struct module *module_of(struct probes *probes, struct task *task,
				const struct mapping *mapping)
{
	char path[4200], text[4400];
	struct module *module;
	struct stat st;
	uint64_t key;

	if (!find_file(task, mapping, path, sizeof(path), &st)) {
		snprintf(text, sizeof(text),
			 "%s was replaced since it was loaded: its functions cannot be probed",
			 mapping->path);
		/* Once a process: what is done is remembered by the caller. */
		if (strstr(mapping->path, "libssl") || strstr(mapping->path, "libgnutls"))
			probes->ops->note(probes->ctx, task, text);
		return NULL;
	}
	key = (uint64_t)st.st_ino ^ (uint64_t)st.st_dev << 40 ^ (uint64_t)st.st_mtim.tv_nsec << 20 ^
	      (uint64_t)st.st_size;
	module = map_get(&probes->modules, key);
	if (!module) {
		module = module_read(path, mapping->path, &probes->rows);
		map_put(&probes->modules, key, module);
		mark_found(probes, module);
	}
	return module;
}

/* Where the file's addresses begin in the process. */
static bool find_bias(const char *path, const struct mapping *mapping, uint64_t *ret_bias)
{
	struct elf *elf = elf_open(path);
	uint64_t addr = elf ? elf_offset_addr(elf, mapping->offset) : 0;

	elf_free(elf);
	if (!addr)
		return false;
	*ret_bias = mapping->start - addr;
	return true;
}

/* What is remembered of a mapping that was looked at. */
static void *mapped_as(const struct mapping *mapping, bool has_sites)
{
	return (void *)(uintptr_t)(mapping->inode << 1 | has_sites);
}

static void scan_mapping(struct probes *probes, struct task *task, const struct maps *maps,
			 const struct mapping *mapping)
{
	struct probed *probed = probed_of(probes, task->proc);
	struct module *module;
	char path[4200];
	struct mapped in = { maps, mapping, 0 };
	struct stat st;

	/* What was planted there can be gone: the file was unmapped, and mapped again. */
	if (map_get(&probed->mapped, mapping->start) == mapped_as(mapping, false))
		return;
	module = module_of(probes, task, mapping);
	if (module && module->unprobed && !probed->blind) {
		probed->blind = true;
		probed->why_blind = own_printf("plaintext of TLS in %s cannot be seen: %s",
					       module->path, module->unprobed);
	}
	if (module && module->count && find_file(task, mapping, path, sizeof(path), &st) &&
	    find_bias(path, mapping, &in.bias) && !plant_module(probes, task, module, &in))
		return;
	map_put(&probed->mapped, mapping->start, mapped_as(mapping, module && module->count));
}

/* Nothing can be planted: it would be read as an instruction of the program, which would die of it. */
static void refuse(struct probes *probes, struct task *task, const char *translator)
{
	struct probed *probed = probed_of(probes, task->proc);

	if (probed->blind || probes->rows.no_tls)
		return;
	probed->blind = true;
	probed->why_blind = own_printf("plaintext of TLS cannot be seen: the program's code is not "
				       "run, but translated, by %s",
				       translator);
}

void probes_scan(struct probes *probes, struct task *task)
{
	const char *translator;
	struct maps maps;

	if (!probes_wanted(probes) || maps_read(task->tid, &maps))
		return;
	translator = maps_translator(&maps);
	if (translator)
		refuse(probes, task, translator);
	for (size_t i = 0; i < maps.count && !translator; i++)
		if (maps.items[i].flags[2] == 'x' && maps.items[i].inode &&
		    *maps.items[i].path == '/')
			scan_mapping(probes, task, &maps, &maps.items[i]);
	maps_done(&maps);
}
