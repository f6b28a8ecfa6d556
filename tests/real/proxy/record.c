/* Connections, their files and the index. */
#include "proxy.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define GRACE 10 /* seconds for open connections to end after the signal */

static const char *const dir_names[DIRS] = { "c2s", "s2c" };

/* Guards what follows. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ended = PTHREAD_COND_INITIALIZER;
static int index_file;
static uint64_t last_id;
struct conn *conns;

static void write_all(int fd, const void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, (const char *)data + done, len - done);

		if (n < 0 && errno != EINTR)
			die("writing the record");
		done += n > 0 ? (size_t)n : 0;
	}
}

void record_open(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/index.jsonl", proxy.directory);
	index_file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (index_file < 0)
		die("%s", path);
}

void conn_record(struct conn *conn, int dir, const void *data, size_t len)
{
	uint32_t size = htole32((uint32_t)len);

	if (proxy.datagrams)
		write_all(conn->record[dir], &size, sizeof(size));
	write_all(conn->record[dir], data, len);
	conn->bytes[dir] += len;
}

static void open_records(struct conn *conn)
{
	char path[4096];

	for (int dir = 0; dir < DIRS; dir++) {
		snprintf(path, sizeof(path), "%s/%" PRIu64 ".%s", proxy.directory, conn->id,
			 dir_names[dir]);
		conn->record[dir] = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (conn->record[dir] < 0)
			die("%s", path);
	}
}

struct conn *conn_new(int client, const struct address *from)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		die("a connection");
	conn->fd[C2S] = client;
	conn->fd[S2C] = -1;
	conn->client = *from;
	address_of_socket(client < 0 ? proxy.listener : client, &conn->listen);
	pthread_mutex_lock(&lock);
	conn->id = ++last_id;
	conn->next = conns;
	conns = conn;
	pthread_mutex_unlock(&lock);
	open_records(conn);
	return conn;
}

static void add_to_index(const struct conn *conn)
{
	const struct address *addresses[] = { &conn->client, &conn->listen, &conn->local,
					      &conn->remote };
	char text[COUNT(addresses)][ADDRESS_TEXT];
	char line[COUNT(addresses) * ADDRESS_TEXT + 512];
	int len;

	for (size_t i = 0; i < COUNT(addresses); i++)
		address_format(addresses[i], text[i]);
	len = snprintf(line, sizeof(line),
		       "{\"id\":%" PRIu64 ",\"proto\":\"%s\",\"client\":\"%s\",\"listen\":\"%s\","
		       "\"upstream_local\":\"%s\",\"upstream_remote\":\"%s\","
		       "\"c2s\":%" PRIu64 ",\"s2c\":%" PRIu64 ",\"cut\":%s}\n",
		       conn->id, proxy.datagrams ? "udp" : "tcp", text[0], text[1], text[2],
		       text[3], conn->bytes[C2S], conn->bytes[S2C], conn->cut ? "true" : "false");
	write_all(index_file, line, (size_t)len);
}

void conn_end(struct conn *conn)
{
	pthread_mutex_lock(&lock);
	for (struct conn **at = &conns; *at; at = &(*at)->next) {
		if (*at == conn) {
			*at = conn->next;
			break;
		}
	}
	add_to_index(conn);
	for (int dir = 0; dir < DIRS; dir++) {
		close(conn->record[dir]);
		if (conn->fd[dir] >= 0)
			close(conn->fd[dir]);
	}
	free(conn);
	pthread_cond_signal(&ended);
	pthread_mutex_unlock(&lock);
}

int conn_connect(struct conn *conn)
{
	struct address autobind = { .len = sizeof(sa_family_t) };
	int type = proxy.datagrams ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(proxy.target.sa.sa_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("a socket");
	autobind.sa.sa_family = AF_UNIX;
	if (proxy.datagrams && proxy.target.sa.sa_family == AF_UNIX)
		bind(fd, &autobind.sa, autobind.len); /* without a name there would be no answers */
	conn->remote = proxy.target;
	if (connect(fd, &proxy.target.sa, proxy.target.len)) {
		fprintf(stderr, "proxy: the target: %s\n", strerror(errno));
		close(fd);
		return -1;
	}
	address_of_socket(fd, &conn->local);
	pthread_mutex_lock(&lock);
	conn->fd[S2C] = fd;
	pthread_mutex_unlock(&lock);
	return fd;
}

void conns_cut(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += GRACE;
	pthread_mutex_lock(&lock);
	while (conns) {
		if (pthread_cond_timedwait(&ended, &lock, &until) != ETIMEDOUT)
			continue;
		for (struct conn *conn = conns; conn; conn = conn->next) {
			conn->cut = true;
			shutdown(conn->fd[C2S], SHUT_RDWR);
			shutdown(conn->fd[S2C], SHUT_RDWR);
		}
		until.tv_sec++;
	}
	pthread_mutex_unlock(&lock);
}
