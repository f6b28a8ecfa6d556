/* A raw socket: what is received has its IP header. Only root may have one. */
#include "expect.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define HEADER 20

int main(void)
{
	int fd = socket(AF_INET, SOCK_RAW, 253 /* for experiments, RFC 3692 */);
	struct sockaddr_storage address;
	socklen_t len = loopback(AF_INET, 0, &address);
	char got[100];

	if (fd < 0 && (errno == EPERM || errno == EACCES))
		skip("raw sockets are root's");
	check(fd >= 0 && !connect(fd, (struct sockaddr *)&address, len));
	check(send(fd, "raw", 3, 0) == 3);
	want("'type':'data','fd':%d,'conn':'raw','proto':'raw','dir':'out','call':'sendto','len':3,"
	     "'text':'raw'",
	     fd);
	check(recv(fd, got, sizeof(got), 0) == HEADER + 3 && !memcmp(got + HEADER, "raw", 3));
	want("'type':'data','fd':%d,'conn':'raw','proto':'raw','dir':'in','call':'recvfrom','len':%"
	     "d",
	     fd, HEADER + 3);
	return 0;
}
