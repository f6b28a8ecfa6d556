#include "capture/fdtable.h"

#include "base/own.h"

#include <assert.h>

/* Stands for a descriptor that is no captured socket. */
static struct sock other;

struct fdtable *fdtable_new(void)
{
	struct fdtable *table = own_zalloc(sizeof(*table));

	table->refs = 1;
	return table;
}

struct fdtable *fdtable_get(struct fdtable *table)
{
	table->refs++;
	return table;
}

enum fd_state fdtable_find(const struct fdtable *table, int fd, struct sock **ret_sock)
{
	struct sock *sock = map_get(&table->fds, (uint32_t)fd);

	if (!sock)
		return FD_UNKNOWN;
	if (sock == &other)
		return FD_OTHER;
	*ret_sock = sock;
	return FD_SOCKET;
}

static struct sock *replaced(struct fdtable *table, int fd, enum fd_state state, struct sock *old)
{
	if (old == &other)
		old = NULL;
	if (table->watch)
		table->watch(table->watch_ctx, fd, state, old);
	if (old)
		old->fds--;
	return old;
}

struct sock *fdtable_set_socket(struct fdtable *table, int fd, struct sock *sock)
{
	sock_get(sock)->fds++;
	return replaced(table, fd, FD_SOCKET, map_put(&table->fds, (uint32_t)fd, sock));
}

struct sock *fdtable_set_other(struct fdtable *table, int fd)
{
	return replaced(table, fd, FD_OTHER, map_put(&table->fds, (uint32_t)fd, &other));
}

struct sock *fdtable_forget(struct fdtable *table, int fd)
{
	return replaced(table, fd, FD_UNKNOWN, map_take(&table->fds, (uint32_t)fd));
}

bool fdtable_has_socket(const struct fdtable *table)
{
	MAP_FOR_EACH(node, &table->fds)
		if (map_value(node) != &other)
			return true;
	return false;
}

unsigned int fdtable_count(const struct fdtable *table, const struct sock *sock)
{
	unsigned int count = 0;

	MAP_FOR_EACH(node, &table->fds)
		count += map_value(node) == sock;
	return count;
}

static int compare_fds(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int *fdtable_sockets(const struct fdtable *table, size_t *ret_count)
{
	int *fds = own_alloc(map_count(&table->fds) * sizeof(*fds));
	size_t count = 0;

	MAP_FOR_EACH(node, &table->fds)
		if (map_value(node) != &other)
			fds[count++] = (int)map_key(node);
	qsort(fds, count, sizeof(*fds), compare_fds);
	*ret_count = count;
	return fds;
}

void fdtable_forget_others(struct fdtable *table)
{
	MAP_FOR_EACH(node, &table->fds)
		if (map_value(node) == &other)
			fdtable_forget(table, (int)map_key(node));
}

struct fdtable *fdtable_copy(const struct fdtable *table)
{
	struct fdtable *copy = fdtable_new();

	MAP_FOR_EACH(node, &table->fds)
		if (map_value(node) != &other)
			fdtable_set_socket(copy, (int)map_key(node), map_value(node));
	return copy;
}

void fdtable_put(struct fdtable *table)
{
	if (!table || --table->refs)
		return;
	assert(!fdtable_has_socket(table));
	map_done(&table->fds);
	free(table);
}
