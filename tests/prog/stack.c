/* Where in the program a call was made (--stack). */
#include "expect.h"

#include <unistd.h>

__attribute__((noinline)) static void innermost(int fd)
{
	check(write(fd, "x", 1) == 1);
	/* No tail call. */
	__asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void outer(int fd)
{
	innermost(fd);
	__asm__ volatile("" ::: "memory");
}

int main(void)
{
	int fds[2];

	settings("'options':['--stack']");
	tcp_pair(AF_INET, fds);
	outer(fds[0]);
	want("'type':'data','call':'write','text':'x',"
	     "'stack~':'^[^\\\\n]*write[^\\\\n]*\\\\ninnermost[^\\\\n]* "
	     ".stack.c:[0-9]+.\\\\nouter[^\\\\n]*"
	     " .stack.c:[0-9]+.\\\\nmain[^\\\\n]* .stack.c:[0-9]+.\\\\n'");
	return 0;
}
