#include "base/hash.h"

/* FNV-1a by eight bytes, finished as SplitMix64 does. */
uint64_t hash_bytes(uint64_t seed, const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint64_t hash = seed ^ 0xcbf29ce484222325ULL ^ len, word;

	for (; len >= sizeof(word); bytes += sizeof(word), len -= sizeof(word)) {
		word = 0;
		for (size_t i = 0; i < sizeof(word); i++)
			word |= (uint64_t)bytes[i] << 8 * i;
		hash = (hash ^ word) * 0x9fb21c651e98df25ULL;
		hash ^= hash >> 29;
	}
	for (; len; bytes++, len--)
		hash = (hash ^ *bytes) * 0x100000001b3ULL;
	hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9ULL;
	hash = (hash ^ hash >> 27) * 0x94d049bb133111ebULL;
	return hash ^ hash >> 31;
}
