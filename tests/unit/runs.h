/* Runs for the tests of goldens: events as a trace of connections gives them. */
#ifndef UNIT_RUNS_H
#define UNIT_RUNS_H

#include "golden/gather.h"
#include "golden/golden.h"

#include <stdio.h>

/* A connection, its turns one after the other. */
struct run_conn {
	const char *said[16]; /* by the client, by the server, … */
	size_t lens[16];      /* 0: the text's length */
	const char *remote;   /* NULL: 127.0.0.1:80 */
	int pid, tid, fd;     /* 0: 100, pid, 5 */
	uint64_t start;       /* time; 0: behind the connection before */
	size_t chunk;         /* bytes in one call; 0: all */
	bool udp;
};

struct run {
	struct run_conn conns[4];
	const char *environment[4];
	int status; /* of the program */
	bool loss;
	bool explain;  /* for learn() */
	bool doubtful; /* whether it is complete is not asked */
};

/* The text of its golden, with these rules; the caller's. Fails the test where they do not parse. */
char *run_golden(const struct run *run, const char *rules, enum golden_level level);

/* The model, in its canonical order. */
struct model *run_model(const struct run *run, const char *rules, enum golden_level level,
			struct rules *ret_rules);

#endif
