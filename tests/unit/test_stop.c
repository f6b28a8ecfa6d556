#include "tracer/stop.h"

#include "unit.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define EXITED(code)      ((code) << 8)
#define STOPPED(sig)      ((sig) << 8 | 0x7f)
#define EVENT(event, sig) ((event) << 16 | STOPPED(sig))
#define EVENT_TRAP(event) EVENT(event, SIGTRAP)

static const struct {
	int status;
	enum stop_kind kind;
	int code;
} cases[] = {
	{ EXITED(0), STOP_EXITED, 0 },
	{ EXITED(1), STOP_EXITED, 1 },
	{ EXITED(255), STOP_EXITED, 255 },
	{ SIGKILL, STOP_KILLED, SIGKILL },
	{ SIGSEGV | 0x80, STOP_KILLED, SIGSEGV }, /* with a core dump */
	{ 64, STOP_KILLED, 64 },
	{ STOPPED(SIGTRAP | 0x80), STOP_SYSCALL, 0 },
	{ EVENT_TRAP(PTRACE_EVENT_SECCOMP), STOP_SECCOMP, SIGTRAP },
	{ EVENT_TRAP(PTRACE_EVENT_FORK), STOP_FORK, SIGTRAP },
	{ EVENT_TRAP(PTRACE_EVENT_VFORK), STOP_VFORK, SIGTRAP },
	{ EVENT_TRAP(PTRACE_EVENT_CLONE), STOP_CLONE, SIGTRAP },
	{ EVENT_TRAP(PTRACE_EVENT_VFORK_DONE), STOP_VFORK_DONE, SIGTRAP },
	{ EVENT_TRAP(PTRACE_EVENT_EXEC), STOP_EXEC, SIGTRAP },
	{ EVENT_TRAP(PTRACE_EVENT_EXIT), STOP_EXIT, SIGTRAP },
	/* The four that stop a process; all other stops of this kind are the ptracer's doing. */
	{ EVENT(PTRACE_EVENT_STOP, SIGSTOP), STOP_GROUP, SIGSTOP },
	{ EVENT(PTRACE_EVENT_STOP, SIGTSTP), STOP_GROUP, SIGTSTP },
	{ EVENT(PTRACE_EVENT_STOP, SIGTTIN), STOP_GROUP, SIGTTIN },
	{ EVENT(PTRACE_EVENT_STOP, SIGTTOU), STOP_GROUP, SIGTTOU },
	{ EVENT_TRAP(PTRACE_EVENT_STOP), STOP_EVENT, SIGTRAP },
	{ EVENT_TRAP(99), STOP_EVENT, SIGTRAP },
	/* The signals themselves, on their way to the program. */
	{ STOPPED(SIGSTOP), STOP_SIGNAL, SIGSTOP },
	{ STOPPED(SIGTSTP), STOP_SIGNAL, SIGTSTP },
	{ STOPPED(SIGTRAP), STOP_SIGNAL, SIGTRAP },
	{ STOPPED(SIGCONT), STOP_SIGNAL, SIGCONT },
	{ STOPPED(SIGUSR1), STOP_SIGNAL, SIGUSR1 },
	{ STOPPED(64), STOP_SIGNAL, 64 },
};

static void known_statuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct stop stop = stop_from_status(cases[i].status);

		CHECK(stop.kind == cases[i].kind, "%#x is %d", (unsigned int)cases[i].status,
		      stop.kind);
		if (stop.kind != STOP_SYSCALL)
			CHECK(stop.code == cases[i].code, "%#x has %d",
			      (unsigned int)cases[i].status, stop.code);
	}
}

static void every_signal_goes_on_to_the_program(void **state)
{
	(void)state;
	for (int sig = 1; sig < 65; sig++) {
		struct stop stop = stop_from_status(STOPPED(sig));

		assert_int_equal(stop.kind, STOP_SIGNAL);
		assert_int_equal(stop.code, sig);
	}
}

/* The kernel's own words for what we believe of them. */
static void statuses_of_a_child(void **state)
{
	struct stop stop;
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid) {
		raise(SIGUSR1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	stop = stop_from_status(status);
	assert_int_equal(stop.kind, STOP_KILLED);
	assert_int_equal(stop.code, SIGUSR1);
	pid = fork();
	if (!pid)
		_exit(77);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	stop = stop_from_status(status);
	assert_int_equal(stop.kind, STOP_EXITED);
	assert_int_equal(stop.code, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_statuses),
		cmocka_unit_test(every_signal_goes_on_to_the_program),
		cmocka_unit_test(statuses_of_a_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
