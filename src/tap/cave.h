/*
 * Where five bytes for a long jump are found near a call site: filling between functions, behind an
 * instruction after which nothing goes on, and that no branch leads into. Code in, places out.
 */
#ifndef TAP_CAVE_H
#define TAP_CAVE_H

#include "base/map.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAVE_SIZE 5

/* So much code around a site is looked at: what a short jump reaches, and what is needed to read it. */
#define CAVE_AROUND 256

struct cave {
	uint64_t addr;
	size_t room; /* bytes of filling: CAVE_SIZE to CAVE_ROOM_MAX */
};

#define CAVE_ROOM_MAX 16
#define CAVES_MAX     16

/*
 * The caves that a short jump at `site` reaches, the nearest first, so that others' are left to them.
 * code: CAVE_AROUND bytes before the site and as many from it on. Returns how many.
 */
size_t cave_find(const uint8_t code[2 * CAVE_AROUND], uint64_t site,
		 struct cave ret_caves[CAVES_MAX]);

/*
 * The same, remembered: of many processes that have one library, and of forked ones, only the first has its
 * code read.
 */
struct caves {
	struct map by_code;
};

size_t caves_find(struct caves *caves, const uint8_t code[2 * CAVE_AROUND], uint64_t site,
		  struct cave ret_caves[CAVES_MAX]);
void caves_free(struct caves *caves);

/*
 * Somewhere in this piece of code are bytes that would be a direct branch into the cave. All offsets
 * are tried, whether an instruction begins there or not.
 */
bool cave_is_entered(const uint8_t *code, size_t len, uint64_t addr, uint64_t cave);

/* The same for all of it at once: a bit in `marks` for each byte that is entered so. */
void cave_mark_entries(const uint8_t *code, size_t len, uint64_t addr, uint8_t *marks);

/* The bytes for the cave: a jump to `target`, then traps for the next one to find. */
void cave_fill(const struct cave *cave, uint64_t target, uint8_t *ret_code);

/* The second byte of a short jump from the site to the cave. */
int8_t cave_distance(uint64_t site, const struct cave *cave);

#endif
