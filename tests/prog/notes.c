/*
 * What the user should know: ways of bytes that no call shows, and what a tracer takes from a program.
 * Argument: packet, xdp, ptrace.
 */
#include "expect.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#ifndef AF_XDP
#define AF_XDP 44
#endif
#ifndef SOL_XDP
#define SOL_XDP 283
#endif

static int open_socket(int family)
{
	int fd = socket(family, SOCK_RAW, 0);

	if (fd < 0 && (errno == EPERM || errno == EACCES))
		skip("such sockets are root's");
	if (fd < 0 && errno == EAFNOSUPPORT)
		skip("this kernel has no such sockets");
	check(fd >= 0);
	return fd;
}

static void packet(void)
{
	const unsigned int page = (unsigned int)sysconf(_SC_PAGESIZE);
	struct tpacket_req size = {
		.tp_block_size = page, .tp_block_nr = 1, .tp_frame_size = page, .tp_frame_nr = 1
	};
	int fd = open_socket(AF_PACKET);

	/* Refused: nothing is in use. */
	check(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &size, 1) == -1);
	check(!setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &size, sizeof(size)));
	want("'type':'note','text~':'^a packet ring .AF_PACKET. is in use'");
}

static void xdp(void)
{
	int entries = 64, fd = open_socket(AF_XDP);

	check(setsockopt(fd, SOL_XDP, XDP_RX_RING, &entries, 1) == -1);
	check(!setsockopt(fd, SOL_XDP, XDP_RX_RING, &entries, sizeof(entries)));
	want("'type':'note','text~':'^an AF_XDP ring is in use'");
}

static void traced(void)
{
	pid_t child = fork();

	check(child >= 0);
	if (!child) {
		pause();
		_exit(0);
	}
	/* Alone it may. */
	check(!ptrace(PTRACE_SEIZE, child, 0, 0) || errno == EPERM);
	kill(child, SIGKILL);
	await_end(child);
	want("'type':'note','text~':'^this program tried to trace a process'");
}

int main(int argc, char **argv)
{
	check(argc == 2);
	if (!strcmp(argv[1], "packet")) {
		settings("'stderr':'a packet ring'");
		packet();
	} else if (!strcmp(argv[1], "xdp")) {
		settings("'stderr':'an AF_XDP ring'");
		xdp();
	} else {
		settings("'stderr':'tried to trace'");
		traced();
	}
	return 0;
}
