/* A program starts with what it would start with alone: signals, limits, mask, environment. */
#include "expect.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void status_lines(void)
{
	static const char *const names[] = {
		"SigBlk:", "SigIgn:", "SigCgt:", "SigPnd:", "ShdPnd:",
		"CapEff:", "CapBnd:", "Uid:",    "Gid:",    "Groups:"
	};
	FILE *file = fopen("/proc/self/status", "r");
	char line[4096];

	check(file);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		for (char *tab = line; (tab = strchr(tab, '\t'));)
			*tab = ' ';
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			if (!strncmp(line, names[i], strlen(names[i])))
				same("%s", line);
	}
	fclose(file);
}

static void limits(void)
{
	struct rlimit limit;

	for (unsigned int i = 0; i < RLIM_NLIMITS; i++) {
		check(!getrlimit(i, &limit));
		same("limit %u: %lu %lu", i, (unsigned long)limit.rlim_cur,
		     (unsigned long)limit.rlim_max);
	}
}

int main(void)
{
	mode_t mask = umask(0);
	char directory[512];
	int count = 0;

	status_lines();
	limits();
	same("umask %o", mask);
	same("personality %x", personality(0xffffffff));
	same("nice %d", getpriority(PRIO_PROCESS, 0));
	same("dumpable %d", prctl(PR_GET_DUMPABLE));
	same("death signal %d", prctl(PR_GET_PDEATHSIG, &count) ? -1 : count);
	/* Where the kernel demands it, and it cannot be had otherwise. */
	if (!getuid())
		same("no new privileges %d", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	same("directory %s", getcwd(directory, sizeof(directory)));
	same("session %d", getsid(0) == getpgrp());
	for (int i = 0; i < 256; i++)
		if (fcntl(i, F_GETFD) >= 0)
			same("descriptor %d: %o", i, (unsigned int)fcntl(i, F_GETFL) & O_ACCMODE);
	for (count = 0; environ[count]; count++)
		if (!strpbrk(environ[count], "'\"\\\n\t"))
			same("%.200s", environ[count]);
	same("%d variables", count);
	return 0;
}
