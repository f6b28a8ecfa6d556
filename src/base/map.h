/* Integer keys to pointers; the table behind tasks, processes, descriptors and sockets. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_node;

struct map {
	struct map_node *head;
};

/* A zeroed struct map is an empty one. The values are the caller's: map_done frees only the table.
 */
void map_done(struct map *map);

/* The same with values that are memory of their own, which goes, too. */
void map_free(struct map *map);

/*
 * Puts all that is in `from` into `to`: copies of its values, `size` bytes each and `to`'s own; 0: the values
 * themselves.
 */
void map_copy(struct map *to, const struct map *from, size_t size);

/* NULL where the key is absent. */
void *map_get(const struct map *map, uint64_t key);

/* Puts value (not NULL) under key; returns the value that was there before, or NULL. */
void *map_put(struct map *map, uint64_t key, void *value);

/* Takes the key out; returns its value, or NULL. */
void *map_take(struct map *map, uint64_t key);

size_t map_count(const struct map *map);

/*
 * Walks in order of insertion: for (n = map_first(m); n; n = map_next(n)). The current node may be
 * taken out in the body if map_next was called before.
 */
struct map_node *map_first(const struct map *map);
struct map_node *map_next(const struct map_node *node);
uint64_t map_key(const struct map_node *node);
void *map_value(const struct map_node *node);

#define MAP_FOR_EACH(node, map)                                                                   \
	for (struct map_node *node = map_first(map), *node##_next = node ? map_next(node) : NULL; \
	     node; node = node##_next, node##_next = node ? map_next(node) : NULL)

#endif
