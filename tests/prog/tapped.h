/* What the programs share whose calls the agent takes: connections that it knows, and talk on them. */
#ifndef TAPPED_H
#define TAPPED_H

#include "expect.h"

#include <string.h>
#include <unistd.h>

struct tapped_case {
	const char *name;
	void (*run)(void);
};

/* Runs the case of that name; the program's exit status: 0, or 99 where there is none. */
static inline int run_case(const struct tapped_case *cases, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(name, cases[i].name)) {
			cases[i].run();
			return 0;
		}
	return 99;
}

struct pair {
	int fds[2];
	struct conn conns[2];
};

/* One message that ends 0 sends and 1 receives, each wanted. */
static inline void pair_say(const struct pair *pair, const char *text)
{
	size_t len = strlen(text);
	char got[256];

	check(write(pair->fds[0], text, len) == (ssize_t)len);
	want_data(&pair->conns[0], pair->fds[0], "write", text, len, "");
	check(read(pair->fds[1], got, sizeof(got)) == (ssize_t)len && !memcmp(got, text, len));
	want_data(&pair->conns[1], pair->fds[1], "read", got, len, "");
}

/* A connection, not used yet: no call on it has been patched. */
static inline void pair_open(struct pair *pair, const char *name0, const char *name1)
{
	tcp_pair(AF_INET, pair->fds);
	pair->conns[0] = conn_of(name0, pair->fds[0]);
	pair->conns[1] = conn_of(name1, pair->fds[1]);
}

static inline void pair_talk(const struct pair *pair, int times)
{
	for (int i = 0; i < times; i++)
		pair_say(pair, "so that the calls are patched");
}

static inline void pair_close(const struct pair *pair)
{
	check(!close(pair->fds[0]) && !close(pair->fds[1]));
}

#endif
