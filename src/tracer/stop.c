#include "tracer/stop.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

/* PTRACE_O_TRACESYSGOOD. */
#define SYSCALL_TRAP (SIGTRAP | 0x80)

static bool stops_group(int sig)
{
	return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

static enum stop_kind event_kind(unsigned int event, int sig)
{
	switch (event) {
	case PTRACE_EVENT_FORK:
		return STOP_FORK;
	case PTRACE_EVENT_VFORK:
		return STOP_VFORK;
	case PTRACE_EVENT_CLONE:
		return STOP_CLONE;
	case PTRACE_EVENT_VFORK_DONE:
		return STOP_VFORK_DONE;
	case PTRACE_EVENT_EXEC:
		return STOP_EXEC;
	case PTRACE_EVENT_EXIT:
		return STOP_EXIT;
	case PTRACE_EVENT_SECCOMP:
		return STOP_SECCOMP;
	case PTRACE_EVENT_STOP:
		return stops_group(sig) ? STOP_GROUP : STOP_EVENT;
	default:
		return STOP_EVENT;
	}
}

struct stop stop_from_status(int status)
{
	unsigned int event = (unsigned int)status >> 16;
	int sig;

	if (WIFEXITED(status))
		return (struct stop){ STOP_EXITED, WEXITSTATUS(status) };
	if (WIFSIGNALED(status))
		return (struct stop){ STOP_KILLED, WTERMSIG(status) };
	sig = WSTOPSIG(status);
	if (event)
		return (struct stop){ event_kind(event, sig), sig };
	if (sig == SYSCALL_TRAP)
		return (struct stop){ STOP_SYSCALL, 0 };
	return (struct stop){ STOP_SIGNAL, sig };
}
