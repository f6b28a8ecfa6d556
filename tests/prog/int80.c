/* A 64-bit program that makes its calls as 32-bit programs do: other numbers, narrow structures. */
#include "expect.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* arch/x86/entry/syscalls/syscall_32.tbl */
enum {
	NR_READ = 3,
	NR_WRITE = 4,
	NR_SOCKETCALL = 102,
	NR_READV = 145,
	NR_WRITEV = 146,
	NR_SOCKET = 359,
	NR_BIND = 361,
	NR_CONNECT = 362,
	NR_LISTEN = 363,
	NR_SENDTO = 369,
	NR_SENDMSG = 370,
	NR_RECVFROM = 371,
	NR_RECVMSG = 372,
};
/* linux/net.h */
enum { CALL_SEND = 9, CALL_RECV = 10 };

struct iovec32 {
	uint32_t base, len;
};

struct msghdr32 {
	uint32_t name, namelen, iov, iovlen, control, controllen, flags;
};

/* All that the calls point to lies below 4 GiB. */
struct low {
	struct sockaddr_storage address;
	char out[16], in[16];
	struct iovec32 iov[2];
	struct msghdr32 msg;
	uint32_t args[6];
};

static struct low *low;

static uint32_t at(const void *place)
{
	return (uint32_t)(uintptr_t)place;
}

static int call(uint32_t nr, uint32_t a, uint32_t b, uint32_t c)
{
	int64_t ret;

	__asm__ volatile("int $0x80"
			 : "=a"(ret)
			 : "a"((uint64_t)nr), "b"((uint64_t)a), "c"((uint64_t)b), "d"((uint64_t)c),
			   "S"(0UL), "D"(0UL)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

static bool is_there(void)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (!pid)
		_exit(call(20, 0, 0, 0) == getpid() ? 0 : 1);
	return !await_end(pid);
}

static void set_pieces(char *buffer)
{
	low->iov[0] = (struct iovec32){ at(buffer), 2 };
	low->iov[1] = (struct iovec32){ at(buffer + 2), 3 };
	low->msg = (struct msghdr32){ .iov = at(low->iov), .iovlen = 2 };
	low->args[1] = at(buffer);
	low->args[2] = 5;
	low->args[3] = 0;
}

int main(void)
{
	static const char *const out_names[] = { "write", "writev", "sendto", "sendmsg", "send" };
	static const char *const in_names[] = { "read", "readv", "recvfrom", "recvmsg", "recv" };
	static const uint32_t out_numbers[] = { NR_WRITE, NR_WRITEV, NR_SENDTO, NR_SENDMSG };
	static const uint32_t in_numbers[] = { NR_READ, NR_READV, NR_RECVFROM, NR_RECVMSG };
	int listener, fds[2];
	struct conn conns[2];
	socklen_t len;

	if (!is_there())
		skip("no 32-bit calls here");
	low = mmap(NULL, sizeof(*low), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	check(low != MAP_FAILED);
	/* Its first socket, too. */
	listener = call(NR_SOCKET, AF_INET, SOCK_STREAM, 0);
	check(listener >= 0);
	len = loopback(AF_INET, 0, &low->address);
	check(!call(NR_BIND, (uint32_t)listener, at(&low->address), len));
	check(!call(NR_LISTEN, (uint32_t)listener, 1, 0));
	len = local_address(listener, &low->address);
	fds[0] = call(NR_SOCKET, AF_INET, SOCK_STREAM, 0);
	check(fds[0] >= 0);
	check(!call(NR_CONNECT, (uint32_t)fds[0], at(&low->address), len));
	fds[1] = accept(listener, NULL, NULL);
	check(fds[1] >= 0);
	conns[0] = conn_of("0", fds[0]);
	conns[1] = conn_of("1", fds[1]);
	memcpy(low->out, "hello", 5);
	for (int i = 0; i < 5; i++) {
		uint32_t place = i == 1 ? at(low->iov) : i == 3 ? at(&low->msg) : at(low->out);
		uint32_t size = i == 1 ? 2 : i == 3 ? 0 : 5;

		set_pieces(low->out);
		low->args[0] = (uint32_t)fds[0];
		check(call(i == 4 ? NR_SOCKETCALL : out_numbers[i],
			   i == 4 ? CALL_SEND : (uint32_t)fds[0], i == 4 ? at(low->args) : place,
			   size) == 5);
		want_data(&conns[0], fds[0], out_names[i], "hello", 5, "");
		set_pieces(low->in);
		low->args[0] = (uint32_t)fds[1];
		if (i != 1 && i != 3)
			place = at(low->in);
		check(call(i == 4 ? NR_SOCKETCALL : in_numbers[i],
			   i == 4 ? CALL_RECV : (uint32_t)fds[1], i == 4 ? at(low->args) : place,
			   size) == 5);
		want_data(&conns[1], fds[1], in_names[i], "hello", 5, "");
	}
	return 0;
}
