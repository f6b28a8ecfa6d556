/*
 * A program that forbids itself what it does not need, before it opens its first socket: what is
 * not in its list kills it, so nothing foreign may be called from then on. Argument: how.
 */
#include "expect.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#elif defined(__i386__)
#define OWN_ARCH AUDIT_ARCH_I386
#endif

static const int allowed[] = {
	SYS_read,           SYS_write,       SYS_close,        SYS_socket,     SYS_bind,
	SYS_listen,         SYS_connect,     SYS_accept4,      SYS_sendto,     SYS_recvfrom,
	SYS_getsockname,    SYS_getpeername, SYS_getsockopt,   SYS_exit_group, SYS_exit,
	SYS_getpid,         SYS_gettid,      SYS_rt_sigreturn, SYS_futex,      SYS_madvise,
	SYS_rt_sigprocmask, SYS_seccomp,     SYS_munmap,
#ifdef SYS_accept
	SYS_accept,
#endif
#ifdef SYS_socketcall
	SYS_socketcall,
#endif
};
#define ALLOWED (sizeof(allowed) / sizeof(allowed[0]))

static char got[10];

static void load(bool by_prctl, uint32_t otherwise, unsigned int flags)
{
	struct sock_filter code[ALLOWED + 6];
	struct sock_fprog program = { .filter = code };
	unsigned int at = 0;

	code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  offsetof(struct seccomp_data, arch));
	code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  offsetof(struct seccomp_data, nr));
	for (unsigned int i = 0; i < ALLOWED; i++)
		code[at++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)allowed[i], (uint8_t)(ALLOWED - i), 0);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise);
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)at;
	if (by_prctl)
		check(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
	else
		check(!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

static void exchange(int family)
{
	struct conn conns[2];
	int fds[2];

	tcp_pair(family, fds);
	conns[0] = conn_of("0", fds[0]);
	conns[1] = conn_of("1", fds[1]);
	check(write(fds[0], "locked in", 9) == 9);
	want_data(&conns[0], fds[0], "write", "locked in", 9, "");
	check(read(fds[1], got, 10) == 9);
	want_data(&conns[1], fds[1], "read", "locked in", 9, "");
	close(fds[0]);
	close(fds[1]);
}

static void *thread_main(void *arg)
{
	pthread_barrier_wait(arg);
	pthread_barrier_wait(arg);
	exchange(AF_INET);
	return NULL;
}

/* The filter is laid on a thread that is there already; it alone opens the socket. */
static void by_tsync(void)
{
	pthread_barrier_t barrier;
	pthread_t thread;

	check(!pthread_barrier_init(&barrier, NULL, 2));
	check(!pthread_create(&thread, NULL, thread_main, &barrier));
	pthread_barrier_wait(&barrier);
	load(false, SECCOMP_RET_KILL_PROCESS, SECCOMP_FILTER_FLAG_TSYNC);
	pthread_barrier_wait(&barrier);
	check(!pthread_join(thread, NULL));
}

int main(int argc, char **argv)
{
	check(argc == 2);
	check(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	if (!strcmp(argv[1], "tsync")) {
		by_tsync();
		return 0;
	}
	if (!strcmp(argv[1], "seccomp"))
		load(false, SECCOMP_RET_KILL_PROCESS, 0);
	else if (!strcmp(argv[1], "prctl"))
		load(true, SECCOMP_RET_KILL_PROCESS, 0);
	else if (!strcmp(argv[1], "errno"))
		load(false, SECCOMP_RET_ERRNO | 1, 0);
	else if (!strcmp(argv[1], "twice")) {
		load(false, SECCOMP_RET_KILL_PROCESS, 0);
		load(false, SECCOMP_RET_ERRNO | 1, 0);
	}
	exchange(AF_INET);
	return 0;
}
