/*
 * Which connection a TLS session is on: that whose ClientHello had the random that is in the session's object.
 */
#include "base/own.h"
#include "capture/state.h"
#include "tracer/mem.h"

#include <string.h>

/* Memory of a session's object that is searched, and of what it points to. */
#define OBJECT_BYTES 8192U
#define INNER_BYTES  2048U
#define INNER_WORDS  128U

struct hello {
	struct sock *sock;
	int fd;
};

/* The first in the bytes: behind a smaller object there may be another session's. */
static bool find_in(const struct hello *hellos, size_t count, const uint8_t *bytes, ssize_t len,
		    struct hello *ret_hello)
{
	const size_t size = sizeof(hellos->sock->client_random);
	const uint8_t *at;
	bool found = false;

	for (size_t i = 0; len > 0 && i < count; i++) {
		at = memmem(bytes, (size_t)len, hellos[i].sock->client_random, size);
		if (!at)
			continue;
		*ret_hello = hellos[i];
		found = true;
		len = at - bytes + (ssize_t)size - 1;
	}
	return found;
}

/* The client random is in the object (OpenSSL 3), or in what a pointer of its beginning leads to. */
static bool search_object(const struct task *task, uint64_t object, const struct hello *hellos,
			  size_t count, struct hello *ret_hello)
{
	uint8_t *bytes auto_free = own_alloc(OBJECT_BYTES + INNER_BYTES);
	uint8_t *inner = bytes + OBJECT_BYTES;
	ssize_t len = mem_read(task->tid, object, bytes, OBJECT_BYTES), inner_len;
	uint64_t pointer;

	if (find_in(hellos, count, bytes, len, ret_hello))
		return true;
	for (size_t i = 0; i < INNER_WORDS && (ssize_t)((i + 1) * 8) <= len; i++) {
		memcpy(&pointer, bytes + i * 8, sizeof(pointer));
		if (pointer < 0x10000 || pointer & 7 || pointer >> 47)
			continue;
		inner_len = mem_read(task->tid, pointer, inner, INNER_BYTES);
		if (find_in(hellos, count, inner, inner_len, ret_hello))
			return true;
	}
	return false;
}

/*
 * Connections of the process on which a ClientHello was seen. Both ends of one have the same random: those
 * first on which it went that way.
 */
static size_t collect_hellos(struct task *task, const enum event_dir *dir,
			     struct hello **ret_hellos)
{
	struct fdtable *table = cproc_of(task)->fds;
	struct sock *sock = NULL;
	size_t count, found = 0, first = 0, at;
	int *fds auto_free = fdtable_sockets(table, &count);
	struct hello *hellos = own_zalloc(count * sizeof(*hellos));

	for (size_t i = 0; i < count; i++) {
		if (fdtable_find(table, fds[i], &sock) != FD_SOCKET || !sock->tls)
			continue;
		at = found++;
		if (dir && sock->hello_dir == *dir) {
			hellos[at] = hellos[first];
			at = first++;
		}
		hellos[at] = (struct hello){ sock, fds[i] };
	}
	*ret_hellos = hellos;
	return found;
}

bool hello_find(struct task *task, uint64_t object, const enum event_dir *dir,
		struct sock **ret_sock, int *ret_fd)
{
	struct hello *hellos auto_free = NULL, hello;
	size_t count = collect_hellos(task, dir, &hellos);

	if (!count || !search_object(task, object, hellos, count, &hello))
		return false;
	*ret_sock = hello.sock;
	*ret_fd = hello.fd;
	return true;
}
