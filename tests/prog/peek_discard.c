/* MSG_PEEK with MSG_TRUNC on TCP tells how much is there, and takes nothing away: no loss. */
#include "expect.h"

#include <unistd.h>

int main(void)
{
	struct conn conn;
	char got[10];
	int fds[2];

	tcp_pair(AF_INET, fds);
	conn = conn_of("out", fds[0]);
	check(write(fds[0], "abc", 3) == 3);
	want_data(&conn, fds[0], "write", "abc", 3, "");
	conn = conn_of("in", fds[1]);
	check(recv(fds[1], got, 10, MSG_PEEK | MSG_TRUNC) == 3);
	want("'type':'data','fd':%d,'conn':'in','call':'recvfrom','len':3,'captured':0,"
	     "'flags':['peek'],'text':''",
	     fds[1]);
	check(recv(fds[1], got, 10, 0) == 3);
	want_data(&conn, fds[1], "recvfrom", "abc", 3, "");
	return 0;
}
