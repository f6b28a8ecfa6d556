/*
 * A static program without randomized addresses, whose heap begins right behind it: the heap grows by brk
 * as it does alone, whatever has been put near the program's code.
 */
#include "tapped.h"

#include <stdint.h>
#include <sys/personality.h>

int main(int argc, char **argv)
{
	int before = personality(0xffffffff);
	struct pair pair;
	int grown = 0;

	if (!(before & ADDR_NO_RANDOMIZE) && argc == 1) {
		char *again[] = { argv[0], "again", NULL };

		if (personality((unsigned long)before | ADDR_NO_RANDOMIZE) < 0)
			skip("addresses can't be had as they are");
		execv("/proc/self/exe", again);
	}
	settings("'tap':15");
	pair_open(&pair, "0", "1");
	pair_talk(&pair, 10);
	while (grown < 500 && sbrk(1 << 20) != (void *)-1)
		grown++;
	same("%d MB", grown);
	pair_talk(&pair, 1);
	return 0;
}
