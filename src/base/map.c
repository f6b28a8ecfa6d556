/* The only file that knows uthash. */
#include "base/map.h"

#include "base/hash.h"
#include "base/own.h"

#define uthash_malloc(size) own_alloc(size)
/* All keys are of one size, and looked up for every call: uthash's own way is for strings. */
#define HASH_FUNCTION(key, len, hash) ((hash) = hash_u64(*(const uint64_t *)(key)))
#define HASH_KEYCMP(a, b, len)        (*(const uint64_t *)(a) != *(const uint64_t *)(b))
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"
#include <uthash.h>

struct map_node {
	uint64_t key;
	void *value;
	UT_hash_handle hh;
};

void map_done(struct map *map)
{
	struct map_node *node, *next;

	HASH_ITER(hh, map->head, node, next)
	{
		HASH_DEL(map->head, node);
		free(node);
	}
}

static struct map_node *find(const struct map *map, uint64_t key)
{
	struct map_node *node;

	HASH_FIND(hh, map->head, &key, sizeof(key), node);
	return node;
}

void *map_get(const struct map *map, uint64_t key)
{
	struct map_node *node = find(map, key);

	return node ? node->value : NULL;
}

void *map_put(struct map *map, uint64_t key, void *value)
{
	struct map_node *node = find(map, key);
	void *old;

	if (node) {
		old = node->value;
		node->value = value;
		return old;
	}
	node = own_zalloc(sizeof(*node));
	node->key = key;
	node->value = value;
	HASH_ADD(hh, map->head, key, sizeof(node->key), node);
	return NULL;
}

void *map_take(struct map *map, uint64_t key)
{
	struct map_node *node = find(map, key);
	void *value;

	if (!node)
		return NULL;
	value = node->value;
	HASH_DEL(map->head, node);
	free(node);
	return value;
}

void map_free(struct map *map)
{
	MAP_FOR_EACH(node, map)
		free(map_value(node));
	map_done(map);
}

void map_copy(struct map *to, const struct map *from, size_t size)
{
	MAP_FOR_EACH(node, from) {
		void *value = map_value(node);

		if (size)
			value = memcpy(own_alloc(size), value, size);
		map_put(to, map_key(node), value);
	}
}

size_t map_count(const struct map *map)
{
	return HASH_COUNT(map->head);
}

struct map_node *map_first(const struct map *map)
{
	return map->head;
}

struct map_node *map_next(const struct map_node *node)
{
	return node->hh.next;
}

uint64_t map_key(const struct map_node *node)
{
	return node->key;
}

void *map_value(const struct map_node *node)
{
	return node->value;
}
