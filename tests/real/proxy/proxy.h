/* The parts of the recording proxy: what a connection is, and who does what with it. */
#ifndef PROXY_H
#define PROXY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ADDRESS_TEXT (6 * sizeof(struct sockaddr_un))
#define COUNT(list)  (sizeof(list) / sizeof((list)[0]))

enum { C2S, S2C, DIRS };

struct address {
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
};

#define ADDRESS_ROOM (sizeof(struct address) - offsetof(struct address, sa))

/* One client: a connection, or for datagrams one address. */
struct conn {
	struct conn *next; /* conns */
	uint64_t id;
	int fd[DIRS];     /* what a direction is read from: [C2S] the client, [S2C] the target */
	int record[DIRS]; /* files */
	uint64_t bytes[DIRS];
	struct address client, listen, local, remote;
	bool cut; /* it had not ended at exit */
};

struct proxy {
	const char *directory;
	struct address target;
	bool datagrams;
	int listener;
	int signals; /* readable: it is time to end */
};

extern struct proxy proxy;

/* Every failure of the proxy itself ends it, with errno's reason. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* ADDR:PORT, [ADDR]:PORT or unix:PATH; and back, as captures have it, fit for a JSON string. */
struct address address_parse(const char *text);
void address_format(const struct address *address, char text[ADDRESS_TEXT]);
void address_of_socket(int fd, struct address *ret_address);

/*
 * The life of a connection: conn_new takes the client's socket (-1 for datagrams), conn_connect
 * reaches the target (-1: it does not answer), conn_record, conn_end adds it to the index.
 */
void record_open(void);
struct conn *conn_new(int client, const struct address *from);
int conn_connect(struct conn *conn);
void conn_record(struct conn *conn, int dir, const void *data, size_t len);
void conn_end(struct conn *conn);

/* The connections that have not ended; conns_cut waits for them, and then cuts them. */
extern struct conn *conns;
void conns_cut(void);

/* Until there is a signal. */
void stream_serve(void);
void datagram_serve(void);

#endif
