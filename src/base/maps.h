/* What a process has mapped: /proc/PID/maps (proc(5)). */
#ifndef BASE_MAPS_H
#define BASE_MAPS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mapping {
	uint64_t start, end, offset;
	char flags[5]; /* as "r-xp" */
	uint64_t device, inode;
	const char *path; /* "" where there is none */
};

/* By rising addresses. */
struct maps {
	struct mapping *items;
	size_t count;
	char *text; /* what the paths are in */
};

/* 0, and maps_done frees them; or -errno. What is beyond some 4 MB of text is left out. */
int maps_read(pid_t pid, struct maps *ret_maps);
void maps_done(struct maps *maps);

/* The mapping that holds addr, NULL: none. Valid as long as the maps are. */
const struct mapping *maps_find(const struct maps *maps, uint64_t addr);

/*
 * The path of who runs the program by translating its code (Valgrind): a trap in that is not met, but
 * translated, too. NULL: the processor runs it.
 */
const char *maps_translator(const struct maps *maps);

#endif
