/*
 * LeakSanitizer stops its own threads with ptrace when a program ends; under another tracer that
 * fails and the program ends with an error. It is better to hear of that at the start.
 */
#include "base/own.h"
#include "base/proc.h"
#include "capture/state.h"
#include "code/elf.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The answer per file, as a build runs the same programs again and again. */
static bool has_lsan(struct capture *capture, const char *path)
{
	static char yes, no;
	struct elf *elf;
	struct stat st;
	uint64_t key;
	void *known;
	bool found;

	if (stat(path, &st))
		return false;
	key = (uint64_t)st.st_ino ^ (uint64_t)st.st_dev << 40 ^ (uint64_t)st.st_mtim.tv_nsec << 20;
	known = map_get(&capture->lsan_files, key);
	if (known)
		return known == &yes;
	elf = elf_open(path);
	if (!elf)
		return false;
	/* gcc links the run-time dynamically, clang puts it into the program and exports it. */
	found = elf_needs(elf, "libasan.so") || elf_needs(elf, "liblsan.so") ||
		elf_exports(elf, "__lsan_do_leak_check");
	elf_free(elf);
	map_put(&capture->lsan_files, key, found ? &yes : &no);
	return found;
}

static bool leaks_off(struct task *task)
{
	char *env auto_free = own_alloc(64U << 10);
	ssize_t len = proc_read(task->tid, "environ", env, 64U << 10);

	return len > 0 && memmem(env, (size_t)len, "detect_leaks=0", strlen("detect_leaks=0"));
}

void lsan_check(struct capture *capture, struct task *task)
{
	char path[64];

	if (capture->options.lsan_off)
		return;
	snprintf(path, sizeof(path), "/proc/%d/exe", task->tid);
	if (!has_lsan(capture, path) || leaks_off(task))
		return;
	emit_note(
		capture, task,
		"this program is built with LeakSanitizer, which cannot work under any tracer and "
		"lets the program end with an error; run with --lsan-off to switch it off");
}
