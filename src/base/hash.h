/* Integers spread over a table: Fibonacci hashing. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

/* A table's index is the low bits of this. */
static inline uint32_t hash_u64(uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15ULL) >> 32);
}

#endif
