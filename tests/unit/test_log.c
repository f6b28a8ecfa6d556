#include "base/log.h"

#include "unit.h"

#include <errno.h>

static void plain_lines(void **state)
{
	int fd = unit_file();

	(void)state;
	log_set_fd(fd);
	log_error("%s and %d", "text", 5);
	assert_int_equal(log_errno(ENOENT, "cannot open %s", "x"), -ENOENT);
	log_set_fd(STDERR_FILENO);
	unit_expect_text(fd, "iotrace: text and 5\n"
			     "iotrace: cannot open x: No such file or directory\n");
}

static void controls_are_escaped(void **state)
{
	int fd = unit_file();

	(void)state;
	log_set_fd(fd);
	log_error("%s", "\x1b[2J\r\t\x7f \xc2\x9b \xe2\x80\xae \xff gr\xc3\xbc\xc3\x9f");
	log_set_fd(STDERR_FILENO);
	unit_expect_text(fd, "iotrace: \\x1b[2J\\x0d\\x09\\x7f \\xc2\\x9b \\xe2\\x80\\xae \\xff "
			     "gr\xc3\xbc\xc3\x9f\n");
}

/* A name with a line break in it must not begin a line of its own. */
static void names_start_no_line(void **state)
{
	int fd = unit_file();

	(void)state;
	log_set_fd(fd);
	log_error("cannot execute %s", "x\niotrace: all is well");
	log_set_fd(STDERR_FILENO);
	unit_expect_text(fd, "iotrace: cannot execute x\\x0aiotrace: all is well\n");
}

static void a_character_cut_at_the_end(void **state)
{
	int fd = unit_file();

	(void)state;
	log_set_fd(fd);
	log_error("cut %s", "\xe2\x82");
	log_set_fd(STDERR_FILENO);
	unit_expect_text(fd, "iotrace: cut \\xe2\\x82\n");
}

/* Standard error can be closed, or a pipe that is full: a message must not keep us. */
static void nowhere_to_write(void **state)
{
	char *word = calloc(1, 100001);
	int ends[2], size;

	(void)state;
	log_set_fd(-1);
	log_error("lost");
	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	size = fcntl(ends[1], F_GETPIPE_SZ);
	memset(word, 'w', 100000);
	log_set_fd(ends[1]);
	log_error("%s", word);
	log_set_fd(STDERR_FILENO);
	assert_int_equal(read(ends[0], word, 100000), size < 100000 ? size : 100000);
	close(ends[0]);
	close(ends[1]);
	free(word);
}

static void long_message_is_whole(void **state)
{
	int fd = unit_file();
	char *word = malloc(100001), *text;
	size_t len;

	(void)state;
	memset(word, 'w', 100000);
	word[100000] = '\0';
	log_set_fd(fd);
	log_error("%s", word);
	log_set_fd(STDERR_FILENO);
	text = unit_content(fd, &len);
	assert_int_equal(len, 100000 + strlen("iotrace: \n"));
	free(text);
	free(word);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_lines),
		cmocka_unit_test(controls_are_escaped),
		cmocka_unit_test(names_start_no_line),
		cmocka_unit_test(long_message_is_whole),
		cmocka_unit_test(a_character_cut_at_the_end),
		cmocka_unit_test(nowhere_to_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
