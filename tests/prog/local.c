/*
 * Local sockets (--unix): unnamed, abstract and named ones, with the descriptors and credentials that come
 * with a message. Argument: stream, dgram, seqpacket.
 */
#include "expect.h"

#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static const char *proto;
static int type;

/* text: what is in the other events; "" for none. */
static void moved(const char *conn, int fd, const char *dir, const char *call, const char *text,
		  const char *more)
{
	want("'type':'data','fd':%d,'conn':'%s','proto':'%s','dir':'%s','call':'%s','len':%zu,"
	     "'text':'%s'%s",
	     fd, conn, proto, dir, call, strlen(text), text, more);
}

static void told(const char *conn, int fd, const char *event, const char *more)
{
	want("'type':'socket','event':'%s','fd':%d,'conn':'%s','family':'unix','proto':'%s'%s",
	     event, fd, conn, proto, more);
}

static void closed(const char *conn, int fd)
{
	check(!close(fd));
	told(conn, fd, "close", "");
}

static void unnamed(void)
{
	char got[20];
	int fds[2];

	check(!socketpair(AF_UNIX, type, 0, fds));
	told("a", fds[0], "open", ",'local':null,'remote':null");
	told("b", fds[1], "open", ",'local':null,'remote':null");
	check(send(fds[0], "there", 5, 0) == 5);
	moved("a", fds[0], "out", "sendto", "there", ",'local':null,'remote':null");
	check(read(fds[1], got, sizeof(got)) == 5);
	moved("b", fds[1], "in", "read", "there", ",'local':null,'remote':null");
	closed("a", fds[0]);
	closed("b", fds[1]);
}

/* A message with a descriptor, to somebody who wants to know whom it is from. */
static void accompanied(void)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(12)] = { 0 };
	char got[20], more[100];
	struct iovec iov = { (char[]){ "take" }, 4 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = CMSG_SPACE(sizeof(int)) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fds[2], one = 1, passed = STDIN_FILENO, there;

	check(!socketpair(AF_UNIX, type, 0, fds));
	told("c", fds[0], "open", "");
	told("d", fds[1], "open", "");
	check(!setsockopt(fds[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
	*cmsg = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(cmsg), &passed, sizeof(int));
	check(sendmsg(fds[0], &msg, 0) == 4);
	snprintf(more, sizeof(more), ",'fds':[%d]", passed);
	moved("c", fds[0], "out", "sendmsg", "take", more);
	iov = (struct iovec){ got, sizeof(got) };
	msg.msg_controllen = sizeof(control);
	check(recvmsg(fds[1], &msg, 0) == 4);
	/* The next number that is free. */
	there = fds[1] + 1;
	snprintf(more, sizeof(more), ",'fds':[%d],'cred':{'pid':%d,'uid':%d,'gid':%d}", there,
		 getpid(), (int)getuid(), (int)getgid());
	moved("d", fds[1], "in", "recvmsg", "take", more);
	check(!close(there));
	closed("c", fds[0]);
	closed("d", fds[1]);
}

static socklen_t address_of(const char *name, struct sockaddr_un *ret_address)
{
	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "%s", name);
	if (*name != '@')
		return sizeof(*ret_address);
	ret_address->sun_path[0] = '\0';
	return (socklen_t)(sizeof(ret_address->sun_family) + strlen(name));
}

static int bound(const char *conn, const char *name)
{
	int fd = socket(AF_UNIX, type, 0);
	struct sockaddr_un address;
	char more[200];

	told(conn, fd, "open", "");
	check(!bind(fd, (struct sockaddr *)&address, address_of(name, &address)));
	snprintf(more, sizeof(more), ",'local':'%s'", name);
	told(conn, fd, "bind", more);
	return fd;
}

static void datagrams(const char *name, const char *other)
{
	char more[300], got[20];
	struct sockaddr_un address;
	socklen_t len;
	int to = bound("to", name), from = bound("from", other);

	len = address_of(name, &address);
	check(sendto(from, "one", 3, 0, (struct sockaddr *)&address, len) == 3);
	snprintf(more, sizeof(more), ",'local':'%s','remote':'%s'", other, name);
	moved("from", from, "out", "sendto", "one", more);
	len = sizeof(address);
	check(recvfrom(to, got, sizeof(got), 0, (struct sockaddr *)&address, &len) == 3);
	snprintf(more, sizeof(more), ",'local':'%s','remote':'%s'", name, other);
	moved("to", to, "in", "recvfrom", "one", more);
	closed("from", from);
	closed("to", to);
}

/* listens, connects, accepts: names of the three sockets. */
static void connection(const char *name, const char *listens, const char *connects,
		       const char *accepts)
{
	int listener = bound(listens, name), fd, accepted;
	struct sockaddr_un address;
	char more[300], cred[100], got[20];

	check(!listen(listener, 1));
	told(listens, listener, "listen", "");
	fd = socket(AF_UNIX, type, 0);
	told(connects, fd, "open", "");
	check(!connect(fd, (struct sockaddr *)&address, address_of(name, &address)));
	snprintf(cred, sizeof(cred), "'cred':{'pid':%d,'uid':%d,'gid':%d}", getpid(), (int)getuid(),
		 (int)getgid());
	snprintf(more, sizeof(more), ",'local':null,'remote':'%s',%s", name, cred);
	told(connects, fd, "connect", more);
	accepted = accept(listener, NULL, NULL);
	check(accepted >= 0);
	snprintf(more, sizeof(more), ",'local':'%s','remote':null,%s", name, cred);
	told(accepts, accepted, "accept", more);
	check(write(fd, "up", 2) == 2);
	snprintf(more, sizeof(more), ",'local':null,'remote':'%s'", name);
	moved(connects, fd, "out", "write", "up", more);
	check(read(accepted, got, sizeof(got)) == 2);
	snprintf(more, sizeof(more), ",'local':'%s','remote':null", name);
	moved(accepts, accepted, "in", "read", "up", more);
	check(!shutdown(fd, SHUT_WR));
	told(connects, fd, "shutdown", ",'how':'write'");
	closed(connects, fd);
	closed(accepts, accepted);
	closed(listens, listener);
}

int main(int argc, char **argv)
{
	char path[60], abstract[60];

	check(argc == 2);
	type = !strcmp(argv[1], "stream")  ? SOCK_STREAM
	       : !strcmp(argv[1], "dgram") ? SOCK_DGRAM
					   : SOCK_SEQPACKET;
	proto = type == SOCK_STREAM  ? "unix-stream"
		: type == SOCK_DGRAM ? "unix-dgram"
				     : "unix-seqpacket";
	settings("'options':['--unix'],'types':['data','socket']");
	snprintf(path, sizeof(path), "/tmp/iotrace-local-%d", getpid());
	snprintf(abstract, sizeof(abstract), "@iotrace-local-%d", getpid());
	unnamed();
	accompanied();
	if (type == SOCK_DGRAM) {
		datagrams(path, abstract);
	} else {
		connection(path, "l1", "c1", "a1");
		connection(abstract, "l2", "c2", "a2");
	}
	unlink(path);
	return 0;
}
