/*
 * What a program's own filter answers for a call is what the program gets: also where that is to
 * ask a tracer (nobody else's), and for calls that iotrace traces, too.
 */
#include "expect.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct answer {
	int nr;
	uint32_t action;
};

static const struct answer answers[] = {
	{ SYS_getuid, SECCOMP_RET_TRACE | 7 }, { SYS_geteuid, SECCOMP_RET_ERRNO | EXDEV },
	{ SYS_getgid, SECCOMP_RET_TRAP | 9 },  { SYS_getegid, SECCOMP_RET_LOG },
	{ SYS_sendto, SECCOMP_RET_TRACE | 7 }, { SYS_recvfrom, SECCOMP_RET_ERRNO | EXDEV },
	{ SYS_listen, SECCOMP_RET_TRAP | 11 },
};
#define ANSWERS (sizeof(answers) / sizeof(answers[0]))

static void on_trap(int sig, siginfo_t *info, void *context)
{
	(void)context;
	same("%d code %d call %d data %d", sig, info->si_code, info->si_syscall, info->si_errno);
}

static void load(void)
{
	struct sock_filter code[2 * ANSWERS + 2];
	struct sock_fprog program = { .filter = code };
	unsigned int at = 0;

	code[at++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  offsetof(struct seccomp_data, nr));
	for (unsigned int i = 0; i < ANSWERS; i++) {
		code[at++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							  (uint32_t)answers[i].nr, 0, 1);
		code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answers[i].action);
	}
	code[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program.len = (unsigned short)at;
	check(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	check(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	struct conn conn;
	int fds[2];
	long ret;

	settings("'per':'pid'");
	check(!sigaction(SIGSYS, &action, NULL));
	udp_pair(AF_INET, fds);
	conn = conn_of("0", fds[0]);
	load();
	for (unsigned int i = 0; i < 4; i++) {
		errno = 0;
		ret = syscall(answers[i].nr);
		same("call %d: %d %d", answers[i].nr, ret < 0 ? (int)ret : 0, errno);
	}
	errno = 0;
	ret = send(fds[0], "x", 1, 0);
	same("sendto: %ld %d", ret, errno);
	ret = recv(fds[0], &ret, 1, 0);
	same("recvfrom: %ld %d", ret, errno);
	listen(fds[0], 1);
	check(write(fds[0], "allowed", 7) == 7);
	want_data(&conn, fds[0], "write", "allowed", 7, "");
	return 0;
}
