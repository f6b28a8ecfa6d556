/*
 * A socket that is handed to a process that has none of its own: it is the same socket there.
 * Argument: rights (SCM_RIGHTS), several (more than one, in one message, closed on exec), getfd
 * (pidfd_getfd), closed (whoever passes it has closed it before it is taken), again (one after the other,
 * where they get the number of what was a file before).
 */
#include "expect.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST 3

static int local[2], gate[2];
static char got[100];
static const char *const names[MOST] = { "0", "1", "2" };

struct letter {
	struct msghdr msg;
	struct iovec iov;
	char byte;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(MOST * sizeof(int))];
};

static void write_letter(struct letter *letter, int count)
{
	memset(letter, 0, sizeof(*letter));
	letter->iov = (struct iovec){ &letter->byte, 1 };
	letter->msg = (struct msghdr){ .msg_iov = &letter->iov,
				       .msg_iovlen = 1,
				       .msg_control = letter->control,
				       .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int)) };
}

static void pass(const int *fds, int count)
{
	struct letter letter;
	struct cmsghdr *cmsg;

	write_letter(&letter, count);
	cmsg = CMSG_FIRSTHDR(&letter.msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, (size_t)count * sizeof(int));
	check(sendmsg(local[0], &letter.msg, 0) == 1);
}

static void take(int *fds, int count, int flags)
{
	struct letter letter;
	struct cmsghdr *cmsg;

	write_letter(&letter, MOST);
	check(recvmsg(local[1], &letter.msg, flags) == 1);
	cmsg = CMSG_FIRSTHDR(&letter.msg);
	check(cmsg && cmsg->cmsg_type == SCM_RIGHTS);
	check(cmsg->cmsg_len == CMSG_LEN((size_t)count * sizeof(int)));
	memcpy(fds, CMSG_DATA(cmsg), (size_t)count * sizeof(int));
}

static void speak(int fd, const char *name, const char *text)
{
	struct conn conn = conn_of(name, fd);
	struct sockaddr_storage ss;
	socklen_t len = local_address(fd, &ss);

	check(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&ss, len) ==
	      (ssize_t)strlen(text));
	strcpy(conn.remote, conn.local);
	want_data(&conn, fd, "sendto", text, strlen(text), "");
	conn.remote[0] = '\0';
	check(read(fd, got, sizeof(got)) == (ssize_t)strlen(text));
	want_data(&conn, fd, "read", text, strlen(text), "");
}

static void tell(int end)
{
	check(write(local[end], "", 1) == 1);
}

static void await(int end)
{
	check(read(local[end], got, 1) == 1);
}

static void take_by_pidfd(int *fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, getppid(), 0), number;

	check(pidfd >= 0);
	check(read(local[1], &number, sizeof(number)) == sizeof(number));
	*fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (*fd < 0 && errno == EPERM)
		skip("pidfd_getfd is not allowed");
	check(*fd >= 0);
	close(pidfd);
}

static void receiver(const char *how, int count)
{
	int fds[MOST];

	close(local[0]);
	if (!strcmp(how, "closed"))
		check(read(gate[0], got, 1) == 1);
	if (!strcmp(how, "getfd"))
		take_by_pidfd(fds);
	else
		take(fds, count, count > 1 ? MSG_CMSG_CLOEXEC : 0);
	for (int i = 0; i < count; i++)
		speak(fds[i], names[i], "receiver");
	tell(1);
	await(1);
	for (int i = 0; i < count; i++) {
		speak(fds[i], names[i], "alone");
		want("'type':'socket','pid':%d,'event':'close','conn':'%s'", getpid(), names[i]);
		check(!close(fds[i]));
	}
	_exit(0);
}

/* The number is a file's meanwhile. */
static void receive_again(void)
{
	int fd, file;

	close(local[0]);
	for (int i = 0; i < MOST; i++) {
		take(&fd, 1, 0);
		speak(fd, names[i], "receiver");
		check(!close(fd));
		file = open("/proc/self/comm", O_RDONLY);
		check(file == fd && read(file, got, sizeof(got)) > 0 && !close(file));
		tell(1);
	}
	_exit(0);
}

static void opened(int *fd, const char *name)
{
	*fd = udp_bound(AF_INET);
	want("'type':'socket','event':'open','conn':'%s'", name);
	want("'type':'socket','event':'bind','conn':'%s'", name);
}

static void pass_again(void)
{
	int fd;

	for (int i = 0; i < MOST; i++) {
		opened(&fd, names[i]);
		speak(fd, names[i], "sender");
		pass(&fd, 1);
		await(0);
		want("'type':'socket','pid':%d,'event':'close','conn':'%s'", getpid(), names[i]);
		check(!close(fd));
	}
}

int main(int argc, char **argv)
{
	int fds[MOST], count;
	bool before;
	pid_t pid;

	check(argc == 2);
	settings("'types':['data','socket']");
	count = strcmp(argv[1], "several") ? 1 : MOST;
	before = !strcmp(argv[1], "closed");
	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, local) && !pipe(gate));
	pid = fork();
	check(pid >= 0);
	if (!strcmp(argv[1], "again")) {
		if (!pid)
			receive_again();
		close(local[1]);
		pass_again();
		check(!await_end(pid));
		return 0;
	}
	if (!pid)
		receiver(argv[1], count);
	close(local[1]);
	for (int i = 0; i < count; i++) {
		opened(&fds[i], names[i]);
		speak(fds[i], names[i], "sender");
	}
	if (!strcmp(argv[1], "getfd"))
		check(write(local[0], fds, sizeof(*fds)) == sizeof(*fds));
	else
		pass(fds, count);
	for (int i = 0; before && i < count; i++)
		check(!close(fds[i]));
	if (before)
		check(write(gate[1], "", 1) == 1);
	await(0);
	for (int i = 0; !before && i < count; i++) {
		speak(fds[i], names[i], "sender again");
		check(!close(fds[i]));
	}
	tell(0);
	check(!await_end(pid));
	return 0;
}
