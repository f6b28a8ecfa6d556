/* A pager behind standard output, where that is a terminal; as git does it. */
#ifndef CMD_PAGER_H
#define CMD_PAGER_H

#include <sys/types.h>

struct pager {
	pid_t pid; /* 0: none */
	int fd;    /* its input, or standard output */
};

/* Starts $PAGER (else less) where there is a terminal and `wanted`. */
void pager_start(struct pager *ret_pager, int wanted);

/* Waits until the user has left it. */
void pager_finish(struct pager *pager);

#endif
