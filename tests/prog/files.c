/* Everything that is read and written (--all-fds): files, pipes and terminals, with their paths. */
#include "expect.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Only these are looked at, as the program's own output would be events, too. */
#define FILE_FD 100
#define READ_FD 101
#define PIPE_FD 102
#define TTY_FD  103

static const char *proto;
static char path[200];

static void moved(int fd, const char *dir, const char *call, const char *text)
{
	want("'type':'data','fd':%d,'conn':null,'local':null,'remote':null,'proto':'%s','path':'%s'"
	     ","
	     "'dir':'%s','layer':'wire','call':'%s','len':%zu,'text':'%s'",
	     fd, proto, path, dir, call, strlen(text), text);
}

static void file(void)
{
	struct iovec iov = { (char[]){ "ghi" }, 3 };
	char got[20];
	int fd;

	proto = "file";
	snprintf(path, sizeof(path), "/tmp/iotrace-files-%d", getpid());
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	check(fd >= 0 && dup2(fd, FILE_FD) == FILE_FD && !close(fd));
	check(write(FILE_FD, "abc", 3) == 3);
	moved(FILE_FD, "out", "write", "abc");
	check(pwrite(FILE_FD, "def", 3, 3) == 3);
	moved(FILE_FD, "out", "pwrite64", "def");
	check(pwritev(FILE_FD, &iov, 1, 6) == 3);
	moved(FILE_FD, "out", "pwritev", "ghi");
	check(pread(FILE_FD, got, 4, 1) == 4);
	moved(FILE_FD, "in", "pread64", "bcde");
	iov = (struct iovec){ got, 5 };
	check(preadv(FILE_FD, &iov, 1, 4) == 5);
	moved(FILE_FD, "in", "preadv", "efghi");
	check(!lseek(FILE_FD, 0, SEEK_SET));
	check(read(FILE_FD, got, sizeof(got)) == 9);
	moved(FILE_FD, "in", "read", "abcdefghi");
	unlink(path);
	close(FILE_FD);
}

static void pipes(void)
{
	struct iovec iov = { (char[]){ "spliced" }, 7 };
	struct stat st;
	char got[20];
	int fds[2];

	proto = "pipe";
	check(!pipe(fds) && dup2(fds[0], READ_FD) == READ_FD && dup2(fds[1], PIPE_FD) == PIPE_FD);
	check(!close(fds[0]) && !close(fds[1]) && !fstat(READ_FD, &st));
	snprintf(path, sizeof(path), "pipe:[%llu]", (unsigned long long)st.st_ino);
	check(write(PIPE_FD, "through", 7) == 7);
	moved(PIPE_FD, "out", "write", "through");
	check(read(READ_FD, got, sizeof(got)) == 7);
	moved(READ_FD, "in", "read", "through");
	check(vmsplice(PIPE_FD, &iov, 1, 0) == 7);
	moved(PIPE_FD, "out", "vmsplice", "spliced");
	check(read(READ_FD, got, sizeof(got)) == 7);
	moved(READ_FD, "in", "read", "spliced");
}

static void terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

	if (master < 0 || grantpt(master) || unlockpt(master))
		return;
	proto = "tty";
	snprintf(path, sizeof(path), "%s", ptsname(master));
	slave = open(path, O_RDWR | O_NOCTTY);
	check(slave >= 0 && dup2(slave, TTY_FD) == TTY_FD && !close(slave));
	check(write(TTY_FD, "shown", 5) == 5);
	moved(TTY_FD, "out", "write", "shown");
}

int main(void)
{
	settings("'options':['--all-fds','--fd','100-103']");
	file();
	pipes();
	terminal();
	return 0;
}
