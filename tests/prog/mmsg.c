/* sendmmsg and recvmmsg: an event a message, also where not all of them are moved. */
#include "expect.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define COUNT 4

static const char *const texts[COUNT] = { "one", "", "three", "four and more" };

static struct mmsghdr message(struct iovec *iov, void *data, size_t len)
{
	*iov = (struct iovec){ data, len };
	return (struct mmsghdr){ .msg_hdr = { .msg_iov = iov, .msg_iovlen = 1 } };
}

int main(void)
{
	struct mmsghdr out[COUNT], in[COUNT + 1];
	struct iovec out_iov[COUNT], in_iov[COUNT + 1];
	struct sockaddr_storage to[COUNT], from[COUNT + 1];
	struct conn conn, receivers;
	char got[COUNT + 1][8];
	int fd = udp_bound(AF_INET), receiver = udp_bound(AF_INET);

	conn = conn_of("out", fd);
	receivers = conn_of("in", receiver);
	for (int i = 0; i < COUNT; i++) {
		out[i] = message(&out_iov[i], (void *)(uintptr_t)texts[i], strlen(texts[i]));
		out[i].msg_hdr.msg_name = &to[i];
		out[i].msg_hdr.msg_namelen = local_address(receiver, &to[i]);
	}
	check(sendmmsg(fd, out, COUNT, 0) == COUNT);
	strcpy(conn.remote, receivers.local);
	for (int i = 0; i < COUNT; i++)
		want_data(&conn, fd, "sendmmsg", texts[i], strlen(texts[i]), "");

	/* One more than there are. */
	for (int i = 0; i <= COUNT; i++) {
		in[i] = message(&in_iov[i], got[i], sizeof(got[i]));
		in[i].msg_hdr.msg_name = &from[i];
		in[i].msg_hdr.msg_namelen = sizeof(from[i]);
	}
	check(recvmmsg(receiver, in, COUNT + 1, MSG_DONTWAIT, NULL) == COUNT);
	strcpy(receivers.remote, conn.local);
	for (int i = 0; i < COUNT; i++)
		want_data(&receivers, receiver, "recvmmsg", got[i], in[i].msg_len,
			  i == COUNT - 1 ? "'flags':['trunc']" : "");

	/* The third cannot be sent: the two before were. */
	out[2].msg_hdr.msg_iov = (struct iovec *)((char *)page_end(1) + 1);
	check(sendmmsg(fd, out, COUNT, 0) == 2);
	for (int i = 0; i < 2; i++)
		want_data(&conn, fd, "sendmmsg", texts[i], strlen(texts[i]), "");
	check(sendmmsg(fd, out + 2, 2, 0) == -1 && errno == EFAULT);
	want("'type':'data','fd':%d,'conn':'out','call':'sendmmsg','error':'EFAULT'", fd);
	return 0;
}
