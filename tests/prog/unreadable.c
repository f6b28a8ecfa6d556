/* Bytes that the kernel takes from where they cannot be read again: told as sent, and as a loss. */
#include "expect.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define SIZE 3000

static struct conn from, to;
static int fds[2];

static void send_device(const char *path)
{
	int device = open(path, O_RDONLY);
	char got[SIZE];

	check(device >= 0);
	if (sendfile(fds[0], device, NULL, SIZE) < 0) {
		check(errno == EINVAL);
		skip("this kernel sends no devices");
	}
	want("'type':'data','fd':%d,'conn':'from','dir':'out','call~':'^sendfile','len':%d,"
	     "'captured':0,'flags':['file'],'text':''",
	     fds[0], SIZE);
	want("'type':'loss','reason':'unreadable','conn':'from','fd':%d,'bytes':%d,'calls':1",
	     fds[0], SIZE);
	check(recv(fds[1], got, SIZE, MSG_WAITALL) == SIZE);
	want_data(&to, fds[1], "recvfrom", got, SIZE, "");
	close(device);
}

int main(void)
{
	settings("'stderr':'lost 3000 bytes in 1 calls .unreadable.'");
	tcp_pair(AF_INET, fds);
	from = conn_of("from", fds[0]);
	to = conn_of("to", fds[1]);
	send_device("/dev/urandom");
	return 0;
}
