#include "sink/out.h"

#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[64];

/* A name in the test's own directory; valid until the next call. */
static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static char *content_of(const char *name, size_t *ret_len)
{
	int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
	char *text;

	CHECK(fd >= 0, "%s", name);
	text = unit_content(fd, ret_len);
	close(fd);
	return text;
}

static void expect_content(const char *name, const char *expected)
{
	char *text = content_of(name, NULL);

	assert_string_equal(text, expected);
	free(text);
}

static struct out *open_out(const char *name)
{
	int error = 1;
	struct out *out = out_open(name, -1, &error);

	CHECK(out && !error, "%s: %s", name, strerror(-error));
	return out;
}

/* The command's standard output is that file. */
static struct out *open_command(const char *command, const char *file)
{
	char name[512];

	snprintf(name, sizeof(name), "|{ %s; } >%s 2>/dev/null", command, path_of(file));
	return open_out(name);
}

/* Bytes that are the same at no two places near each other. */
static char *pattern(size_t len)
{
	char *data = malloc(len);
	uint64_t seed = 23;

	for (size_t i = 0; i < len; i++)
		data[i] = (char)unit_random(&seed);
	return data;
}

static void files_are_private(void **state)
{
	mode_t before = umask(0);
	struct out *out;
	struct stat st;
	int fd;

	(void)state;
	fd = unit_lowest_free();
	out = open_out(path_of("private"));
	umask(before);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_string_equal(out_name(out), path_of("private"));
	assert_false(out_is_terminal(out));
	buf_adds(out_buf(out), "a long secret\n");
	assert_int_equal(out_close(out), 0);
	expect_content("private", "a long secret\n");
	assert_int_equal(unit_lowest_free(), fd);
	/* Again: what was in it is gone. */
	out = open_out(path_of("private"));
	out_write(out, "new", 3);
	assert_int_equal(out_close(out), 0);
	expect_content("private", "new");
}

static void what_cannot_be_opened(void **state)
{
	static const struct {
		const char *name;
		int error;
	} cases[] = {
		{ "/nonexistent/file", -ENOENT },
		{ "", -ENOENT },
		{ "/", -EISDIR },
		{ "/dev/null/x", -ENOTDIR },
	};
	int fd = unit_lowest_free(), error;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		error = 0;
		assert_null(out_open(cases[i].name, -1, &error));
		CHECK(error == cases[i].error, "%s: %d", cases[i].name, error);
	}
	assert_int_equal(unit_lowest_free(), fd);
	assert_int_equal(out_close(NULL), 0);
}

static void descriptors_stay_the_callers(void **state)
{
	int fd = unit_file(), error = 1;
	struct out *out = out_open("-", fd, &error);

	(void)state;
	assert_int_equal(error, 0);
	assert_string_equal(out_name(out), "standard output");
	buf_adds(out_buf(out), "one\n");
	assert_int_equal(out_close(out), 0);
	out = out_from_fd(fd, "a name");
	assert_string_equal(out_name(out), "a name");
	buf_adds(out_buf(out), "two\n");
	assert_int_equal(out_close(out), 0);
	unit_expect_text(fd, "one\ntwo\n");
}

static void buffered_until_there_is_enough(void **state)
{
	int fd = unit_file();
	struct out *out = out_from_fd(fd, "test");
	struct stat st;
	char *data = pattern(200000);

	(void)state;
	buf_add(out_buf(out), data, 1000);
	out_commit(out);
	assert_int_equal(out_written(out), 0);
	out_flush(out);
	assert_int_equal(out_written(out), 1000);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 1000);
	buf_add(out_buf(out), data, 200000);
	assert_int_equal(out_written(out), 1000);
	out_commit(out);
	assert_int_equal(out_written(out), 201000);
	assert_int_equal(out_buf(out)->len, 0);
	out_flush(out);
	assert_int_equal(out_written(out), 201000);
	assert_int_equal(out_close(out), 0);
	free(data);
	close(fd);
}

static void order_is_kept(void **state)
{
	static const size_t lengths[] = { 10, 100000, 5, 65535, 65536, 1, 300000, 7 };
	int fd = unit_file();
	struct out *out = out_from_fd(fd, "test");
	size_t total = 0, at = 0, len;
	char *data, *written;

	(void)state;
	for (size_t i = 0; i < COUNT(lengths); i++)
		total += lengths[i];
	data = pattern(total);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		if (i % 3)
			out_write(out, data + at, lengths[i]);
		else
			buf_add(out_buf(out), data + at, lengths[i]);
		at += lengths[i];
	}
	assert_int_equal(out_close(out), 0);
	written = unit_content(fd, &len);
	assert_int_equal(len, total);
	assert_memory_equal(written, data, total);
	free(written);
	free(data);
	close(fd);
}

static void a_full_disk(void **state)
{
	struct out *out = open_out("/dev/full");

	(void)state;
	buf_adds(out_buf(out), "lost");
	assert_int_equal(out_error(out), 0);
	out_flush(out);
	assert_int_equal(out_error(out), -ENOSPC);
	buf_adds(out_buf(out), "more");
	out_flush(out);
	out_write(out, "more", 4);
	assert_int_equal(out_written(out), 0);
	assert_int_equal(out_close(out), -ENOSPC);
	/* Also where closing is what finds it. */
	out = open_out("/dev/full");
	out_write(out, "lost", 4);
	assert_int_equal(out_close(out), -ENOSPC);
}

static void nobody_reads(void **state)
{
	int ends[2];
	struct out *out;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	out = out_from_fd(ends[1], "pipe");
	close(ends[0]);
	out_write(out, "lost", 4);
	out_flush(out);
	assert_int_equal(out_error(out), -EPIPE);
	assert_int_equal(out_close(out), -EPIPE);
	close(ends[1]);
}

struct slow_reader {
	int fd;
	char *data;
	size_t len;
};

static void *read_slowly(void *ctx)
{
	struct slow_reader *reader = ctx;
	struct timespec pause = { .tv_nsec = 2000000 };
	ssize_t n;

	do {
		nanosleep(&pause, NULL);
		n = read(reader->fd, reader->data + reader->len, 50000);
		reader->len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	return NULL;
}

/* Somebody else's terminal or pipe can be in that mode. */
static void a_pipe_that_does_not_block(void **state)
{
	const size_t len = 500000;
	struct slow_reader reader = { .data = malloc(len + 50000) };
	char *data = pattern(len);
	struct out *out;
	pthread_t thread;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	reader.fd = ends[0];
	assert_int_equal(pthread_create(&thread, NULL, read_slowly, &reader), 0);
	out = out_from_fd(ends[1], "pipe");
	out_write(out, data, len);
	assert_int_equal(out_close(out), 0);
	close(ends[1]);
	pthread_join(thread, NULL);
	assert_int_equal(reader.len, len);
	assert_memory_equal(reader.data, data, len);
	close(ends[0]);
	free(reader.data);
	free(data);
}

static void a_command_gets_all(void **state)
{
	const size_t len = 1000000;
	char *data = pattern(len), *written;
	int fd = unit_lowest_free();
	struct out *out = open_command("cat", "all");
	size_t written_len;

	(void)state;
	out_write(out, data, len);
	buf_adds(out_buf(out), "the end");
	assert_int_equal(out_close(out), 0);
	written = content_of("all", &written_len);
	assert_int_equal(written_len, len + 7);
	assert_memory_equal(written, data, len);
	assert_string_equal(written + len, "the end");
	assert_int_equal(unit_lowest_free(), fd);
	free(written);
	free(data);
}

static void a_command_is_waited_for(void **state)
{
	struct out *out = open_command("cat; sleep 0.1; echo ready", "waited");

	(void)state;
	out_write(out, "text ", 5);
	assert_int_equal(out_close(out), 0);
	expect_content("waited", "text ready\n");
}

/* The tracer waits for any child: a command must not be one. */
static void a_command_is_no_child(void **state)
{
	struct out *out = open_command("cat", "none");

	(void)state;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	assert_int_equal(out_close(out), 0);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void a_command_that_ends_early(void **state)
{
	char *data = pattern(1 << 20);
	struct out *out = open_command("exit 3", "early");

	(void)state;
	out_write(out, data, 1 << 20);
	assert_int_equal(out_close(out), -EPIPE);
	free(data);
}

/* It has its own session, our signals' usual state, and none of our files. */
static void a_command_starts_clean(void **state)
{
	struct out *other = open_out(path_of("other")), *out;
	char session[32], pid[32], *text;
	unsigned long blocked, ignored;
	sigset_t all, before;

	(void)state;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	out = open_command("cut -d' ' -f6 /proc/$$/stat; echo $$; "
			   "grep ^SigBlk: /proc/self/status; grep ^SigIgn: /proc/self/status; "
			   "readlink /proc/$$/fd/*",
			   "clean");
	sigprocmask(SIG_SETMASK, &before, NULL);
	assert_int_equal(out_close(out), 0);
	text = content_of("clean", NULL);
	assert_int_equal(
		sscanf(text, "%31s %31s SigBlk: %lx SigIgn: %lx", session, pid, &blocked, &ignored),
		4);
	assert_string_equal(session, pid);
	assert_int_equal(blocked, 0);
	assert_int_equal(ignored & 1UL << (SIGPIPE - 1), 0);
	assert_null(strstr(text, path_of("other")));
	free(text);
	assert_int_equal(out_close(other), 0);
}

/* There are descriptors for one pipe, and not for the second. */
static void a_failed_start_leaks_nothing(void **state)
{
	int fd = unit_lowest_free(), error = 0;
	struct rlimit before, limit;
	struct out *out;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)fd + 2;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	out = out_open("|cat", -1, &error);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_null(out);
	assert_int_equal(error, -EMFILE);
	assert_int_equal(unit_lowest_free(), fd);
}

static void terminals(void **state)
{
	int leader = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct out *out;

	(void)state;
	if (leader < 0)
		skip();
	out = out_from_fd(leader, "terminal");
	assert_true(out_is_terminal(out));
	assert_int_equal(out_close(out), 0);
	close(leader);
}

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/unit-out-XXXXXX");
	return !mkdtemp(dir);
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "private", "all",   "waited", "none",
					     "early",   "clean", "other" };

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		unlink(path_of(names[i]));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_private),
		cmocka_unit_test(what_cannot_be_opened),
		cmocka_unit_test(descriptors_stay_the_callers),
		cmocka_unit_test(buffered_until_there_is_enough),
		cmocka_unit_test(order_is_kept),
		cmocka_unit_test(a_full_disk),
		cmocka_unit_test(nobody_reads),
		cmocka_unit_test(a_pipe_that_does_not_block),
		cmocka_unit_test(a_command_gets_all),
		cmocka_unit_test(a_command_is_waited_for),
		cmocka_unit_test(a_command_is_no_child),
		cmocka_unit_test(a_command_that_ends_early),
		cmocka_unit_test(a_command_starts_clean),
		cmocka_unit_test(a_failed_start_leaks_nothing),
		cmocka_unit_test(terminals),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
