/* A jump whose distance is made of the bytes that the program has there. */
#ifndef TAP_PUN_H
#define TAP_PUN_H

#include <stdint.h>
#include <string.h>

#define PUN_SIZE 5

/* Where it leads when the first byte of code, which stands at `site`, becomes e9. */
static inline uint64_t pun_target(uint64_t site, const uint8_t code[PUN_SIZE])
{
	int32_t distance;

	memcpy(&distance, code + 1, sizeof(distance));
	return site + PUN_SIZE + (uint64_t)(int64_t)distance;
}

#endif
