/* The only file that knows libdw. */
#include "code/unwind.h"

#include "base/own.h"

#include <elfutils/libdwfl.h>
#include <string.h>

struct unwind {
	Dwfl *dwfl;
	pid_t pid;
};

static char *no_debug_path = "";

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_linux_proc_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.debuginfo_path = &no_debug_path,
};

static bool report(struct unwind *unwind)
{
	dwfl_report_begin_add(unwind->dwfl);
	return !dwfl_linux_proc_report(unwind->dwfl, unwind->pid) &&
	       !dwfl_report_end(unwind->dwfl, NULL, NULL);
}

struct unwind *unwind_new(pid_t pid)
{
	struct unwind *unwind = own_zalloc(sizeof(*unwind));

	unwind->pid = pid;
	unwind->dwfl = dwfl_begin(&callbacks);
	if (unwind->dwfl && report(unwind) && !dwfl_linux_proc_attach(unwind->dwfl, pid, true))
		return unwind;
	unwind_free(unwind);
	return NULL;
}

void unwind_free(struct unwind *unwind)
{
	if (!unwind)
		return;
	if (unwind->dwfl)
		dwfl_end(unwind->dwfl);
	free(unwind);
}

struct walk {
	struct unwind *unwind;
	struct buf *buf;
	int frames;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void add_frame(struct walk *walk, Dwarf_Addr pc, bool is_activation)
{
	Dwarf_Addr look = is_activation ? pc : pc - 1, start = 0;
	Dwfl_Module *module = dwfl_addrmodule(walk->unwind->dwfl, look);
	const char *name, *file;
	Dwfl_Line *line;
	GElf_Off offset;
	GElf_Sym sym;
	int number;

	/* A library that was loaded since. */
	if (!module && report(walk->unwind))
		module = dwfl_addrmodule(walk->unwind->dwfl, look);
	if (!module) {
		buf_addf(walk->buf, "0x%lx\n", (unsigned long)pc);
		return;
	}
	name = dwfl_module_addrinfo(module, look, &offset, &sym, NULL, NULL, NULL);
	if (!name) {
		name = dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
		buf_addf(walk->buf, "%s+0x%lx\n", name ? base_name(name) : "?",
			 (unsigned long)(pc - start));
		return;
	}
	buf_addf(walk->buf, "%s+0x%lx", name, (unsigned long)(offset + (pc - look)));
	line = dwfl_module_getsrc(module, look);
	file = line ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
	if (file)
		buf_addf(walk->buf, " (%s:%d)", base_name(file), number);
	buf_addc(walk->buf, '\n');
}

static int each_frame(Dwfl_Frame *frame, void *ctx)
{
	struct walk *walk = ctx;
	bool is_activation;
	Dwarf_Addr pc;

	if (!dwfl_frame_pc(frame, &pc, &is_activation) || walk->frames++ >= UNWIND_FRAMES)
		return DWARF_CB_ABORT;
	add_frame(walk, pc, is_activation);
	return DWARF_CB_OK;
}

void unwind_add(struct unwind *unwind, pid_t tid, struct buf *buf)
{
	struct walk walk = { unwind, buf, 0 };

	dwfl_getthread_frames(unwind->dwfl, tid, each_frame, &walk);
}
