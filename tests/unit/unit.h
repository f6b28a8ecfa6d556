/* What every unit test needs: cmocka with the headers it asks for, tables, and files to look into. */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A literal with NULs in it: its bytes and their number. */
#define BYTES(literal) (literal), sizeof(literal) - 1

/* An assertion in a loop, which says what the loop was at. */
#define CHECK(ok, ...)                             \
	do {                                       \
		if (!(ok)) {                       \
			print_error("%s: ", #ok);  \
			print_error(__VA_ARGS__);  \
			print_error("\n");         \
			_fail(__FILE__, __LINE__); \
		}                                  \
	} while (0)

/* The same numbers on every machine and in every run (Knuth's MMIX constants). */
static inline uint32_t unit_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33);
}

/* A file without a name. */
static inline int unit_file(void)
{
	int fd = memfd_create("unit", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* All that was written to it so far, with a NUL behind; the caller frees it. */
static inline char *unit_content(int fd, size_t *ret_len)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text;

	assert_true(size >= 0);
	text = malloc((size_t)size + 1);
	assert_non_null(text);
	assert_int_equal(pread(fd, text, (size_t)size, 0), size);
	text[size] = '\0';
	if (ret_len)
		*ret_len = (size_t)size;
	return text;
}

/* The number that the next descriptor gets; the same as before where none was left open. */
static inline int unit_lowest_free(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

/* The file's text is this; it is closed. */
static inline void unit_expect_text(int fd, const char *expected)
{
	char *text = unit_content(fd, NULL);

	assert_string_equal(text, expected);
	free(text);
	close(fd);
}

#endif
