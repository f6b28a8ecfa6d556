/*
 * Children whose memory was copied while jumps took the place of their parent's breakpoints: each has some
 * moment of that, and goes on.
 */
#include "hooked.h"

#include <pthread.h>
#include <stdatomic.h>

#define FORKERS 4

static atomic_bool planted;

static void *fork_often(void *unused)
{
	char buffer[16] = "";
	pid_t child;

	(void)unused;
	do {
		child = fork();
		if (!child) {
			/* Nothing is told of a call that moves nothing. */
			for (int i = 0; i < 3; i++) {
				hooked_write(buffer, 0);
				hooked_read(buffer, 0, "");
			}
			_exit(0);
		}
		check(child > 0 && await_end(child) == 0);
	} while (!atomic_load(&planted));
	return NULL;
}

static void forked(void)
{
	pthread_t ids[FORKERS];

	settings("'per':'tid','tap':1,'options':[" ROWS "]");
	for (int i = 0; i < FORKERS; i++)
		check(!pthread_create(&ids[i], NULL, fork_often, NULL));
	begin_hooked();
	atomic_store(&planted, true);
	for (int i = 0; i < FORKERS; i++)
		check(!pthread_join(ids[i], NULL));
	three_wanted("behind that");
}

static const struct tapped_case cases[] = { { "forked", forked } };

int main(int argc, char **argv)
{
	check(argc == 2);
	return run_case(cases, sizeof(cases) / sizeof(cases[0]), argv[1]);
}
