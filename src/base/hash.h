/* Integers spread over a table: Fibonacci hashing; and what stands for bytes. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* A table's index is the low bits of this. */
static inline uint32_t hash_u64(uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15ULL) >> 32);
}

/* 64 bits of the bytes, the same on every machine. */
uint64_t hash_bytes(uint64_t seed, const void *data, size_t len);

#endif
