#include "base/proc.h"

#include "unit.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* The pid of a process that was there and is gone. */
static pid_t gone_pid(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void reads_files(void **state)
{
	int fd = unit_file();
	char path[64], data[32];

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(proc_read_file(path, data, sizeof(data)), 0);
	assert_string_equal(data, "");
	assert_int_equal(write(fd, "hello\0you", 9), 9);
	assert_int_equal(proc_read_file(path, data, sizeof(data)), 9);
	assert_memory_equal(data, "hello\0you", 10);
	for (size_t cap = 1; cap < 12; cap++) {
		memset(data, 'x', sizeof(data));
		assert_int_equal(proc_read_file(path, data, cap), cap > 9 ? 9 : cap - 1);
		assert_int_equal(data[cap > 9 ? 9 : cap - 1], 0);
		assert_int_equal(data[cap], 'x');
	}
	close(fd);
	assert_int_equal(proc_read_file("/nonexistent/file", data, sizeof(data)), -ENOENT);
	assert_int_equal(proc_read_file("/proc", data, sizeof(data)), -EISDIR);
}

/* /proc hands out a page at a time. */
static void reads_what_takes_many_reads(void **state)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = 400;
	char *map = mmap(NULL, pages * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *text = malloc(1 << 20), *line;
	size_t lines = 0;
	ssize_t n;

	(void)state;
	assert_true(map != MAP_FAILED);
	for (size_t i = 0; i < pages; i += 2)
		assert_int_equal(mprotect(map + i * page, page, PROT_READ), 0);
	n = proc_read(getpid(), "maps", text, 1 << 20);
	assert_true(n > (ssize_t)page);
	assert_int_equal(strlen(text), n);
	for (line = strchr(text, '\n'); line; line = strchr(line + 1, '\n'))
		lines++;
	assert_true(lines >= pages);
	free(text);
	munmap(map, pages * page);
}

static void status_numbers(void **state)
{
	pid_t gone = gone_pid();
	int64_t result;

	(void)state;
	assert_int_equal(proc_status(getpid(), "Pid"), getpid());
	assert_int_equal(proc_status(getpid(), "Tgid"), getpid());
	assert_int_equal(proc_status(getpid(), "PPid"), getppid());
	assert_int_equal(proc_status(getpid(), "TracerPid"), 0);
	assert_int_equal(proc_status(getpid(), "Pi"), -ENOENT);
	assert_int_equal(proc_status(getpid(), "NoSuchKey"), -ENOENT);
	assert_int_equal(proc_status(getpid(), ""), -ENOENT);
	result = proc_status(gone, "Pid");
	assert_true(result == -ENOENT || result == -ESRCH);
}

static void status_with_hostile_name(void **state)
{
	char before[16];

	(void)state;
	prctl(PR_GET_NAME, before);
	prctl(PR_SET_NAME, "x\nTgid:\t1");
	assert_int_equal(proc_status(getpid(), "Tgid"), getpid());
	prctl(PR_SET_NAME, before);
}

static void links(void **state)
{
	char text[4096], expected[4096], cut[8];
	ssize_t n = readlink("/proc/self/exe", expected, sizeof(expected) - 1);

	(void)state;
	assert_true(n > 7);
	expected[n] = '\0';
	assert_int_equal(proc_link(getpid(), "exe", text, sizeof(text)), n);
	assert_string_equal(text, expected);
	assert_int_equal(proc_link(getpid(), "exe", cut, sizeof(cut)), 7);
	assert_int_equal(strlen(cut), 7);
	assert_memory_equal(cut, expected, 7);
	assert_int_equal(proc_link(getpid(), "nothing", text, sizeof(text)), -ENOENT);
}

static void socket_inodes(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), file = unit_file();
	int copy = dup(fd);
	struct stat st;

	(void)state;
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(proc_socket_inode(getpid(), fd), st.st_ino);
	assert_int_equal(proc_socket_inode(getpid(), copy), st.st_ino);
	assert_int_equal(proc_socket_inode(getpid(), file), 0);
	close(fd);
	close(copy);
	close(file);
	assert_int_equal(proc_socket_inode(getpid(), fd), -ENOENT);
	assert_int_equal(proc_socket_inode(getpid(), -1), -ENOENT);
}

struct numbers {
	int wanted;
	int hits, all;
};

static void count(void *ctx, int number)
{
	struct numbers *numbers = ctx;

	numbers->all++;
	numbers->hits += number == numbers->wanted;
}

static void ignore(int sig)
{
	(void)sig;
}

static void signals(void **state)
{
	struct proc_signals signals;
	sigset_t set, before;
	int result;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &before);
	signal(SIGWINCH, ignore);
	raise(SIGUSR1);
	kill(getpid(), SIGUSR2);
	assert_int_equal(proc_signals(getpid(), &signals), 0);
	assert_int_equal(signals.own, PROC_SIGNAL(SIGUSR1));
	assert_int_equal(signals.shared, PROC_SIGNAL(SIGUSR2));
	assert_true(signals.blocked & PROC_SIGNAL(SIGUSR1));
	assert_false(signals.blocked & PROC_SIGNAL(SIGWINCH));
	assert_true(signals.caught & PROC_SIGNAL(SIGWINCH));
	assert_false(signals.caught & PROC_SIGNAL(SIGUSR1));
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	assert_int_equal(proc_signals(getpid(), &signals), 0);
	assert_true(signals.ignored & PROC_SIGNAL(SIGUSR1));
	assert_false(signals.ignored & PROC_SIGNAL(SIGWINCH));
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	signal(SIGWINCH, SIG_DFL);
	result = proc_signals(gone_pid(), &signals);
	assert_true(result == -ENOENT || result == -ESRCH);
}

static void directories(void **state)
{
	static const int wanted[] = { 9, 10, 99 };
	struct numbers tasks = { .wanted = getpid() }, none = { 0 }, zero = { 0 };
	int result;

	(void)state;
	for (size_t i = 0; i < COUNT(wanted); i++) {
		struct numbers fds = { .wanted = wanted[i] };

		assert_true(dup2(STDERR_FILENO, wanted[i]) >= 0);
		assert_int_equal(proc_each(getpid(), "fd", count, &fds), 0);
		assert_int_equal(fds.hits, 1);
		close(wanted[i]);
		assert_int_equal(proc_each(getpid(), "fd", count, &fds), 0);
		/* The directory that is being read can have got that number. */
		assert_true(fds.hits == 1 || wanted[i] == unit_lowest_free());
	}
	assert_int_equal(proc_each(getpid(), "fd", count, &zero), 0);
	assert_int_equal(zero.hits, 1); /* standard input, or the directory itself */
	assert_int_equal(proc_each(getpid(), "task", count, &tasks), 0);
	assert_int_equal(tasks.hits, 1);
	/* "." and ".." are no numbers. */
	assert_int_equal(tasks.all, 1);
	result = proc_each(gone_pid(), "task", count, &none);
	assert_true(result == -ENOENT || result == -ESRCH);
	assert_int_equal(none.all, 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_files, note_fd, compare_fd),
		cmocka_unit_test_setup_teardown(reads_what_takes_many_reads, note_fd, compare_fd),
		cmocka_unit_test_setup_teardown(status_numbers, note_fd, compare_fd),
		cmocka_unit_test_setup_teardown(status_with_hostile_name, note_fd, compare_fd),
		cmocka_unit_test_setup_teardown(links, note_fd, compare_fd),
		cmocka_unit_test_setup_teardown(socket_inodes, note_fd, compare_fd),
		cmocka_unit_test_setup_teardown(signals, note_fd, compare_fd),
		cmocka_unit_test_setup_teardown(directories, note_fd, compare_fd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
