#include "base/own.h"

#include "unit.h"

#include <errno.h>
#include <sys/wait.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void memory(void **state)
{
	char *zeroed auto_free = own_zalloc(100), *one auto_free = own_alloc(0);
	char *grown auto_free = own_realloc(NULL, 10), *copy auto_free = own_strdup("text");
	char *printed auto_free = own_printf("%d-%s", 7, copy), *none auto_free = NULL;

	(void)state;
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(zeroed[i], 0);
	assert_non_null(one);
	memset(grown, 'x', 10);
	grown = own_realloc(grown, 10000);
	assert_memory_equal(grown, "xxxxxxxxxx", 10);
	assert_string_equal(copy, "text");
	assert_string_equal(printed, "7-text");
	assert_null(none);
}

static char *hand_over(const char *text)
{
	char *copy auto_free = own_strdup(text);

	return take_ptr(&copy);
}

static void taken_memory_is_the_callers(void **state)
{
	char *text = hand_over("mine");

	(void)state;
	assert_string_equal(text, "mine");
	free(text);
}

static void descriptors_are_closed(void **state)
{
	int before;

	(void)state;
	{
		int fd auto_close = open("/dev/null", O_RDONLY | O_CLOEXEC), none auto_close = -1;

		before = fd;
		assert_true(is_open(before));
		assert_int_equal(none, -1);
	}
	assert_false(is_open(before));
}

/* A program without standard input can have it. */
static void descriptor_zero_is_one(void **state)
{
	int before = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);

	(void)state;
	close(STDIN_FILENO);
	{
		int fd auto_close = open("/dev/null", O_RDONLY | O_CLOEXEC);

		assert_int_equal(fd, STDIN_FILENO);
	}
	assert_false(is_open(STDIN_FILENO));
	if (before >= 0) {
		dup2(before, STDIN_FILENO);
		close(before);
	}
}

static int open_null(void)
{
	int fd auto_close = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return take_fd(&fd);
}

static void taken_descriptors_stay_open(void **state)
{
	int fd = open_null();

	(void)state;
	assert_true(is_open(fd));
	close(fd);
}

static void take_empties_the_variable(void **state)
{
	int number = 5, fd = 7;
	void *ptr = &number;

	(void)state;
	assert_ptr_equal(take_ptr(&ptr), &number);
	assert_null(ptr);
	assert_int_equal(take_fd(&fd), 7);
	assert_int_equal(fd, -1);
}

static void without_memory_it_ends(void **state)
{
#ifdef SANITIZED
	(void)state;
	skip();
#else
	volatile size_t huge = SIZE_MAX / 2;
	char text[64] = "";
	int out[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (!pid) {
		dup2(out[1], STDERR_FILENO);
		own_alloc(huge);
		_exit(0);
	}
	close(out[1]);
	assert_true(read(out[0], text, sizeof(text) - 1) > 0);
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 125);
	assert_string_equal(text, "iotrace: out of memory\n");
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory),
		cmocka_unit_test(taken_memory_is_the_callers),
		cmocka_unit_test(descriptors_are_closed),
		cmocka_unit_test(descriptor_zero_is_one),
		cmocka_unit_test(taken_descriptors_stay_open),
		cmocka_unit_test(take_empties_the_variable),
		cmocka_unit_test(without_memory_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
