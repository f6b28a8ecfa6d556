#include "code/elf.h"

#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <sys/stat.h>

#define PROGRAM "/bin/true"

static char *program;
static size_t program_len;

/* A nameless file with these bytes; its path in /proc lasts as long as it is open. */
static struct elf *open_bytes(const void *data, size_t len, int *ret_fd)
{
	char path[64];

	*ret_fd = unit_file();
	assert_int_equal(write(*ret_fd, data, len), len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *ret_fd);
	return elf_open(path);
}

/* Whatever the answers are, they must come. */
static void ask_everything(struct elf *elf)
{
	if (!elf)
		return;
	elf_needs(elf, "libc.so");
	elf_needs(elf, "");
	elf_exports(elf, "main");
	elf_exports(elf, "");
}

static void a_program(void **state)
{
	struct elf *elf = elf_open(PROGRAM);

	(void)state;
	assert_non_null(elf);
	assert_true(elf_needs(elf, "libc.so"));
	assert_true(elf_needs(elf, "libc.so.6"));
	assert_true(elf_needs(elf, ""));
	assert_false(elf_needs(elf, "libc.so.6.1"));
	assert_false(elf_needs(elf, "libnothing"));
	assert_false(elf_needs(elf, "ibc.so"));
	/* It uses abort, and does not define it. */
	assert_false(elf_exports(elf, "abort"));
	assert_false(elf_exports(elf, "no_such_symbol"));
	elf_free(elf);
}

/* More than one: this program itself, which is linked with what its tests need. */
static void many_needed(void **state)
{
	struct elf *elf = elf_open("/proc/self/exe");

	(void)state;
	assert_non_null(elf);
	assert_true(elf_needs(elf, "libcmocka.so"));
	assert_true(elf_needs(elf, "libelf.so"));
	assert_true(elf_needs(elf, "libc.so.6"));
	assert_false(elf_needs(elf, "libnothing"));
	elf_free(elf);
}

static void a_library(void **state)
{
	static const char *const paths[] = { "/lib/x86_64-linux-gnu/libc.so.6",
					     "/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6",
					     "/usr/lib/libc.so.6" };
	struct elf *elf = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(paths) && !elf; i++)
		elf = elf_open(paths[i]);
	if (!elf)
		skip();
	assert_true(elf_exports(elf, "abort"));
	assert_true(elf_exports(elf, "getsockopt"));
	assert_false(elf_exports(elf, "abor"));
	assert_false(elf_exports(elf, "aborts"));
	assert_false(elf_needs(elf, "libc.so"));
	elf_free(elf);
}

static void no_elf_files(void **state)
{
	static const struct {
		const char *data;
		size_t len;
	} files[] = {
		{ BYTES("") },
		{ BYTES("\x7f") },
		{ BYTES("#!/bin/sh\necho this is a script of some length, longer than a "
			"header\n") },
		{ BYTES("!<arch>\n") },
		{ BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0") },
	};
	struct elf *elf;
	int fd;

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		elf = open_bytes(files[i].data, files[i].len, &fd);
		CHECK(!elf, "row %zu", i);
		close(fd);
	}
	assert_null(elf_open("/nonexistent/file"));
	assert_null(elf_open("/tmp"));
	assert_null(elf_open("/dev/null"));
	assert_null(elf_open("/dev/zero"));
	assert_null(elf_open(""));
	elf_free(NULL);
}

/* Nobody writes to it: opening must not wait. */
static void a_fifo(void **state)
{
	char dir[] = "/tmp/unit-elf-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(elf_open(path));
	unlink(path);
	rmdir(dir);
}

static void cut_anywhere(void **state)
{
	int fd;

	(void)state;
	for (size_t len = 0; len < program_len; len += len < 512 ? 1 : 97) {
		struct elf *elf = open_bytes(program, len, &fd);

		CHECK(len >= sizeof(Elf64_Ehdr) || !elf || !elf_exports(elf, "main"), "%zu bytes",
		      len);
		ask_everything(elf);
		elf_free(elf);
		close(fd);
	}
}

static void broken_headers(void **state)
{
	char *copy = malloc(program_len);
	uint64_t seed = 11;
	int fd;

	(void)state;
	for (int round = 0; round < 400; round++) {
		Elf64_Ehdr *header = (Elf64_Ehdr *)copy;
		size_t at, size;
		struct elf *elf;

		memcpy(copy, program, program_len);
		at = header->e_shoff;
		size = program_len - at;
		/* The header and the table of sections are where offsets are. */
		for (int i = 0; i < 4; i++) {
			if (round % 2)
				copy[16 + unit_random(&seed) % 48] = (char)unit_random(&seed);
			else
				copy[at + unit_random(&seed) % size] = (char)unit_random(&seed);
		}
		elf = open_bytes(copy, program_len, &fd);
		ask_everything(elf);
		elf_free(elf);
		close(fd);
	}
	free(copy);
}

/* Sizes and offsets that are meant to run over. */
static void hostile_sections(void **state)
{
	static const uint64_t values[] = { 0, 1, 7, 0x7fffffff, 0xffffffff, INT64_MAX, UINT64_MAX };
	char *copy = malloc(program_len);
	int fd;

	(void)state;
	for (size_t v = 0; v < COUNT(values); v++) {
		for (int field = 0; field < 5; field++) {
			Elf64_Ehdr *header = (Elf64_Ehdr *)copy;
			Elf64_Shdr *sections;
			struct elf *elf;

			memcpy(copy, program, program_len);
			sections = (Elf64_Shdr *)(copy + header->e_shoff);
			for (int i = 0; i < header->e_shnum; i++) {
				if (field == 0)
					sections[i].sh_offset = values[v];
				if (field == 1)
					sections[i].sh_size = values[v];
				if (field == 2)
					sections[i].sh_entsize = values[v];
				if (field == 3)
					sections[i].sh_link = (uint32_t)values[v];
				if (field == 4)
					sections[i].sh_addralign = values[v];
			}
			elf = open_bytes(copy, program_len, &fd);
			ask_everything(elf);
			elf_free(elf);
			close(fd);
		}
	}
	free(copy);
}

static int fd_before;

static int note_fd(void **state)
{
	(void)state;
	fd_before = unit_lowest_free();
	return 0;
}

static int compare_fd(void **state)
{
	(void)state;
	return unit_lowest_free() != fd_before;
}

static int load(void **state)
{
	int fd = open(PROGRAM, O_RDONLY | O_CLOEXEC);

	(void)state;
	if (fd < 0)
		return -1;
	program = unit_content(fd, &program_len);
	close(fd);
	return memcmp(program, ELFMAG, SELFMAG) || program[EI_CLASS] != ELFCLASS64;
}

static int unload(void **state)
{
	(void)state;
	free(program);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_program, note_fd, compare_fd),
		cmocka_unit_test_setup_teardown(many_needed, note_fd, compare_fd),
		cmocka_unit_test_setup_teardown(a_library, note_fd, compare_fd),
		cmocka_unit_test_setup_teardown(no_elf_files, note_fd, compare_fd),
		cmocka_unit_test_setup_teardown(a_fifo, note_fd, compare_fd),
		cmocka_unit_test_setup_teardown(cut_anywhere, note_fd, compare_fd),
		cmocka_unit_test_setup_teardown(broken_headers, note_fd, compare_fd),
		cmocka_unit_test_setup_teardown(hostile_sections, note_fd, compare_fd),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
