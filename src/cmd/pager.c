#include "cmd/pager.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void run(const char *command, int input)
{
	if (dup2(input, STDIN_FILENO) < 0)
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	/* Quit where it fits on a screen, colours, no clearing: git's choice. */
	setenv("LESS", "FRX", 0);
	if (command)
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	execlp("less", "less", (char *)NULL);
	execlp("cat", "cat", (char *)NULL);
	_exit(127);
}

void pager_start(struct pager *ret_pager, int wanted)
{
	const char *command = getenv("PAGER"), *term = getenv("TERM");
	int input[2];
	pid_t pid;

	*ret_pager = (struct pager){ .fd = STDOUT_FILENO };
	if (!wanted || !isatty(STDOUT_FILENO) || !term || !strcmp(term, "dumb") ||
	    (command && (!*command || !strcmp(command, "cat"))) || pipe2(input, 0))
		return;
	pid = fork();
	if (!pid) {
		close(input[1]);
		run(command, input[0]);
	}
	close(input[0]);
	if (pid < 0) {
		close(input[1]);
		return;
	}
	/* The terminal's keys are the pager's. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	*ret_pager = (struct pager){ pid, input[1] };
}

void pager_finish(struct pager *pager)
{
	if (!pager->pid)
		return;
	close(pager->fd);
	while (waitpid(pager->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	pager->pid = 0;
}
